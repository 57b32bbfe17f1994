"""BIQ2021 (Ahmed and Asif, 2022): 12,000 photographs with capture distortions, MOS 0 to 1, higher is better.

Two layouts are read: the official one (`Train (Images and MOS).csv` and `Test (Images and MOS).csv` beside
the folder of images), and the given CSV of `../shared/data/biq2021` (`labels.csv`, whose groups join
near-duplicates and whose split never parts a group). The official split does part near-duplicates; groups
are unknown there.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.errors import DatasetError

_OFFICIAL = {"train": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}


def read_biq2021(root: Path) -> Database:
    """Read BIQ2021 under `root`, in either layout.

    Raises:
        DatasetError: Neither layout is there, or a label file is damaged.
    """
    if (root / "labels.csv").is_file():
        database = read_csv(root, "biq2021", low=0.0, high=1.0)
        records = database.records
    elif all((root / name).is_file() for name in _OFFICIAL.values()):
        records = tuple(r for split, name in _OFFICIAL.items() for r in _official(root, root / name, split))
    else:
        raise DatasetError(
            f"no BIQ2021 under {str(root)!r}",
            hint="expected labels.csv with images/, or the two official CSV files with the folder of images",
        )
    named = (replace(r, subset=r.subset or r.name.split(" ")[0].split("/")[-1]) for r in records)
    return Database("biq2021", tuple(sorted(named, key=lambda r: r.name)), 0.0, 1.0)


def _official(root: Path, path: Path, split: str) -> list[ImageRecord]:
    """One of the official files: a column of file names and a column of MOS, whatever the letter case."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    try:
        image = next(i for i, cell in enumerate(header) if "image" in cell)
        mos = next(i for i, cell in enumerate(header) if cell == "mos")
    except StopIteration:
        raise DatasetError(
            f"{path}: needs a column of images and a column MOS, has {', '.join(header)}"
        ) from None
    folder = next((root / d for d in ("Images", "images", "BIQ2021") if (root / d).is_dir()), root)
    records = []
    for line, row in enumerate(rows[1:], 2):
        try:
            name, score = row[image].strip(), float(row[mos])
        except (IndexError, ValueError):
            raise DatasetError(f"{path}, line {line}: not a picture and its MOS") from None
        if not 0 <= score <= 1:
            raise DatasetError(f"{path}, line {line}: MOS {score:g} lies outside of 0 to 1")
        records.append(ImageRecord(folder / name, name, score, score, group=name, split=split))
    return records
