"""VCRNet: Visual Compensation Restoration Network for no-reference image quality assessment.

Paper: Pan, Yuan, Lei, Fang, Shao and Kwong, IEEE TIP 31:1613, 2022; its text could not be read.
The published code has no licence; this is written anew, from a description of its structure and
the names and shapes of its parameters. `iqa convert vcrnet` maps them to ours (`vcrnet_names.py`).

Published: a restoration network, and a quality network that reads its decoder. Second-hand: EfficientNet-B0,
its maps of 24, 40, 112 and 1280 channels reduced by three parallel branches at stride 2, the four maps of the
decoder likewise at stride 8, pairs concatenated and pooled, two hidden layers of 512, PReLU, L1.
Our choice, or not known: EfficientNet-Lite0 as another trunk, normalisation inside the network, a kernel
ridge on a frozen trunk beside it (`kernel_ridge.py`), the stride of the third branch in its first
convolution, what the heads of `vcrnet_quality.py` and `vcrnet_restoration.py` name. Where we differ from the
published code: no dropout at test, no choice of the best epoch on the test part, pictures keep their shape
(the size policy is that of MFE-Net).

    E_1 .. E_4 = trunk,  D_1 .. D_4 = decoder, finest first:  64 @ 1/1, 128 @ 1/2, 256 @ 1/4, 512 @ 1/8
    Q_i = [reduce_2(E_i), reduce_8(D_i)],  144 channels @ 1/8, 1/16, 1/32, 1/64
    score = head([pool Q_1, pool Q_2, pool Q_3, pool Q_4])

Licence of this file: that of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from iqa_cli.networks.config_fields import check_choices, from_known_fields
from iqa_cli.networks.kernel_ridge import KernelRidge, RidgeConfig, WithRidge, plain_fields
from iqa_cli.networks.numbers import in_float32
from iqa_cli.networks.vcrnet_quality import BRANCH_WIDTH, QualityHead, Reduction, Trunk
from iqa_cli.networks.vcrnet_restoration import RestorationNet

#: Most stages that `freeze_early` takes.
FREEZABLE = 4
#: Stride of the reductions that read the decoder.
DECODER_STRIDE = 8


@dataclass(frozen=True)
class VCRNetConfig:
    """The network's shape.

    Attributes:
        backbone: Trunk of the quality network: "b0" as published, "lite0" ships, "tiny" serves tests.
        restoration: Width of the restoration network: "full" as published, "tiny" for tests.
        residual: Whether the restoration network gives what is added to the picture, or the picture itself.
            No score depends on it.
        stride_in: Convolution of a reduction's third branch that has the stride; not known of the published
            network.
        head_width: Width of the two hidden layers of the head.
        dropout: Dropout after the first hidden layer in training, 0 up to, not including, 1.
        ridge: A kernel ridge on a frozen trunk beside the network (our choice, see `KernelRidge`), which
            `iqa ridge` fits; None for none.

    Raises:
        ValueError: A field is outside of its values.
    """

    backbone: Literal["b0", "lite0", "tiny"] = "b0"
    restoration: Literal["full", "tiny"] = "full"
    residual: bool = True
    stride_in: Literal["first", "last"] = "first"
    head_width: int = 512
    dropout: float = 0.5
    ridge: RidgeConfig | None = None

    def __post_init__(self) -> None:
        check_choices(self)
        if not isinstance(self.residual, bool):
            raise ValueError(f"residual must be true or false, not {self.residual!r}")
        if isinstance(self.dropout, bool) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout!r}")
        if isinstance(self.head_width, bool) or not isinstance(self.head_width, int) or self.head_width < 1:
            raise ValueError(f"head_width must be a whole number from 1, not {self.head_width!r}")
        object.__setattr__(self, "ridge", RidgeConfig.read(self.ridge, trunk=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return plain_fields(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> VCRNetConfig:
        """The config of a card; an unknown field is a ValueError."""
        return from_known_fields(cls, "VCRNet", values)


class VCRNet(WithRidge):
    """Restoration and quality network. Input RGB [N, 3, H, W] in 0 to 1, any H, W from 64 up; output [N],
    MOS on a 0 to 1 scale, not bounded; higher is better."""

    def __init__(self, config: VCRNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or VCRNetConfig()
        self._restoration_frozen = False
        self.restoration = RestorationNet(config.restoration, config.residual)
        # The restored picture takes no part in the score.
        self.restoration.last.requires_grad_(False)
        self.backbone = Trunk(config.backbone)
        finest_first = self.restoration.decoder_widths[::-1]
        self.backbone_reductions = nn.ModuleList(
            Reduction(width, 2, config.stride_in) for width in self.backbone.widths
        )
        self.decoder_reductions = nn.ModuleList(
            Reduction(width, DECODER_STRIDE, config.stride_in) for width in finest_first
        )
        self.head = QualityHead(4 * 2 * 3 * BRANCH_WIDTH, config.head_width, config.dropout)
        self.ridge = None if config.ridge is None else KernelRidge(config.ridge)

    def stage_maps(self, rgb: Tensor) -> list[Tensor]:
        """Q1 to Q4, [N, 144, ceil(H / s), ceil(W / s)] with s = 8, 16, 32, 64."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._restoration_frozen):
            decoded = self.restoration.decode(rgb)[::-1]
        joined = zip(
            self.backbone_reductions, self.backbone(rgb), self.decoder_reductions, decoded, strict=True
        )
        return [torch.cat([reduce_e(e), reduce_d(d)], 1) for reduce_e, e, reduce_d, d in joined]

    def forward(self, rgb: Tensor) -> Tensor:
        """Scores [N] of RGB [N, 3, H, W] in 0 to 1."""
        maps = self.stage_maps(rgb)
        with in_float32(maps[0]):
            scores: Tensor = self.head(torch.cat([q.float().mean((2, 3)) for q in maps], 1)).squeeze(1)
        return scores if self.ridge is None else self.ridge.blend(scores, rgb)

    def forward_with_auxiliary(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [N] and 0: the network has no auxiliary task."""
        return self.forward(rgb), rgb.new_zeros(())

    def pretrained_modules(self) -> list[nn.Module]:
        """Modules that start from learnt features; they train at the lower rate."""
        return [self.backbone, self.restoration]

    def freeze_early(self, stages: int) -> None:
        """Keep what comes first as it is: no gradient, batch norms in evaluation mode.

        Args:
            stages: 0 for nothing, 1 for the restoration network, from 2 on as well the trunk up to its map
                of stride 4, 8, 16.

        Raises:
            ValueError: Not 0 to 4.
        """
        if not 0 <= stages <= FREEZABLE:
            raise ValueError(f"freeze must lie in 0 to {FREEZABLE}, not {stages}")
        self._restoration_frozen = stages > 0
        if stages:
            self.restoration.requires_grad_(False).eval()
        self.backbone.freeze(max(0, stages - 1))

    def train(self, mode: bool = True) -> VCRNet:
        super().train(mode)
        if self._restoration_frozen:
            self.restoration.eval()
        return self
