"""The shape and the losses of a QFM-IQM, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from iqa_cli.networks.config_fields import check_choices, from_known_fields
from iqa_cli.networks.kernel_ridge import RidgeConfig, plain_fields
from iqa_cli.networks.timm_backbone import check_cut, layout_of

#: field -> lowest and highest value
_WHOLE = {
    "stride": (0, 64),
    "levels": (1, 5),
    "width": (8, 4096),
    "heads": (1, 64),
    "queries": (1, 64),
    "mlp_ratio": (1, 16),
    "memory": (1, 2**20),
}
_SHARES = {
    "dropout": (0.0, 0.9),
    "smooth": (1e-6, 10.0),
    "opinion_weight": (0.0, 100.0),
    "noise_weight": (0.0, 100.0),
    "distillation_weight": (0.0, 100.0),
    "noise_strength": (0.0, 100.0),
    "tolerance": (1e-6, 1.0),
}


@dataclass(frozen=True)
class QFMIQMConfig:
    """A QFM-IQM. The defaults are the shipped network's; `PAPER` has the backbone of the paper's group.

    Attributes:
        backbone: Name in timm; "test_efficientnet" and "test_vit" serve tests.
        normalisation: What the backbone's weights expect: "half" (mean and deviation 0.5, EfficientNet-Lite)
            or "imagenet" (means and deviations of ImageNet).
        conv_strides: "torch", or "caffe" for a ResNet whose weights need it.
        stride: Pixels between tokens of the deepest grid, what lies behind is cut off; 0 for the deepest.
        levels: Grids of tokens that the decoder sees: that one and those of the stages before it.
        width: Channels of feature and decoder, a multiple of `heads`.
        heads: Heads of the decoder's attentions.
        queries: Queries of the decoder.
        mlp_ratio: Hidden over outer width of the decoder's MLP.
        dropout: Dropout in the decoder.
        smooth: Difference (MOS, 0 to 1) up to which SmoothL1 is a parabola. At 1 it is half the squared error
            on this scale.
        opinion_weight: Weight of SmoothL1(dec(f), y); 0 turns it off.
        noise_weight: Weight (lambda) of SmoothL1(dec(f + noise), y); 0 turns matching, memory and gate off.
        distillation_weight: Weight (mu) of the loss against a teacher's scores; 0 turns it off.
        noise_strength: Factor on the noise (beta).
        gate: "learnt", "adversarial" or "none"; see `SemanticNoise`.
        partner: "lowest" or "random"; see `SemanticMatching`.
        tolerance: Scores (0 to 1) that differ by less are similar.
        memory: Entries of the memory.
        ridge: A kernel ridge on a frozen trunk beside the network (our choice, see `KernelRidge`), which
            `iqa ridge` fits; None for none.

    Raises:
        ValueError: A field is outside of its values, or the backbone has no such grids.
    """

    backbone: str = "tf_efficientnet_lite2"
    normalisation: Literal["half", "imagenet"] = "half"
    conv_strides: Literal["torch", "caffe"] = "torch"
    stride: int = 0
    levels: int = 1
    width: int = 384
    heads: int = 6
    queries: int = 6
    mlp_ratio: int = 4
    dropout: float = 0.1
    smooth: float = 0.1
    opinion_weight: float = 1.0
    noise_weight: float = 1.0
    distillation_weight: float = 1.0
    noise_strength: float = 0.3
    gate: Literal["learnt", "adversarial", "none"] = "learnt"
    partner: Literal["lowest", "random"] = "lowest"
    tolerance: float = 0.05
    memory: int = 4096
    ridge: RidgeConfig | None = None

    def __post_init__(self) -> None:
        check_choices(self)
        for name, (low, high) in {**_WHOLE, **_SHARES}.items():
            self._check_number(name, low, high)
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads ({self.heads}), not {self.width}")
        if not (self.opinion_weight or self.noise_weight or self.distillation_weight):
            raise ValueError("the weights of all losses are 0: nothing would be learnt")
        if not isinstance(self.backbone, str):
            raise ValueError(f"backbone must be a name, not {self.backbone!r}")
        check_cut(self.backbone, self.stride, self.levels)
        if self.conv_strides == "caffe" and not layout_of(self.backbone).bottlenecks:
            raise ValueError(f"conv_strides=caffe is for a ResNet of bottlenecks, not {self.backbone}")
        object.__setattr__(self, "ridge", RidgeConfig.read(self.ridge, trunk=True))

    def _check_number(self, name: str, low: float, high: float) -> None:
        value, kinds = getattr(self, name), int if name in _WHOLE else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            what = "a whole number" if name in _WHOLE else "a finite number"
            raise ValueError(f"{name} must be {what}, not {value!r}")
        if not low <= value <= high:
            raise ValueError(f"{name} must lie between {low:g} and {high:g}, not {value:g}")
        if name in _SHARES:  # equal settings are written equally
            object.__setattr__(self, name, float(value))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return plain_fields(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> QFMIQMConfig:
        """The config of a card; an unknown field is a ValueError."""
        return from_known_fields(cls, "QFM-IQM", values)


#: The network of the paper's group, as far as it is known: DeiT-III ViT-S/16. Its ImageNet weights are to be
#: brought as timm's safetensors file.
PAPER = {"backbone": "deit3_small_patch16_224", "normalisation": "imagenet"}
