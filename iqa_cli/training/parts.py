"""The two parts of a database that training uses: what is fitted, and what chooses. They share nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.splits import hold_out
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.text import one_line

Records: TypeAlias = tuple[ImageRecord, ...]


@dataclass(frozen=True)
class Source:
    """A database and what a training takes of it.

    Attributes:
        database: As read.
        fit: Pictures that are fitted.
        choose: Pictures that choose the epoch and calibrate.
        kind: "mos", or "order" where only the order of its opinions counts.
    """

    database: Database
    fit: Records
    choose: Records
    kind: Literal["mos", "order"] = "mos"


def choose_parts(
    database: Database, fit: str | None, choose: str | None, share: float | None, seed: int
) -> tuple[Records, Records]:
    """The pictures to fit and those to choose on.

    Args:
        database: As read.
        fit: Part to fit; None for "train", or for everything where the database has no parts and `share`
            says how to make two of it.
        choose: Part to choose on; None for "calib", or for "val" of a database that has no "calib" and keeps
            a "test" besides, unless `share` is given.
        share: Share of `fit` that is held out to choose on, whole groups only.
        seed: Seed of the draw.

    Raises:
        UsageError: `choose` and `share` together, or a part that is everything.
        DatasetError: There is no such part, or the two have pictures or groups in common.
    """
    if share is not None and choose is not None:
        raise UsageError("--choose and --choose-share exclude each other")
    if "all" in (fit, choose):
        option = "--fit" if fit == "all" else "--choose"
        raise UsageError(
            f"{option} all: nothing would be left to choose on, or to report on",
            hint="name a part; a database without parts is divided by --choose-share alone",
        )
    undivided = not any(r.split for r in database.records)
    if undivided and share is None:
        raise DatasetError(
            f"{database.name} has no part {fit or 'train'!r}",
            hint="it has no parts; --choose-share 0.2 fits all but a fifth, which chooses and calibrates",
        )
    whole = fit is None and undivided
    fitted = database.records if whole else database.part(fit or "train")
    if share is not None:
        return hold_out(fitted, share, seed)
    chosen = database.part(choose or _usual_choice(database))
    check_disjoint(fitted, chosen)
    return fitted, chosen


def _usual_choice(database: Database) -> str:
    """The part that chooses where none is named: never the one that figures are reported on."""
    parts = {record.split for record in database.records}
    return "val" if "calib" not in parts and {"val", "test"} <= parts else "calib"


def check_disjoint(fit: Sequence[ImageRecord], choose: Sequence[ImageRecord]) -> None:
    """See that no picture, and no group of near-duplicates, is in both parts.

    Raises:
        DatasetError: One is; the message names the first.
    """
    files, groups = {r.path.resolve() for r in fit}, {r.group for r in fit}
    common = [r for r in choose if r.group in groups or r.path.resolve() in files]
    if common:
        raise DatasetError(
            f"{len(common)} of {len(choose)} pictures to choose on are also fitted, or of a group that is; "
            f"the first: {one_line(common[0].name)!r} (group {one_line(common[0].group)!r})",
            hint="take parts that share no group, or --choose-share instead of --choose",
        )
