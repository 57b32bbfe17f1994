"""MFE-Net: Multi-task Feature Enhancement Network for no-reference image quality assessment.

Paper: Li Yu, arXiv 2411.07556, 2024; its text could not be read.

Published: three branches (QEN on VAN, DAN on a contrastively pre-trained ResNet-50, HFEN with vanilla
convolutions and high-frequency modules), AFF that brings in the distortion-aware features, FFM that brings
in the high frequencies. Second-hand: the high-frequency module is built on octave convolution and drops its
low half. Our choice: both fusions at all four stages, the frozen DAN and P = BN(1x1(D)), widths and order of
the HFEN, the auxiliary objective, the form of the FFM, the head, normalisation inside the network, a timm
network where no VAN with learnt weights can be had, a kernel ridge on D1 to D3 beside all of it.

    F_i = QEN stage,  P_i = BN(1x1(D_i)),  A_i = AFF(F_i, P_i),  G_i = FFM(A_i, H_i)          i = 1 .. 4
    score = head([pool G_1, pool G_2, pool G_3, pool G_4])

Licence of this file: that of the project.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.dan import DAN_WIDTHS, FrozenDAN, Projection
from iqa_cli.networks.distortion_head import DistortionHead
from iqa_cli.networks.fusion import AFF, FFM, AddFusion, ConcatFusion
from iqa_cli.networks.hfen import DROPPED, HFEN, highpass_target
from iqa_cli.networks.kernel_ridge import KernelRidge, WithRidge
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.numbers import IMAGENET_MEAN, IMAGENET_STD, in_float32, register_channels
from iqa_cli.networks.ordinal_head import OrdinalHead
from iqa_cli.networks.timm_qen import TimmQEN
from iqa_cli.networks.van import VAN

#: Maps of the DAN that the ridge reads: D1 to D3, which the contrastive pre-training hardly touched.
RIDGE_MAPS = 3


class Head(nn.Sequential):
    """Linear, PReLU, Dropout, Linear, PReLU, Linear: pooled maps [N, C] to scores [N, 1]."""

    def __init__(self, in_features: int, width: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(in_features, width),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.PReLU(),
            nn.Linear(width, 1),
        )


class MFENet(WithRidge):
    """The fused network. Input RGB [N, 3, H, W] in 0 to 1, any H, W from 64 up; output [N], MOS on a 0 to 1
    scale.

    The output is not bounded; higher is better.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: MFENetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MFENetConfig()
        self.qen = _qen(config)
        widths = cast("tuple[int, int, int, int]", self.qen.widths)
        self.dan: FrozenDAN | None = None
        self.hfen: HFEN | None = None
        self.ridge = None
        if config.ridge is not None:
            self.ridge = KernelRidge(config.ridge, DAN_WIDTHS[:RIDGE_MAPS])
        if config.dan != "none":
            fusion = {"aff": AFF, "add": AddFusion, "concat": ConcatFusion}[config.fusion]
            self.dan = FrozenDAN(config.dan_strides, _naming(config))
            self.projections = nn.ModuleList(
                Projection(d, w) for d, w in zip(DAN_WIDTHS, widths, strict=True)
            )
            self.fusions = nn.ModuleList(fusion(w) for w in widths)
        if config.hfen != "none":
            self.hfen = HFEN(widths, config.hfen)
            if config.ffm:
                self.ffms = nn.ModuleList(FFM(w) for w in widths)
        read = sum(widths) * (2 if config.pooling == "mean-std" else 1)
        self.head = Head(read, config.head_width, config.dropout)
        register_channels(self, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    def _fused(self, x: Tensor, dan: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """G1 to G4 and, where the branch exists, H1 to H4 of normalised RGB and D1 to D4."""
        fused = self.qen.stages(x)
        if self.dan is not None:
            joined = zip(self.fusions, self.projections, fused, dan, strict=True)
            fused = [fuse(f, project(d)) for fuse, project, f, d in joined]
        high: list[Tensor] = []
        if self.hfen is not None:
            high = self.hfen(x)
            if self.config.ffm:
                fused = [ffm(a, h) for ffm, a, h in zip(self.ffms, fused, high, strict=True)]
            else:
                fused = [a + h for a, h in zip(fused, high, strict=True)]
        return fused, high

    def stage_maps(self, rgb: Tensor) -> list[Tensor]:
        """G1 to G4, [N, width_i, ceil(H / s), ceil(W / s)] with s = 4, 8, 16, 32."""
        x, dan = self._distortions(rgb)
        return self._fused(x, dan)[0]

    def forward(self, rgb: Tensor) -> Tensor:
        """Scores [N] of RGB [N, 3, H, W] in 0 to 1."""
        x, dan = self._distortions(rgb)
        return self._score(rgb, self._fused(x, dan)[0], dan)

    def forward_with_auxiliary(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [N] and the weighted auxiliary loss (a scalar, 0 where the task is off), for training."""
        x, dan = self._distortions(rgb)
        maps, high = self._fused(x, dan)
        auxiliary = rgb.new_zeros(())
        if self.hfen is not None and self.config.auxiliary_weight > 0:
            predicted = self.hfen.predict_highpass(high[0])
            target = highpass_target(rgb, (predicted.shape[-2], predicted.shape[-1]))
            auxiliary = self.config.auxiliary_weight * F.l1_loss(predicted.float(), target)
        return self._score(rgb, maps, dan), auxiliary

    def forward_with_distortions(self, rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores [N], and what the head on the DAN says: see `DistortionHead` and `OrdinalHead`.

        Returns:
            Scores [N], logits of "pristine" and the types [N, 1 + T], logits of the levels of each type
            [N, T, 5].

        Raises:
            ValueError: The network has no such head (`config.distortions` is empty).
        """
        if self.dan is None or self.dan.head is None:
            raise ValueError("this network does not name distortions")
        x, dan = self._distortions(rgb)
        types, levels = self.dan.head(dan, rgb)
        return self._score(rgb, self._fused(x, dan)[0], dan), types, levels

    def ridge_maps(self, rgb: Tensor) -> list[Tensor]:
        """D1 to D3 of RGB [N, 3, H, W] in 0 to 1."""
        return self._distortions(rgb)[1][:RIDGE_MAPS]

    def _distortions(self, rgb: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Normalised RGB and D1 to D4, none where there is no such branch."""
        x = (rgb - self.mean) / self.std
        return x, [] if self.dan is None else self.dan(x)

    def _score(self, rgb: Tensor, maps: list[Tensor], dan: list[Tensor]) -> Tensor:
        with in_float32(maps[0]):
            maps = [g.float() for g in maps]
            pooled = [g.mean((2, 3)) for g in maps]
            if self.config.pooling == "mean-std":
                pooled += [_deviation(g) for g in maps]
            scores: Tensor = self.head(torch.cat(pooled, 1)).squeeze(1)
        return scores if self.ridge is None else self.ridge.blend(scores, rgb, dan[:RIDGE_MAPS])

    def adapted(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state of a finished network as a start of this one, which may read deviations too.

        Args:
            state: Name -> tensor of a network whose pooling is the mean; of the same pooling it is returned
                as it is.

        Returns:
            The same with zeros where the head reads deviations, so that the first score is the old one.
        """
        name = "head.0.weight"
        old = state.get(name)
        width, read = self.state_dict()[name].shape
        if self.config.pooling != "mean-std" or old is None or old.shape != (width, read // 2):
            return state
        return {**state, name: torch.cat([old, torch.zeros_like(old)], 1)}

    def unshipped(self) -> set[str]:
        """Entries of the state that nothing is computed with: the dropped half of the octave convolutions."""
        dropped = tuple(f".second.{part}.weight" for part in DROPPED)
        return {name for name in self.state_dict() if name.startswith("hfen.") and name.endswith(dropped)}

    def pretrained_modules(self) -> list[nn.Module]:
        """Modules that start from learnt features; they train at the lower rate."""
        return [self.qen]

    def freeze_early(self, stages: int) -> None:
        """Keep the first stages of the QEN, 0 to 4, as they are: see `VAN.freeze`."""
        self.qen.freeze(stages)


def _qen(config: MFENetConfig) -> VAN | TimmQEN:
    if not config.backbone:
        return VAN(config.van)
    return TimmQEN(config.backbone, config.normalisation)


def _naming(config: MFENetConfig) -> DistortionHead | OrdinalHead | None:
    if not config.distortions:
        return None
    if config.distortion_head == "ordinal":
        return OrdinalHead(config.distortions)
    return DistortionHead(config.distortions, config.distortion_stages)


def _deviation(x: Tensor) -> Tensor:
    """Standard deviation over the positions of [N, C, H, W], [N, C]; smooth where it is 0."""
    return (x.var((2, 3), unbiased=False) + 1e-6).sqrt()
