"""What a folder of pictures says of them itself: `labels.csv` with the columns image and ref, as
`iqa data synth` writes it. Its opinions are not read: a database is named as one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.table import read_table

FILE = "labels.csv"


def with_references(records: Sequence[ImageRecord], folder: Path) -> tuple[ImageRecord, ...]:
    """The records of pictures below a folder, with the references and groups that its table has.

    Args:
        records: Pictures by their paths.
        folder: Paths in its table are relative to it or to its `images/`.

    Returns:
        The records in their order. Those that the table does not name, and all where there is no such table,
        stay as they are. A reference is called as its own record is, or by its absolute path.

    Raises:
        DatasetError: The table is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return tuple(records)
    header, rows = read_table(file)
    if not {"image", "ref"} <= set(header):
        return tuple(records)
    base = folder / "images" if (folder / "images").is_dir() else folder
    own = {_absolute(record.path): record.name for record in records}
    said = {_absolute(base / row.picture("image")): row.cells for row in rows}
    found = []
    for record in records:
        cells = said.get(_absolute(record.path), {})
        ref, group = cells.get("ref"), cells.get("group")
        if ref:
            place = _absolute(base / ref)
            record = replace(record, ref=own.get(place, place), group=group or record.group)
        found.append(record)
    return tuple(found)


def _absolute(path: Path) -> str:
    # Not Path.absolute: folder/../folder is one folder here.
    return os.path.abspath(path)  # noqa: PTH100
