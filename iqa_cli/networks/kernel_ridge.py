"""A kernel ridge on frozen features, whose value is a share of a network's score.

Our own, and published of none of the three systems: what a network learns from opinions and what a ridge
reads from features that never met one are wrong in different places (docs/experiments.md).

    z = A clip((v - m) / s)           v: means and deviations of frozen maps;  z: few directions of them
    r(v) = o + sum_j a_j exp(-|z - c_j|^2 / w)                     score = (1 - share) network + share r

The landmarks c_j stand for the pictures that it was fitted to (Nystroem: Williams and Seeger, NIPS 2000), so
that neither file nor time grows with them. `iqa_cli.training.ridge_fit` fits it; a training that starts from
such a weight leaves it behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from iqa_cli.networks.efficientnet_lite import LITES
from iqa_cli.networks.numbers import CUT_OFF, NORMALISATIONS, in_float32, register_channels
from iqa_cli.networks.registry import RIDGE
from iqa_cli.networks.timm_backbone import Backbone

#: Maps that are read of a trunk, one a stride.
_TRUNK_LEVELS = 5

#: Of a crop of 224 pixels a trunk's last maps are then still two positions wide.
MOST_REDUCED = 4


@dataclass(frozen=True)
class RidgeConfig:
    """The shape of a ridge, and its share.

    Attributes:
        landmarks: Number of the c_j.
        components: Length of z.
        share: Of the ridge in a score, 0 to 1.
        trunk: A frozen EfficientNet-Lite that it reads, by its name in timm; "" where the network has frozen
            maps of its own.
        reduce: The trunk sees a crop at this fraction of its side: 1 all, 2 half of it. A whole number.

    Raises:
        ValueError: A field is outside of its values.
    """

    landmarks: int = 2048
    components: int = 48
    share: float = 0.2
    trunk: str = ""
    reduce: int = 1

    def __post_init__(self) -> None:
        for name, most in (("landmarks", 2**16), ("components", 2**16), ("reduce", MOST_REDUCED)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} of a ridge must be a whole number from 1 to {most}, not {value!r}")
        share = self.share
        if isinstance(share, bool) or not isinstance(share, int | float) or not math.isfinite(share):
            raise ValueError(f"share of a ridge must be a finite number, not {share!r}")
        if not 0 <= share <= 1:
            raise ValueError(f"share of a ridge must lie in 0 to 1, not {share:g}")
        if self.trunk and self.trunk not in LITES:
            raise ValueError(f"trunk of a ridge must be one of {', '.join(LITES)}, not {self.trunk!r}")
        if self.reduce > 1 and not self.trunk:
            raise ValueError("reduce of a ridge is of its trunk, and it has none")

    @classmethod
    def read(cls, value: Any, *, trunk: bool) -> RidgeConfig | None:
        """The field `ridge` of a network's config, as a card or a program gives it.

        Args:
            value: None, a `RidgeConfig`, or its fields by name.
            trunk: Whether it needs a trunk; otherwise it must have none.

        Raises:
            ValueError: It is none of these.
        """
        if value is None:
            return None
        if isinstance(value, dict):
            try:
                value = cls(**value)
            except TypeError:
                raise ValueError(f"unknown field of a ridge among {', '.join(map(str, value))}") from None
        if not isinstance(value, cls):
            raise ValueError(f"ridge is what iqa ridge fits, not {value!r}")
        if bool(value.trunk) != trunk:
            raise ValueError(
                "the ridge of this network needs a trunk"
                if trunk
                else "the ridge of this network has no trunk"
            )
        return value


def pooled_maps(maps: Sequence[Tensor]) -> Tensor:
    """Means of maps [N, C_i, H_i, W_i] over the positions, then their standard deviations, float32
    [N, 2 * (C_1 + ... + C_k)]."""
    means, deviations = [], []
    for d in maps:
        # Sums over rows of channels, which is how the maps lie in memory on a CPU.
        rows = d.float().permute(0, 2, 3, 1).flatten(1, 2)
        mean = rows.mean(1)
        means.append(mean)
        deviations.append((rows.square().mean(1) - mean.square()).clamp(min=0).add(1e-6).sqrt())
    return torch.cat([*means, *deviations], 1)


class KernelRidge(nn.Module):
    """The fitted function; no gradient reaches it. Before it is filled it gives 0.

    Args:
        config: Its shape.
        widths: Channels of the maps that it reads, where it has no trunk.
    """

    mean: Tensor
    gain: Tensor
    axes: Tensor
    landmarks: Tensor
    values: Tensor
    offset: Tensor
    width: Tensor
    trunk_mean: Tensor
    trunk_std: Tensor

    def __init__(self, config: RidgeConfig, widths: Sequence[int] = ()) -> None:
        super().__init__()
        self.share = float(config.share)
        self.reduce = config.reduce
        self.trunk: Backbone | None = None
        if config.trunk:
            self.trunk = Backbone(config.trunk, levels=_TRUNK_LEVELS)
            widths = self.trunk.widths
            mean, std = NORMALISATIONS["half"]
            register_channels(self, trunk_mean=mean, trunk_std=std)
        features = 2 * sum(widths)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("gain", torch.ones(features))
        self.register_buffer("axes", torch.zeros(config.components, features))
        self.register_buffer("landmarks", torch.zeros(config.landmarks, config.components))
        self.register_buffer("values", torch.zeros(config.landmarks))
        self.register_buffer("offset", torch.zeros(1))
        self.register_buffer("width", torch.ones(1))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> KernelRidge:
        super().train(False)
        return self

    def features(self, rgb: Tensor, maps: Sequence[Tensor] | None = None) -> Tensor:
        """What the ridge reads of crops, [N, F], float32.

        Args:
            rgb: [N, 3, H, W] in 0 to 1.
            maps: Of the network, where the ridge has no trunk.
        """
        with torch.no_grad():
            if self.trunk is not None:
                if self.reduce > 1:
                    rgb = avg_pool2d(rgb, self.reduce)
                maps = self.trunk.maps((rgb - self.trunk_mean) / self.trunk_std)
            assert maps is not None
            with in_float32(rgb):
                return pooled_maps(maps)

    def fitted(self) -> dict[str, Tensor]:
        """What fitting fills: the state without the trunk."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith("trunk.")}

    def standard(self, features: Tensor) -> Tensor:
        """Features [N, F], standardised."""
        return ((features - self.mean) * self.gain).clamp(-CUT_OFF, CUT_OFF)

    def forward(self, features: Tensor) -> Tensor:
        """Values [N] of features [N, F], MOS on a 0 to 1 scale, not bounded."""
        with torch.no_grad(), in_float32(features):
            z = self.standard(features.float()) @ self.axes.T
            near = kernel(z, self.landmarks, self.width)
            # The terms are large and of both signs: in float32 their sum would hang on the batch.
            return (near.double() @ self.values.double()).float() + self.offset

    def blend(self, scores: Tensor, rgb: Tensor, maps: Sequence[Tensor] | None = None) -> Tensor:
        """A network's scores [N] and the ridge's of the same crops in their shares; arguments as of
        `features`."""
        return (1 - self.share) * scores + self.share * self(self.features(rgb, maps))


class WithRidge(nn.Module):
    """A network that may have a ridge beside it: `ridge`, or None."""

    ridge: KernelRidge | None

    def ridge_features(self, rgb: Tensor) -> Tensor:
        """What the ridge reads of RGB [N, 3, H, W] in 0 to 1, [N, F].

        Raises:
            ValueError: The network has no ridge.
        """
        if self.ridge is None:
            raise ValueError("this network has no ridge")
        return self.ridge.features(rgb, self.ridge_maps(rgb))

    def ridge_maps(self, rgb: Tensor) -> Sequence[Tensor] | None:
        """Frozen maps of the network that its ridge reads; None where that has a trunk."""
        return None


def kernel(z: Tensor, landmarks: Tensor, width: Tensor | float) -> Tensor:
    """exp(-|z_i - c_j|^2 / w) for z [N, C] and c [M, C], [N, M]."""
    squares = z.square().sum(1, keepdim=True) + landmarks.square().sum(1) - 2 * z @ landmarks.T
    return torch.exp(-squares.clamp(min=0) / width)


def without_ridge(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a network but for its ridge."""
    return {name: value for name, value in state.items() if not name.startswith(f"{RIDGE}.")}


def plain_fields(config: Any) -> dict[str, Any]:
    """The fields of a network's config as plain values for a card, a ridge only where there is one: as cards
    were before."""
    values = asdict(config)
    if values[RIDGE] is None:
        del values[RIDGE]
    return values
