"""What is measured, as columns: the opinions of a part of a database, and what one scorer says of it.

Columns, not a record a picture, because a million pictures are to be measured in bounded memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.evaluation.correlation import Floats

if TYPE_CHECKING:
    from iqa_cli.evaluation.measure import Measured

#: What a part can be taken apart by: fields of a record.
KINDS = ("subset", "distortion", "level", "ref")


@dataclass(frozen=True)
class Part:
    """The opinions of a part.

    Attributes:
        dataset: Name of the database.
        name: Name of the part.
        split_hash: Identity of the part; see `iqa_cli.datasets.record.split_hash`.
        names: [n] pictures, as the database calls them.
        opinions: [n] 100 x MOS: points, 0 to 100, higher is better.
        groups: [n] codes, from 0; pictures of one group are not independent.
        kinds: Of `KINDS`, those that the database has: [n] labels, None where a picture has none.
        deviations: [n] standard deviations of the opinions in points, NaN where not known; None for none.
    """

    dataset: str
    name: str
    split_hash: str
    names: tuple[str, ...]
    opinions: Floats
    groups: NDArray[np.int64]
    kinds: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    deviations: Floats | None = None

    def __len__(self) -> int:
        return len(self.names)

    def only(self, kept: NDArray[np.bool_]) -> Part:
        """The pictures of a mask [n]; name and hash stay those of the whole part."""
        return replace(
            self,
            names=tuple(compress(self.names, kept)),
            opinions=self.opinions[kept],
            groups=self.groups[kept],
            kinds={kind: list(compress(labels, kept)) for kind, labels in self.kinds.items()},
            deviations=None if self.deviations is None else self.deviations[kept],
        )


@dataclass(frozen=True)
class Column:
    """What one scorer says of a part.

    Attributes:
        scorer: What it is called in tables.
        scores: [n] oriented so that higher is better; NaN where there is none.
        kind: A weight, a baseline, or a file of scores from elsewhere.
        met: [n] whether the scorer was trained on exactly these pixels; None where that is not known.
        near: [n] whether it was trained on one that resembles it, and not on these pixels; None likewise.
        bounds: [n] each, lower and upper bound of the opinion that the scorer gives, in points, NaN where it
            gives none; None where it gives none at all.
    """

    scorer: str
    scores: Floats
    kind: Literal["weight", "baseline", "file"] = "weight"
    met: NDArray[np.bool_] | None = None
    near: NDArray[np.bool_] | None = None
    bounds: tuple[Floats, Floats] | None = None

    def only(self, kept: NDArray[np.bool_]) -> Column:
        """The pictures of a mask [n]."""
        return replace(
            self,
            scores=self.scores[kept],
            met=None if self.met is None else self.met[kept],
            near=None if self.near is None else self.near[kept],
            bounds=None if self.bounds is None else (self.bounds[0][kept], self.bounds[1][kept]),
        )


@dataclass(frozen=True)
class Result:
    """One scorer on one part: what a table has a row for, and a report a section.

    Attributes:
        part: The opinions.
        column: The scores, of the same pictures in the same order.
        measured: Their figures.
        paths: [n] files of the pictures; None where they need not exist.
    """

    part: Part
    column: Column
    measured: Measured
    paths: Sequence[Path] | None = None


def part_of(dataset: str, name: str, records: Sequence[ImageRecord]) -> Part:
    """The columns of records."""
    kinds = {}
    for kind in KINDS:
        labels = [None if (value := getattr(r, kind)) is None else str(value) for r in records]
        if any(label is not None for label in labels):
            kinds[kind] = labels
    _, groups = np.unique([r.group for r in records], return_inverse=True)
    deviations = np.array([np.nan if r.deviation is None else 100 * r.deviation for r in records])
    return Part(
        dataset,
        name,
        split_hash(records),
        tuple(r.name for r in records),
        np.array([100 * r.mos for r in records], dtype=np.float64),
        groups.astype(np.int64),
        kinds,
        deviations if np.isfinite(deviations).any() else None,
    )
