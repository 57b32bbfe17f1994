"""What is wrong with a database on disk, short of decoding it: labels without pictures and pictures without
labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from iqa_cli.datasets.record import Database
from iqa_cli.datasets.registry import read_database
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

_SUFFIXES = (".bmp", ".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".heic", ".jp2")


@dataclass(frozen=True)
class Inspection:
    """A database as read, and what does not fit together on disk.

    Attributes:
        database: All that is labelled.
        missing: Names of labelled pictures whose file is not there, sorted.
        unlabelled: Pictures in the folders of the labelled ones that have no label, sorted: paths. The
            references of synthetic databases, and what the labels name to leave it out, do not count.
    """

    database: Database
    missing: list[str]
    unlabelled: list[str]


def inspect(name: str, root: Path | None = None, range: tuple[float, float] | None = None) -> Inspection:
    """Read a database and compare its labels with the files.

    Args:
        name: Key of the database.
        root: Its folder, as for `read_database`.
        range: Lowest and highest score, for csv.

    Raises:
        UsageError, DatasetError: As `read_database`; a folder of pictures cannot be listed.
    """
    database = read_database(name, root, range)
    records = database.records
    folders = {folder: _files(folder) for folder in {record.path.parent for record in records}}
    known = {record.path for record in records} | set(database.left_out)
    references = {record.ref.casefold() for record in records if record.ref}
    return Inspection(
        database,
        [record.name for record in records if record.path.name not in folders[record.path.parent]],
        sorted(
            str(folder / file)
            for folder, files in folders.items()
            for file in files
            if file.lower().endswith(_SUFFIXES)
            and folder / file not in known
            and file.casefold() not in references
        ),
    )


def _files(folder: Path) -> set[str]:
    """Names of the files in a folder; none where it does not exist."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise DatasetError(f"cannot list '{one_line(folder)}': {error.strerror}") from None
