"""Split files: which picture of a database is in which part, written once and read by every run after it.

A file is JSON and the same on every machine: no date, no path, names sorted. It carries two hashes: that of
the names of the database, so that it is not taken for a split of another one, and that of the split, which
goes onto the cards of weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from iqa_cli.datasets.grouping import joined_groups
from iqa_cli.datasets.record import Database, ImageRecord, split_hash
from iqa_cli.errors import DatasetError
from iqa_cli.replacing import unwritable, writing_to
from iqa_cli.text import one_line

FORMAT = 1


@dataclass(frozen=True)
class SplitFile:
    """What a split file says.

    Attributes:
        database: Name of the database.
        names_hash: Identity of its pictures, see `names_hash`.
        split_hash: Identity of the split, see `iqa_cli.datasets.record.split_hash`.
        parts: Part -> names of its pictures, sorted.
        origin: How it was made: "drawn" (with `seed` and `fractions`) or "official" (the parts that the
            database gives).
        seed: Seed of the draw.
        fractions: Part -> share that was wanted.
        joined: Near-duplicates that were found beyond the groups of the database: sorted lists of names.
        grouped_by: What was kept together: "reference", "group", "near-duplicates", or several with " + ".
    """

    database: str
    names_hash: str
    split_hash: str
    parts: dict[str, list[str]]
    origin: str
    seed: int | None = None
    fractions: dict[str, float] | None = None
    joined: list[list[str]] = field(default_factory=list)
    grouped_by: str = ""


def names_hash(records: Iterable[ImageRecord]) -> str:
    """SHA-256, as 16 hex digits, over the sorted names of the pictures of a database, one a line."""
    names = "\n".join(sorted(record.name for record in records))
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def write_split(
    path: Path,
    database: Database,
    parts: Mapping[str, Sequence[ImageRecord]],
    seed: int | None = None,
    *,
    fractions: Mapping[str, float] | None = None,
    joined: Sequence[Sequence[str]] = (),
    grouped_by: str = "",
) -> SplitFile:
    """Write a split; an old file stays as it was until the new one is complete.

    Args:
        path: The file; its folder is made when it is missing.
        database: As read.
        parts: Part -> its records; together every record of the database, each once.
        seed: Seed of the draw; None for the parts that the database gives.
        fractions: Shares that were wanted, for a drawn split.
        joined: Groups of near-duplicates beyond those of the database: names.
        grouped_by: What was kept together, for the reader.

    Returns:
        What was written.

    Raises:
        DatasetError: A picture is in no part or in two, or the file cannot be written.
    """
    placed = [replace(record, split=part) for part, records in parts.items() for record in records]
    _check_complete(database, [record.name for record in placed], f"the split for {one_line(path)}")
    content = SplitFile(
        database=database.name,
        names_hash=names_hash(database.records),
        split_hash=split_hash(placed),
        parts={part: sorted(record.name for record in records) for part, records in parts.items()},
        origin="official" if seed is None else "drawn",
        seed=seed,
        fractions=dict(fractions) if fractions is not None else None,
        joined=sorted(sorted(group) for group in joined),
        grouped_by=grouped_by,
    )
    known = {key: getattr(content, key) for key in content.__dataclass_fields__}
    # Escaped to ASCII: names of files that are no UTF-8 come back as they were.
    text = json.dumps({"iqa_split": FORMAT, **known}, indent=1, allow_nan=False) + "\n"
    write_text(path, text)
    return content


def load_split(path: Path) -> SplitFile:
    """What a split file says, without its database.

    Raises:
        DatasetError: It cannot be read, is no split file, is of a newer version, or has been changed: the
            hash of the split is not that of its parts.
    """
    shown = one_line(path)
    content = read_json(path, "split file")
    if not isinstance(content, dict) or not isinstance(content.get("iqa_split"), int):
        raise DatasetError(f"{shown}: is no split file", hint="'iqa data split NAME' writes them")
    if content.pop("iqa_split") > FORMAT:
        raise DatasetError(f"{shown}: was written by a newer version of iqa")
    try:
        found = SplitFile(**{key: content[key] for key in SplitFile.__dataclass_fields__})
        names = [name for part in found.parts.values() for name in part]
        lines = [f"{part}\t{name}" for part, members in found.parts.items() for name in members]
        joined = [name for group in found.joined for name in group]
        ok = all(isinstance(text, str) for text in [found.database, *names, *joined])
    except (KeyError, TypeError, AttributeError):
        ok, lines, names = False, [], []
    if not ok:
        raise DatasetError(f"{shown}: is a damaged split file")
    digest = hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    if digest != found.split_hash or len(set(names)) != len(names):
        raise DatasetError(
            f"{shown}: its parts are not those of its hash {one_line(str(found.split_hash))}",
            hint="the file has been changed by hand or is damaged; write it again",
        )
    return found


def read_split(path: Path, database: Database) -> Database:
    """The database with the parts of a split file.

    Args:
        path: A file that `write_split` wrote.
        database: As read, wherever it lies.

    Returns:
        The same records with `split` set on each, and with `group` joining what the split file found to be
        near-duplicates, so that a part held out of one of these parts does not part them either.

    Raises:
        DatasetError: As `load_split`; or the split is of another database, or of other pictures.
    """
    found = load_split(path)
    shown = one_line(path)
    if found.database != database.name:
        raise DatasetError(f"{shown}: is a split of {one_line(found.database)}, not of {database.name}")
    part_of = {name: part for part, names in found.parts.items() for name in names}
    _check_complete(database, list(part_of), shown)
    groups = joined_groups(database.records, found.joined)
    records = (
        replace(record, split=part_of[record.name], group=group)
        for record, group in zip(database.records, groups, strict=True)
    )
    return replace(database, records=tuple(records))


def _check_complete(database: Database, names: Sequence[str], where: str) -> None:
    """DatasetError unless the names are those of the database, each once."""
    own = {record.name for record in database.records}
    given = set(names)
    if len(given) != len(names):
        raise DatasetError(f"{where}: a picture of {database.name} is in two parts")
    if own == given:
        return
    extra, lacking = sorted(given - own), sorted(own - given)
    first = f"it has '{one_line(extra[0])}'" if extra else f"it lacks '{one_line(lacking[0])}'"
    raise DatasetError(
        f"{where}: is of other pictures than {database.name} has here: {len(given):,} against {len(own):,}; "
        f"{first}",
        hint="the database has changed, or is another part of it: write the split again",
    )


def read_json(path: Path, kind: str) -> Any:
    """The value of a JSON file.

    Raises:
        DatasetError: It cannot be read or is no JSON; `kind` says in the message what it should have been.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is no JSON in UTF-8"
        raise DatasetError(f"cannot read the {kind} '{one_line(path)}': {one_line(reason)}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text in full under another name, then let it take its place.

    Raises:
        DatasetError: No permission, no space, a folder of that name, ...; an old file stays as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_to(path) as file:
            file.write(text.encode())
    except (OSError, ValueError) as error:
        raise DatasetError(unwritable(f"'{one_line(path)}'", error)) from None
