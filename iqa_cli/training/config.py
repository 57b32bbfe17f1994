"""The settings of a training run: typed, checked when made, saved beside the checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class TrainConfig:
    """How a network is fitted to opinions.

    The loss and the crops are those of the specification; the published protocol's rates (Adam, 2e-5 for the
    backbone and 2e-4 for new modules) suppose an ImageNet backbone and fifty crops a picture, the defaults
    here a distilled start and a handful.

    Attributes:
        network: Name in the registry.
        network_config: Fields of the network's config.
        epochs: Passes over the training part, one random crop a picture each.
        size: Side of the crops.
        batch: Undistorted crops a step, at least 2 (AFF normalises over the batch).
        distorted: Distorted copies added to a step, at most `batch`; they enter the ranking loss alone.
        rate_backbone: Peak learning rate of the modules that start from learnt features.
        rate_new: Peak learning rate of the others.
        weight_decay: Decay of AdamW.
        warmup: Steps of linear warm-up.
        rank_weight: Weight of the ranking loss.
        rank_margin: Margin of the ranking loss per level of distortion, in MOS (0 to 1).
        rank_from: Least MOS of a picture whose crop is distorted; what is bad already need not get worse.
        average: Decay of the moving average of the weights, which is what is validated and kept; 0 for none.
        seed: Seed of crops, order, dropout and new weights.
        precision: "bf16" runs matrix products in bfloat16 (autocast), "fp32" nothing.
    """

    network: str = "mfenet"
    network_config: dict[str, Any] = field(default_factory=dict)
    epochs: int = 6
    size: int = 224
    batch: int = 16
    distorted: int = 4
    rate_backbone: float = 3e-4
    rate_new: float = 1e-3
    weight_decay: float = 0.02
    warmup: int = 100
    rank_weight: float = 0.5
    rank_margin: float = 0.04
    rank_from: float = 0.5
    average: float = 0.995
    seed: int = 0
    precision: Literal["bf16", "fp32"] = "bf16"

    def __post_init__(self) -> None:
        if self.batch < 2 or not 0 <= self.distorted <= self.batch:
            raise ValueError("batch must be at least 2 and distorted between 0 and batch")
        if self.epochs < 1 or self.size < 64 or self.warmup < 0:
            raise ValueError("epochs must be at least 1, size at least 64, warmup not negative")
        if not 0 <= self.average < 1 or min(self.rate_backbone, self.rate_new) <= 0:
            raise ValueError("average must lie in [0, 1) and the learning rates must be positive")
        if self.precision not in ("bf16", "fp32"):
            raise ValueError(f"precision must be bf16 or fp32, not {self.precision!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `config.json` and the card."""
        return asdict(self)
