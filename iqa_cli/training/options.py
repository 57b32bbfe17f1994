"""What `iqa train` is asked to train on and from, typed. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from iqa_cli.training.fields import check_fields, number
from iqa_cli.training.presets import DEFAULT

#: Starts whose photographs a further option names, --KEY-pristine.
SEEN_STARTS = ("qen", "dan", "restoration")
#: Share of the pictures that chooses in each of several splits. With the usual share for measuring, the parts
#: are those that `iqa data split` draws.
SPLITS_CHOOSE_SHARE = 0.1


@dataclass(frozen=True)
class RunOptions:
    """What is trained on and from; the table `[run]`, whose keys are the long flags of `iqa train`.

    Attributes:
        preset: Key of `iqa_cli.training.presets.PRESETS`.
        data: Databases, the first of which gives the scale of the scores.
        root: Folder of the one database, or NAME=DIR for each.
        order: Those of them of which only the order of the opinions counts.
        range: Lowest and highest score of a csv.
        split_file: Files of `iqa data split`, at most one for a database.
        fit: Part that is fitted; with `splits`, the part that is divided.
        choose: Part that chooses and calibrates.
        choose_share: Share of what is fitted that is held out to choose on; with `splits`, of all pictures,
            `SPLITS_CHOOSE_SHARE` if not given.
        splits: Random splits to train and measure on; 0 for one training on the parts as they are.
        test_share: Share of the pictures that each of these splits measures on.
        start: Finished weights to go on from, the mean of them; one that is named twice counts twice.
        qen: Start of an MFE-Net's QEN.
        dan: Start of its DAN made by `iqa pretrain dan`.
        resnet50: ImageNet start of its DAN.
        qen_pristine: Photographs that the start `qen` has seen.
        dan_pristine: Photographs that the start `dan` has seen.
        backbone: Start of the backbone of another network, or of a QEN that is no VAN: a name or a file.
        restoration: Start of a VCRNet's restoration network.
        restoration_pristine: Photographs that the start `restoration` has seen.
        teacher: Finished weights; the mean of their scores of the pictures in `unlabelled` is learnt as well.
        unlabelled: Their folder.
        soft: File of scores of the pictures that are fitted, for `soft_share` of the settings.
        soft_range: Scores in it that stand for the lowest and the highest opinion; 0 and 100 if not given.
        name: Name of the finished weight; the network's if not given.

    Raises:
        ValueError: A field is of the wrong type or out of its range, or two contradict each other.
    """

    preset: str = DEFAULT
    data: list[str] = field(default_factory=lambda: ["biq2021"])
    root: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    range: list[float] | None = None
    split_file: list[str] = field(default_factory=list)
    fit: str | None = None
    choose: str | None = None
    choose_share: float | None = None
    splits: int = number(0, at_least=0, at_most=1000)
    test_share: float = number(0.2, above=0, below=1)
    start: list[str] = field(default_factory=list)
    qen: str | None = None
    dan: str | None = None
    resnet50: str | None = None
    qen_pristine: str | None = None
    dan_pristine: str | None = None
    backbone: str | None = None
    restoration: str | None = None
    restoration_pristine: str | None = None
    teacher: list[str] = field(default_factory=list)
    unlabelled: str | None = None
    soft: str | None = None
    soft_range: list[float] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for key in ("data", "root", "order", "split_file", "start", "teacher"):
            if not all(isinstance(entry, str) and entry for entry in getattr(self, key)):
                raise ValueError(f"{key} must be a list of texts")
        for key in ("range", "soft_range"):
            if getattr(self, key) is not None and not _is_range(getattr(self, key)):
                raise ValueError(f"{key} must be the lowest and the highest score, two numbers")
        if not self.data:
            raise ValueError("data names no database")
        for refused, why in self._contradictions():
            if refused:
                raise ValueError(why)

    def _contradictions(self) -> list[tuple[Any, str]]:
        return [
            *(
                (
                    getattr(self, f"{key}_pristine") and not getattr(self, key),
                    f"--{key}-pristine says what the start --{key} has seen, which is not given",
                )
                for key in SEEN_STARTS
            ),
            (
                bool(self.teacher) != bool(self.unlabelled),
                "--teacher WEIGHT and --unlabelled DIR belong together: who scores, and what",
            ),
            (len(set(self.teacher)) < len(self.teacher), "--teacher names a weight twice"),
            (
                self.soft_range and not self.soft,
                "--soft-range is of the scores of --soft, which is not given",
            ),
            (
                self.soft_range and self.soft_range[0] >= self.soft_range[1],
                "--soft-range goes from the lowest to the highest score, higher is better",
            ),
            (set(self.order) - set(self.data), "--order names a database that --data does not"),
            (self.data[0] in self.order, "the first --data gives the scale; --order is for further ones"),
            (self.start and self.qen, "--start holds a QEN already; leave --qen out"),
            (
                self.qen and self.backbone,
                "--qen and --backbone exclude each other: a VAN, or a network in its place",
            ),
            (self.start and self.restoration, "--start holds it already; leave --restoration out"),
            (self.dan and self.resnet50, "--dan and --resnet50 exclude each other"),
            (self.splits and self.choose, "--splits draws its own part to choose on; leave --choose out"),
            (self.splits and self.split_file, "--splits draws its own splits; leave --split-file out"),
            (
                self.splits and not 0 < self.drawn_shares["train"] < 1,
                "--test-share and --choose-share leave nothing to fit",
            ),
        ]

    @property
    def drawn_shares(self) -> dict[str, float]:
        """Part -> share of the pictures, of each of several splits."""
        choose = SPLITS_CHOOSE_SHARE if self.choose_share is None else self.choose_share
        return {"train": round(1 - choose - self.test_share, 9), "calib": choose, "test": self.test_share}

    @property
    def start_of_dan(self) -> str | None:
        """The kind of start of the distortion branch: "imagenet", "contrastive", "weight" or None."""
        return (
            "imagenet" if self.resnet50 else "contrastive" if self.dan else "weight" if self.start else None
        )

    def kind_of(self, name: str) -> Literal["mos", "order"]:
        """Whether the opinions of a database are a scale or an order."""
        return "order" if name in self.order else "mos"

    def name_for(self, network: str) -> str:
        """Name of the finished weight of a network."""
        return network if self.name is None else self.name

    def path(self, key: str) -> Path | None:
        """A field that names a file or folder."""
        value = getattr(self, key)
        return None if value is None else Path(value)


def _is_range(values: list[Any]) -> bool:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return len(values) == len(numbers) == 2 and all(map(math.isfinite, numbers))
