"""What a MFE-Net is made of: the fields of its config, their values, and how a card has them.

What is published of each part and what is our choice stands at the head of `iqa_cli.networks.mfenet`.
Licence of this file: that of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from iqa_cli.networks.config_fields import check_choices, from_known_fields
from iqa_cli.networks.kernel_ridge import RidgeConfig, plain_fields
from iqa_cli.networks.timm_qen import check_pyramid
from iqa_cli.networks.van import VAN_SIZES


@dataclass(frozen=True)
class MFENetConfig:
    """The network's shape; each field past `van` is an ablation of the specification.

    Attributes:
        van: Size of the QEN's VAN: "b0" is the start's, "b1" to "b3" are larger, "tiny" serves tests.
        backbone: A timm network that is the QEN in place of the VAN (our choice, see `TimmQEN`), or "".
        normalisation: What the weights of that network expect: "half" (mean and deviation 0.5,
            EfficientNet-Lite) or "imagenet".
        dan: "contrastive", "imagenet" (the start the ResNet-50 was given) or "none" (no distortion branch).
        dan_strides: "caffe" or "torch", as the ResNet-50's weights need it.
        fusion: How P enters F: "aff", "add" or "concat".
        ffm: Whether the FFM brings in the high-frequency maps; without it they are added.
        hfen: "octave", "laplacian" or "none" (no high-frequency branch, no FFM).
        auxiliary_weight: Weight of the high-frequency task in the loss; 0 turns it off.
        head_width: Width of the two hidden layers of the head.
        dropout: Dropout after the first hidden layer, 0 up to, not including, 1.
        pooling: What the head reads of each map: "mean", or "mean-std" for mean and standard deviation over
            the positions (our choice; the specification has the mean).
        distortions: Types that a head on the DAN names, in the order of its weights; () for no such head.
        distortion_stages: Stages of the DAN that this head reads, "all" or "last".
        distortion_head: "nominal" has a class for every level (`DistortionHead`), "ordinal" reads statistics
            of the pixels as well and puts the levels of a type on a line (`OrdinalHead`).
        ridge: A kernel ridge on the DAN's maps beside the network (our choice, see `KernelRidge`), which
            `iqa ridge` fits; None for none.

    Raises:
        ValueError: A field is outside of its values.
    """

    van: str = "b0"
    backbone: str = ""
    normalisation: Literal["half", "imagenet"] = "half"
    dan: Literal["contrastive", "imagenet", "none"] = "contrastive"
    dan_strides: Literal["torch", "caffe"] = "torch"
    fusion: Literal["aff", "add", "concat"] = "aff"
    ffm: bool = True
    hfen: Literal["octave", "laplacian", "none"] = "octave"
    auxiliary_weight: float = 0.1
    head_width: int = 512
    dropout: float = 0.5
    pooling: Literal["mean", "mean-std"] = "mean"
    distortions: tuple[str, ...] = ()
    distortion_stages: Literal["all", "last"] = "all"
    distortion_head: Literal["nominal", "ordinal"] = "nominal"
    ridge: RidgeConfig | None = None

    def __post_init__(self) -> None:
        if self.van not in VAN_SIZES:
            raise ValueError(f"van must be one of {', '.join(VAN_SIZES)}, not {self.van!r}")
        if self.backbone:
            check_pyramid(self.backbone)
        check_choices(self)
        if not isinstance(self.ffm, bool):
            raise ValueError(f"ffm must be true or false, not {self.ffm!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout!r}")
        if self.auxiliary_weight < 0 or self.head_width < 1:
            raise ValueError("auxiliary_weight must not be negative and head_width must be at least 1")
        self._check_distortions()
        object.__setattr__(self, "ridge", RidgeConfig.read(self.ridge, trunk=False))
        if self.ridge is not None and self.dan == "none":
            raise ValueError("the ridge reads the DAN, and the config says dan=none")

    def _check_distortions(self) -> None:
        if isinstance(self.distortions, list):  # as JSON has it
            object.__setattr__(self, "distortions", tuple(self.distortions))
        names = self.distortions
        if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"distortions must be a list of names, not {names!r}")
        if len(set(names)) != len(names):
            raise ValueError("distortions must not name a type twice")
        if names and self.dan == "none":
            raise ValueError("distortions need the DAN, and the config says dan=none")
        if self.distortion_head == "ordinal" and self.distortion_stages != "all":
            raise ValueError("an ordinal head reads all stages (distortion_stages=all)")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card; without what a network has not, as cards were before it was there."""
        values = {**plain_fields(self), "distortions": list(self.distortions)}
        del values["van" if self.backbone else "backbone"]
        if not self.backbone:
            del values["normalisation"]
        if not self.distortions:
            del values["distortions"], values["distortion_stages"]
        if not self.distortions or self.distortion_head == "nominal":
            del values["distortion_head"]
        if self.ridge is not None:
            del values["ridge"]["trunk"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MFENetConfig:
        """The config of a card; an unknown field is a ValueError."""
        return from_known_fields(cls, "MFE-Net", values)
