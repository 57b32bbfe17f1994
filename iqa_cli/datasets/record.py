"""The normalised record of a labelled picture, and the small class that every database becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One labelled picture.

    Attributes:
        path: Where the file is.
        name: Its name inside the database, which labels and splits use.
        mos: Opinion score scaled to 0 to 1 by the database's declared range, higher is better.
        raw: The score as the database prints it.
        group: Pictures of one group (same reference, or near-duplicates) never part in a split.
        ref: Name of the reference picture, for synthetic databases.
        distortion: Type of distortion, where known.
        level: Level of distortion, where known.
        split: Part given by the database or its CSV ("train", "calib", "val", "test"), where there is one.
        subset: A named subset of the database, where it has any.
        deviation: Standard deviation of the opinions about their mean (not of the mean), on the scale of
            `mos`; None where it is not published.
    """

    path: Path
    name: str
    mos: float
    raw: float
    group: str
    ref: str | None = None
    distortion: str | None = None
    level: int | None = None
    split: str | None = None
    subset: str | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class Database:
    """A database as read: its declared facts and its records in the order of their names.

    Attributes:
        name: Key on the command line.
        records: All labelled pictures, sorted by name.
        low: Lowest score of the declared range.
        high: Highest score of the declared range.
        higher_is_better: Direction of `raw`.
        left_out: Files of the database that its labels name and that are no labelled pictures: the
            undistorted copies in LIVE, the training pictures of the LIVE Challenge.
    """

    name: str
    records: tuple[ImageRecord, ...]
    low: float
    high: float
    higher_is_better: bool = True
    left_out: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls, facts: DatabaseFacts, records: Iterable[ImageRecord], left_out: Iterable[Path] = ()
    ) -> Database:
        """A database with published facts, its records sorted by name."""
        return cls(
            facts.name,
            tuple(sorted(records, key=lambda record: record.name)),
            facts.low,
            facts.high,
            facts.higher_is_better,
            tuple(left_out),
        )

    def part(self, *splits: str) -> tuple[ImageRecord, ...]:
        """The records of the named parts; "all" is every record.

        Raises:
            DatasetError: No record carries one of those names.
        """
        if splits == ("all",):
            return self.records
        for split in splits:
            if not any(r.split == split for r in self.records):
                known = ", ".join(sorted({r.split for r in self.records if r.split})) or "none"
                raise DatasetError(f"{self.name} has no part {split!r}", hint=f"parts: {known}")
        return tuple(r for r in self.records if r.split in splits)

    def measuring_part(self) -> str:
        """The part to measure on where none is named: "val", else "test", else "all".

        With parts that say which pictures were for training, figures on all of them would flatter.
        """
        splits = {r.split for r in self.records}
        return next((split for split in ("val", "test") if split in splits), "all")

    def check_pictures(self, records: Sequence[ImageRecord]) -> None:
        """Look for the files of records before hours go into them.

        Raises:
            DatasetError: Some are missing; it names the first ones and says how many.
        """
        missing = [r.name for r in records if not _is_there(r.path)]
        if missing:
            named = ", ".join(one_line(name) for name in missing[:3])
            more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
            raise DatasetError(
                f"{self.name}: {len(missing):,} of {len(records):,} pictures are missing: {named}{more}",
                hint=f"looked for {one_line(next(r.path for r in records if r.name == missing[0]))}",
            )


def split_hash(records: Iterable[ImageRecord]) -> str:
    """SHA-256, as 16 hex digits, over the sorted lines "part TAB name": the identity of a split, whatever
    the order."""
    lines = sorted(f"{r.split}\t{r.name}" for r in records)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _is_there(path: Path) -> bool:
    """Whether a file is there; one that may not be looked at counts as missing."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
