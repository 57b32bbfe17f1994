"""Folders of undistorted photographs: `sources.csv` (image, origin, licence, split, ...) beside `images/`."""

from __future__ import annotations

import csv
from pathlib import Path

from iqa_cli.errors import DatasetError


def read_pristine(root: Path, split: str = "train") -> list[Path]:
    """The photographs of one part, in the order of the file.

    Raises:
        DatasetError: There is no such file, or it lacks a column or the part.
    """
    path = root / "sources.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = [root / "images" / row["image"] for row in rows if row["split"] == split]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}"
        ) from None
    except KeyError as error:
        raise DatasetError(f"{path}: lacks the column {error}") from None
    if not found:
        raise DatasetError(f"{path}: has no part {split!r}")
    return found
