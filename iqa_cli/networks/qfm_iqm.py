"""QFM-IQM: Quality-aware Feature Matching for no-reference image quality assessment.

Paper: "Adaptive Feature Selection for No-Reference Image Quality Assessment by Mitigating Semantic Noise
Sensitivity", ICML 2024, PMLR 235:27808, arXiv 2312.06158; its text could not be read.

Published: among samples of similar score one of different semantics is matched; its feature is adversarial
semantic noise, and the network learns to keep its prediction when the noise is added; a teacher's scores of
unlabelled pictures enlarge the training set. Second-hand: pairs come from a memory of features and scores,
and the noisy feature enters the decoder. Our choice: everything of the encoder and decoder but their kind
(`qfm_decoder.py`); similarity, tolerance and gate (`qfm_noise.py`); that the noise is added to the feature
and to every token alike; SmoothL1 with its bend, and all weights; that only human opinions are matched, so
that the three losses can be turned off one by one; a kernel ridge on a frozen trunk beside the network
(`kernel_ridge.py`).

    f, tokens = encoder(picture),  score = dec(f, tokens)                          all there is at inference
    loss = SmoothL1(dec(f, tokens), y) + lambda SmoothL1(dec(f + noise, tokens + noise), y) + mu distillation

Licence of this file: that of the project. The method's own code was not looked at.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.kernel_ridge import KernelRidge, WithRidge
from iqa_cli.networks.numbers import NORMALISATIONS, register_channels
from iqa_cli.networks.qfm_config import PAPER, QFMIQMConfig
from iqa_cli.networks.qfm_decoder import Encoder, QualityDecoder
from iqa_cli.networks.qfm_noise import FeatureMemory, SemanticMatching, SemanticNoise
from iqa_cli.networks.timm_backbone import Backbone

__all__ = ["PAPER", "QFMIQM", "QFMIQMConfig"]


class QFMIQM(WithRidge):
    """The network. Input RGB [N, 3, H, W] in 0 to 1, any H, W from 64 up; output [N], MOS on a 0 to 1 scale.

    The output is not bounded; higher is better.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: QFMIQMConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or QFMIQMConfig()
        caffe = config.conv_strides == "caffe"
        backbone = Backbone(config.backbone, config.stride, config.levels, caffe)
        self.encoder = Encoder(backbone, config.width)
        self.decoder = QualityDecoder(
            config.width, config.heads, config.queries, config.mlp_ratio, config.dropout
        )
        # Made last, so that networks with and without it start from the same weights.
        self.matching = SemanticMatching(config.tolerance, config.partner)
        self.memory: FeatureMemory | None = None
        if config.noise_weight:
            self.memory = FeatureMemory(config.memory, config.width)
            self.noise = SemanticNoise(config.width, config.noise_strength, config.gate)
        self.ridge = None if config.ridge is None else KernelRidge(config.ridge)
        mean, std = NORMALISATIONS[config.normalisation]
        register_channels(self, mean=mean, std=std)

    def encode(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Feature [N, D] and tokens [N, T, D] of RGB [N, 3, H, W] in 0 to 1."""
        return self.encoder((rgb - self.mean) / self.std)

    def forward(self, rgb: Tensor) -> Tensor:
        """Scores [N] of RGB [N, 3, H, W] in 0 to 1."""
        scores = self.decoder(*self.encode(rgb))
        return scores if self.ridge is None else self.ridge.blend(scores, rgb)

    def forward_with_auxiliary(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [N] and 0: without opinions there is no partner, and no auxiliary loss."""
        return self(rgb), rgb.new_zeros(())

    def forward_with_opinions(self, rgb: Tensor, mos: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and the loss under semantic noise.

        In training mode the features are remembered afterwards, as partners of later steps.

        Args:
            rgb: [N, 3, H, W] in 0 to 1.
            mos: [N], 0 to 1; NaN for pictures of no opinion, which are neither matched nor remembered.

        Returns:
            Scores [N], and lambda * SmoothL1(dec(f + noise), y), the mean over the pictures that have a
            partner, 0 where none has.
        """
        feature, tokens = self.encode(rgb)
        scores = self.decoder(feature, tokens)
        loss = rgb.new_zeros(())
        if self.memory is None:
            return scores, loss
        known = torch.isfinite(mos).nonzero()[:, 0]
        held, held_scores = self.memory.entries()
        partner, _ = self.matching(feature[known], mos[known], held, held_scores)
        some = partner >= 0
        matched, partners = known[some], held[partner[some]]
        if len(matched):
            noise = self.noise(feature[matched], partners.to(feature.dtype))
            noisy = self.decoder(feature[matched] + noise, tokens[matched] + noise[:, None])
            loss = self.config.noise_weight * self._smooth_l1(noisy, mos[matched])
        if self.training:
            self.memory.push(feature[known], mos[known])
        return scores, loss

    def opinion_loss(self, scores: Tensor, mos: Tensor) -> Tensor:
        """Weighted SmoothL1 between scores [N] and MOS [N], both 0 to 1; training takes it instead of L1."""
        return self.config.opinion_weight * self._smooth_l1(scores, mos)

    def distillation_loss(self, scores: Tensor, taught: Tensor) -> Tensor:
        """Weighted (mu) SmoothL1 between scores [N] and a teacher's [N], both 0 to 1."""
        return self.config.distillation_weight * self._smooth_l1(scores, taught)

    def _smooth_l1(self, scores: Tensor, targets: Tensor) -> Tensor:
        return F.smooth_l1_loss(scores.float(), targets.float(), beta=self.config.smooth)

    def pretrained_modules(self) -> list[nn.Module]:
        """Modules that start from learnt features; they train at the lower rate."""
        return [self.encoder.backbone]

    def freeze_early(self, stages: int) -> None:
        """Keep the first stages of the backbone, 0 to 4, as they are; ValueError for another number."""
        self.encoder.backbone.freeze(stages)

    def unshipped(self) -> set[str]:
        """Entries of the state that training needs and a shipped weight leaves out: the memory."""
        return {name for name in self.state_dict() if name.startswith("memory.")}
