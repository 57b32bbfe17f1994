"""A timm network in the place of MFE-Net's VAN: our choice, since no ImageNet weights of a VAN can be had.

Licence of this file: that of the project; the networks are timm's (Apache-2.0).
"""

from __future__ import annotations

from torch import Tensor

from iqa_cli.networks.numbers import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    NORMALISATIONS,
    in_float32,
    register_channels,
)
from iqa_cli.networks.timm_backbone import Backbone, check_cut, layout_of

#: Pixels between neighbours of the four maps, as of a VAN and a ResNet-50.
STRIDES = (4, 8, 16, 32)


class TimmQEN(Backbone):
    """The four deepest maps of a timm network, taken as `VAN.stages` is.

    Args:
        name: Name in timm; random weights.
        normalisation: What its weights expect, a key of `NORMALISATIONS`.

    Raises:
        ValueError: As `check_pyramid`.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, name: str, normalisation: str) -> None:
        check_pyramid(name)
        super().__init__(name, levels=len(STRIDES))
        mean, std = NORMALISATIONS[normalisation]
        # What comes in is normalised for ImageNet, as the other branches need it.
        factor = tuple(have / want for have, want in zip(IMAGENET_STD, std, strict=True))
        shift = tuple((h - w) / s for h, w, s in zip(IMAGENET_MEAN, mean, std, strict=True))
        register_channels(self, factor=factor, shift=shift)

    def stages(self, x: Tensor) -> list[Tensor]:
        """F1 to F4 of RGB [N, 3, H, W] normalised for ImageNet, [N, widths_i, ceil(H / s), ceil(W / s)] with
        s = 4, 8, 16, 32."""
        if x.device.type != "cpu":
            return self.maps(x * self.factor + self.shift)
        # There the gradients of depthwise convolutions take twice as long in bfloat16.
        with in_float32(x):
            return self.maps(x.float() * self.factor + self.shift)


def check_pyramid(name: str) -> None:
    """See that a timm network has maps at strides 4, 8, 16, 32.

    Raises:
        ValueError: It has not, or there is no such network.
    """
    strides = layout_of(name).strides
    if strides[-len(STRIDES) :] != STRIDES:
        have = ", ".join(map(str, strides))
        raise ValueError(f"backbone {name!r} has strides {have}; those of the four branches are 4, 8, 16, 32")
    check_cut(name, 0, len(STRIDES))
