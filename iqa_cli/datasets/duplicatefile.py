"""What the search for near-duplicates has found, in a file: it takes minutes, and splits are drawn again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from iqa_cli.datasets.duplicates import METHOD, Duplicates
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.splitfile import read_json, write_text
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line

FORMAT = 1


@dataclass(frozen=True)
class DuplicateFile:
    """The near-duplicates of a database.

    Attributes:
        database: Its name.
        method: Version of the search, see `iqa_cli.datasets.duplicates.METHOD`.
        content_hash: Identity of the pictures, see `content_hash`.
        pictures: How many were gone through.
        unreadable: Name -> why a picture could not be read.
        groups: Names of the pictures of each group of two or more, sorted.
        links: What has joined them: two names, the number of places that fit (0 where the thumbnails alone
            told), and the correlation of the thumbnails.
    """

    database: str
    method: int
    content_hash: str
    pictures: int
    unreadable: dict[str, str]
    groups: list[list[str]]
    links: list[list[Any]]


def content_hash(records: Sequence[ImageRecord]) -> str:
    """SHA-256, as 16 hex digits, over the names of pictures and the SHA-256 of their files; an unreadable
    file counts as empty."""
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.name):
        try:
            with record.path.open("rb") as file:
                content = _digest(file)
        except (OSError, ValueError):
            content = b""
        digest.update(record.name.encode("utf-8", "surrogateescape") + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def save_duplicates(
    path: Path, database: str, records: Sequence[ImageRecord], found: Duplicates, identity: str
) -> DuplicateFile:
    """Write what was found among records, in their order.

    Args:
        path: The file.
        database: Name of the database.
        records: As they were searched.
        found: The result.
        identity: Their `content_hash`.

    Raises:
        DatasetError: It cannot be written.
    """
    members: dict[int, list[str]] = {}
    for record, group in zip(records, found.groups, strict=True):
        members.setdefault(group, []).append(record.name)
    content = DuplicateFile(
        database,
        METHOD,
        identity,
        len(records),
        {records[place].name: reason for place, reason in found.unreadable.items()},
        sorted(sorted(names) for names in members.values() if len(names) > 1),
        [
            [records[link.one].name, records[link.other].name, link.points, link.correlation]
            for link in found.links
        ],
    )
    known = {key: getattr(content, key) for key in content.__dataclass_fields__}
    write_text(path, json.dumps({"iqa_duplicates": FORMAT, **known}, indent=1, allow_nan=False) + "\n")
    return content


def load_duplicates(path: Path) -> DuplicateFile:
    """Read such a file.

    Raises:
        DatasetError: It cannot be read, or is no such file, or of a newer version.
    """
    shown = one_line(path)
    content = read_json(path, "file of near-duplicates")
    if not isinstance(content, dict) or not isinstance(content.get("iqa_duplicates"), int):
        raise DatasetError(
            f"{shown}: is no file of near-duplicates",
            hint="'iqa data split NAME --group-duplicates' writes them",
        )
    if content["iqa_duplicates"] > FORMAT:
        raise DatasetError(f"{shown}: was written by a newer version of iqa")
    try:
        found = DuplicateFile(**{key: content[key] for key in DuplicateFile.__dataclass_fields__})
        names = [name for group in found.groups for name in group]
        whole = all(isinstance(name, str) for name in names) and isinstance(found.unreadable, dict)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise DatasetError(f"{shown}: is a damaged file of near-duplicates")
    return found


def _digest(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while piece := file.read(2**20):
        digest.update(piece)
    return digest.digest()
