"""BIQ2021 (Ahmed and Asif, 2022): 12,000 photographs with capture distortions, MOS 0 to 1, higher is better.

Two layouts are read: the official one (`Train (Images and MOS).csv` and `Test (Images and MOS).csv` beside
the folder of images), and a folder with `labels.csv` (see `iqa_cli.datasets.csvfile`), whose groups join
near-duplicates and whose split never parts a group. The official split does part near-duplicates; groups
are unknown there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.table import read_table, refuse_repeated, shown_columns
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FACTS = DatabaseFacts(
    name="biq2021",
    title="BIQ2021",
    images=12000,
    references=0,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    split="group",
    citation="N. Ahmed and S. Asif, BIQ2021: a large-scale blind image quality assessment database, Journal "
    "of Electronic Imaging 31(5), 2022",
    layout=(
        "Train (Images and MOS).csv and Test (Images and MOS).csv with the folder Images/, "
        "or labels.csv with images/",
    ),
    licence="published as freely available, no licence file; cite the paper",
    score="MOS, column MOS (mos in labels.csv)",
    page="BIQ2021, repository nisarahmedrana/BIQ2021 of its authors",
)

_OFFICIAL = {"train": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}


def read_biq2021(root: Path) -> Database:
    """Read BIQ2021 under `root`, in either layout.

    Raises:
        DatasetError: Neither layout is there, a label file is damaged, or a picture is listed twice, be it
            once in each of the official parts.
    """
    if (root / "labels.csv").is_file():
        records = read_csv(root, FACTS.name, low=FACTS.low, high=FACTS.high).records
    elif all((root / name).is_file() for name in _OFFICIAL.values()):
        records = tuple(r for split, name in _OFFICIAL.items() for r in _official(root, root / name, split))
        refuse_repeated([record.name for record in records], one_line(root))
    else:
        raise DatasetError(
            f"no {FACTS.title} under '{one_line(root)}': its label files are missing", hint=FACTS.expected
        )
    named = (replace(r, subset=r.subset or r.name.split(" ")[0].split("/")[-1]) for r in records)
    return Database.of(FACTS, named)


def _official(root: Path, path: Path, split: str) -> list[ImageRecord]:
    """One of the official files: a column of file names and a column of MOS, whatever the letter case."""
    header, rows = read_table(path)
    image = next((column for column in header if "image" in column.lower()), None)
    mos = next((column for column in header if column.lower() == "mos"), None)
    if image is None or mos is None:
        raise DatasetError(
            f"{one_line(path)}: needs a column of images and a column MOS, has {shown_columns(header)}"
        )
    folder = next((root / d for d in ("Images", "images", "BIQ2021") if (root / d).is_dir()), root)
    records = []
    for row in rows:
        name, score = row.picture(image), row.number(mos)
        if not 0 <= score <= 1:
            raise DatasetError(f"{row.place}: MOS {score:g} lies outside of 0 to 1")
        records.append(ImageRecord(folder / name, name, score, score, group=name, split=split))
    return records
