"""`labels.csv`: anyone's own pictures and scores, one header and one row a picture.

Columns: `image` and `mos` (or `dmos`, lower is better); optional `ref`, `group`, `distortion`, `level`,
`split`, `subset`, `sd` (standard deviation of the opinions, in units of the score). Paths in `image` are
relative to the CSV's folder or to its `images/`.
"""

from __future__ import annotations

import math
from pathlib import Path

from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import Row, read_table, refuse_repeated, shown_columns
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.text import one_line

_OPTIONAL = ("ref", "group", "distortion", "level", "split", "subset")


def read_csv(root: Path, name: str = "csv", low: float | None = None, high: float | None = None) -> Database:
    """Read `root` (a folder with `labels.csv`, or a CSV file).

    Args:
        root: Folder or file.
        name: Name of the database in messages and on cards.
        low: Lowest score of the scale; by default the lowest score in the file.
        high: Highest score of the scale; by default the highest.

    Returns:
        The database; `mos` is scaled to 0 to 1 and turned so that higher is better.

    Raises:
        UsageError: `low` and `high` are no range.
        DatasetError: No such file, it is damaged, a column is missing, a score is no finite number or outside
            of the scale, a picture is listed twice, or there is no row.
    """
    path = root / "labels.csv" if root.is_dir() else root
    header, rows = read_table(path)
    column = "mos" if "mos" in header else "dmos"
    if not {"image", column} <= set(header):
        raise DatasetError(
            f"{one_line(path)}: needs the columns image and mos (or dmos), has {shown_columns(header)}"
        )
    scores = [row.number(column) for row in rows]
    low, high = _scale(scores, low, high, path)
    folder = path.parent / "images" if (path.parent / "images").is_dir() else path.parent
    records = []
    for row, score in zip(rows, scores, strict=True):
        if not low <= score <= high:
            raise DatasetError(f"{row.place}: the score {score:g} lies outside of {low:g} to {high:g}")
        scaled = (score - low) / (high - low)
        image = row.picture("image")
        extra = {key: row.cells.get(key) or None for key in _OPTIONAL}
        records.append(
            ImageRecord(
                path=folder / image,
                name=image,
                mos=scaled if column == "mos" else 1 - scaled,
                raw=score,
                group=extra["group"] or extra["ref"] or image,
                ref=extra["ref"],
                distortion=extra["distortion"],
                level=row.whole("level") if extra["level"] else None,
                split=extra["split"],
                subset=extra["subset"],
                deviation=_deviation(row, high - low),
            )
        )
    refuse_repeated([record.name for record in records], one_line(path))
    return Database(name, tuple(sorted(records, key=lambda r: r.name)), low, high, column == "mos")


def _deviation(row: Row, span: float) -> float | None:
    """The standard deviation of the opinions on a scale of 0 to 1."""
    deviation = row.number_if_any("sd")
    if deviation is not None and deviation < 0:
        raise DatasetError(f"{row.place}: {deviation:g} is no standard deviation")
    return None if deviation is None else deviation / span


def _scale(scores: list[float], low: float | None, high: float | None, path: Path) -> tuple[float, float]:
    """The declared range, or that of the scores themselves."""
    declared = [bound for bound in (low, high) if bound is not None]
    if not all(map(math.isfinite, declared)) or (len(declared) == 2 and declared[0] >= declared[1]):
        raise UsageError(f"{' to '.join(f'{bound:g}' for bound in declared)} is no range of scores")
    low = min(scores) if low is None else low
    high = max(scores) if high is None else high
    if not high > low:
        raise DatasetError(f"{one_line(path)}: all scores are {low:g}, which is no scale")
    return low, high
