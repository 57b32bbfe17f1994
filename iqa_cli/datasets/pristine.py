"""Folders of undistorted photographs: `sources.csv` (image, origin, licence, split, ...) beside `images/`."""

from __future__ import annotations

from pathlib import Path

from iqa_cli.datasets.table import read_table, refuse_repeated, shown_columns
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line


def read_pristine(root: Path, split: str = "train") -> list[Path]:
    """The photographs of one part, in the order of the file.

    Raises:
        DatasetError: There is no such file, it is damaged, a picture is listed twice, or it lacks a column or
            the part.
    """
    path = root / "sources.csv"
    header, rows = read_table(path)
    for column in ("image", "split"):
        if column not in header:
            raise DatasetError(f"{one_line(path)}: lacks the column {column!r}, has {shown_columns(header)}")
    names = [row.picture("image") for row in rows if row.cells["split"] == split]
    if not names:
        raise DatasetError(f"{one_line(path)}: has no part {split!r}")
    refuse_repeated(names, one_line(path))
    return [root / "images" / name for name in names]
