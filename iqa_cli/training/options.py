"""What `iqa train` is asked to do, typed: defaults, then a preset, then a config file, then the flags.

Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from iqa_cli.errors import UsageError
from iqa_cli.networks.registry import NETWORKS
from iqa_cli.text import one_line
from iqa_cli.training.beginning import refuse_foreign
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.configfile import read_config_file
from iqa_cli.training.fields import check_fields, check_known, nearest, number
from iqa_cli.training.presets import DEFAULT, Preset, preset

_SETTINGS = {entry.name for entry in fields(TrainConfig)} - {"network", "network_config"}
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
        start: Finished weight to go on from.
        qen: Start of an MFE-Net's QEN.
        dan: Start of its DAN made by `iqa pretrain dan`.
        resnet50: ImageNet start of its DAN.
        qen_pristine: Photographs that the start `qen` has seen.
        dan_pristine: Photographs that the start `dan` has seen.
        backbone: ImageNet start of the backbone of another network: a name or a file.
        restoration: Start of a VCRNet's restoration network.
        restoration_pristine: Photographs that the start `restoration` has seen.
        teacher: Finished weight whose scores of the pictures in `unlabelled` a QFM-IQM learns as well.
        unlabelled: Their folder.
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
    start: str | None = None
    qen: str | None = None
    dan: str | None = None
    resnet50: str | None = None
    qen_pristine: str | None = None
    dan_pristine: str | None = None
    backbone: str | None = None
    restoration: str | None = None
    restoration_pristine: str | None = None
    teacher: str | None = None
    unlabelled: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for key in ("data", "root", "order", "split_file"):
            if not all(isinstance(entry, str) and entry for entry in getattr(self, key)):
                raise ValueError(f"{key} must be a list of texts")
        if self.range is not None and not _is_range(self.range):
            raise ValueError("range must be the lowest and the highest score, two numbers")
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
            (set(self.order) - set(self.data), "--order names a database that --data does not"),
            (self.data[0] in self.order, "the first --data gives the scale; --order is for further ones"),
            (self.start and self.qen, "--start holds a QEN already; leave --qen out"),
            (self.start and self.backbone, "--start holds a backbone already; leave --backbone out"),
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


@dataclass(frozen=True)
class Request:
    """A run as asked for, before its starts are opened.

    Attributes:
        run: The table `[run]`.
        network: Name of the network.
        settings: Fields of `TrainConfig` that are not at their default.
        preset_fields: What the preset says of the network's config; a start's own config goes before it.
        fields: What the config file and the flags say of it.
    """

    run: RunOptions
    network: str
    settings: dict[str, Any]
    preset_fields: dict[str, Any]
    fields: dict[str, Any]


def resolve(
    file: Path | None,
    flags: Mapping[str, Any],
    network: str | None,
    settings: Mapping[str, Any],
    net: Mapping[str, Any],
) -> Request:
    """Lay preset, config file and flags over each other.

    Args:
        file: A config file, or None.
        flags: Fields of `RunOptions` that were given as flags.
        network: The argument, None where it was left out.
        settings: Values of `--set`.
        net: Values of `--net`.

    Raises:
        UsageError: The file cannot be used, a name is unknown, or a value does not fit.
    """
    tables = read_config_file(file) if file is not None else {}
    told = f"--config {one_line(file)}" if file is not None else "--config"
    written = dict(tables.get("run", {}))
    check_known(RunOptions, written, f"{told} [run]")
    run = _run_options(written, flags, f"{told} [run]")
    chosen = preset(run.preset)
    in_file = dict(tables.get("network", {}))
    named = in_file.pop("name", None)
    if named is not None and not isinstance(named, str):
        raise UsageError(f"{told} [network]: name must be a text")
    trained = dict(tables.get("train", {}))
    for key in ("network", "network_config"):
        if key in trained:
            raise UsageError(
                f"{told} [train]: {key} is not a setting",
                hint="it has a table, [network]",
            )
    check_known(TrainConfig, trained, f"{told} [train]")
    _check_settings({**chosen.settings, **trained}, settings, f"{told} [train]")
    wanted = network or named or "mfenet"
    if wanted not in NETWORKS:
        raise UsageError(f"there is no network {wanted!r}", hint=nearest(wanted, NETWORKS))
    refuse_foreign(wanted, run)
    if run.preset != written.get("preset", DEFAULT) and _is_hidden(wanted, chosen, trained, in_file):
        raise UsageError(
            f"--preset {run.preset} would change nothing: {told} gives all of its settings",
            hint="leave one of the two out, or take the settings that the preset should give out of the file",
        )
    return Request(
        run=run,
        network=wanted,
        settings={**chosen.settings, **trained, **settings},
        preset_fields=dict(chosen.network),
        fields={**_frozen(in_file), **net},
    )


def _run_options(written: Mapping[str, Any], flags: Mapping[str, Any], told: str) -> RunOptions:
    """The table `[run]` with the flags over it; it is checked as a whole, since a flag may complete or change
    what the file says.

    Raises:
        UsageError: A value does not fit, or two contradict each other: of the file, where it says so alone.
    """
    try:
        run = RunOptions(**{**written, **flags})
    except ValueError as error:
        if written and _complaint(RunOptions, written) == str(error):
            raise UsageError(f"{told}: {one_line(str(error))}") from None
        raise UsageError(_as_flag(str(error))) from None
    if "test_share" in flags and not run.splits:
        raise UsageError(
            "--test-share is the share that --splits N measures on",
            hint="give --splits too; without, a part for the test is of iqa data split and --split-file",
        )
    return run


def _check_settings(below: Mapping[str, Any], settings: Mapping[str, Any], told: str) -> None:
    """See that preset and file with `--set` over them fit; what is wrong with `--set` is told later.

    Raises:
        UsageError: A value of the file does not fit.
    """
    complaint = _complaint(TrainConfig, below)
    if complaint and complaint == _complaint(TrainConfig, {**below, **settings}):
        raise UsageError(f"{told}: {one_line(complaint)}")


def _complaint(config: type, values: Mapping[str, Any]) -> str | None:
    """What a config says of values that it does not take; None of those it takes."""
    try:
        config(**values)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _is_hidden(network: str, chosen: Preset, trained: Mapping[str, Any], in_file: Mapping[str, Any]) -> bool:
    """Whether a file's tables give all that a preset would: the card would name one that changed nothing."""
    if not trained or not set(chosen.settings or _SETTINGS) <= set(trained):
        return False
    if not chosen.network:
        return True
    from iqa_cli.networks.registry import config_class  # here, since it imports torch

    return set(chosen.network) & set(config_class(network).__dataclass_fields__) <= set(in_file)


def _is_range(values: list[Any]) -> bool:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return len(values) == len(numbers) == 2 and all(map(math.isfinite, numbers))


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as tuples, which the configs of networks have."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _as_flag(message: str) -> str:
    """What a check says of a field, with the field as its flag."""
    word, space, rest = message.partition(" ")
    known = {entry.name for entry in fields(RunOptions)}
    return f"--{word.replace('_', '-')}{space}{rest}" if word in known else message
