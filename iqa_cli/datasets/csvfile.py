"""`labels.csv`: anyone's own pictures and scores, one header and one row a picture.

Columns: `image` and `mos` (or `dmos`, lower is better); optional `ref`, `group`, `distortion`, `level`,
`split`, `subset`. Paths in `image` are relative to the CSV's folder or to its `images/`.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.errors import DatasetError

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
        DatasetError: No such file, a column is missing, a score is no finite number or outside of the scale,
            a picture is listed twice, or there is no row.
    """
    path = root / "labels.csv" if root.is_dir() else root
    rows = _rows(path)
    column = "mos" if "mos" in rows[0] else "dmos"
    scores = [_number(row[column], path, line) for line, row in enumerate(rows, 2)]
    low = min(scores) if low is None else low
    high = max(scores) if high is None else high
    if not high > low:
        raise DatasetError(f"{path}: all scores are {low:g}, which is no scale")
    folder = path.parent / "images" if (path.parent / "images").is_dir() else path.parent
    records = []
    for line, (row, score) in enumerate(zip(rows, scores, strict=True), 2):
        if not low <= score <= high:
            raise DatasetError(
                f"{path}, line {line}: the score {score:g} lies outside of {low:g} to {high:g}"
            )
        scaled = (score - low) / (high - low)
        extra = {key: (row.get(key) or "").strip() or None for key in _OPTIONAL}
        records.append(
            ImageRecord(
                path=folder / row["image"],
                name=row["image"],
                mos=scaled if column == "mos" else 1 - scaled,
                raw=score,
                group=extra["group"] or extra["ref"] or row["image"],
                ref=extra["ref"],
                distortion=extra["distortion"],
                level=int(_number(extra["level"], path, line)) if extra["level"] else None,
                split=extra["split"],
                subset=extra["subset"],
            )
        )
    names = [record.name for record in records]
    if len(set(names)) < len(names):
        twice = next(n for i, n in enumerate(names) if n in set(names[:i]))
        raise DatasetError(f"{path}: {twice!r} is listed twice")
    return Database(name, tuple(sorted(records, key=lambda r: r.name)), low, high, column == "mos")


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
    except (OSError, csv.Error) as error:
        raise DatasetError(
            f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not rows:
        raise DatasetError(f"{path}: no rows")
    if "image" not in rows[0] or not {"mos", "dmos"} & set(rows[0]):
        raise DatasetError(
            f"{path}: needs the columns image and mos (or dmos), has {', '.join(map(str, rows[0]))}"
        )
    return rows


def _number(text: str | None, path: Path, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{path}, line {line}: {text!r} is no number")
    return value
