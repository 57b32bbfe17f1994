"""The near-duplicates of a database for `iqa data split`: looked for once, then read from their file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.progress import Progress
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.datasets.duplicatefile import DuplicateFile
    from iqa_cli.datasets.record import Database


def duplicates_of(
    env: Environment, database: Database, folder: Path, threads: int
) -> tuple[list[list[str]], dict[str, Any]]:
    """Find the near-duplicates, or read them where the same pictures have been gone through before.

    Returns:
        Their groups by name, and a report: counts, the file, and how far they agree with the groups that the
        labels give, where there are some.

    Raises:
        DatasetError: Pictures are missing, or the file cannot be written.
    """
    from iqa_cli.datasets.duplicatefile import content_hash

    path = folder / f"{database.name}-duplicates.json"
    database.check_pictures(database.records)
    identity = content_hash(database.records)
    found = _kept(path, identity)
    if found is None:
        found = _search(env, database, path, identity, threads)
    else:
        env.note(f"the near-duplicates are those of {one_line(path)}, found before")
    grouped = sum(map(len, found.groups))
    report: dict[str, Any] = {
        "file": str(path),
        "groups": len(found.groups),
        "pictures": grouped,
        "unreadable": len(found.unreadable),
    }
    env.note(
        f"{count(len(found.groups), 'group')} of near-duplicates with {grouped:,} of "
        f"{count(len(database.records), 'picture')}, in {one_line(path)}"
    )
    if found.unreadable:
        name, reason = next(iter(found.unreadable.items()))
        more = f"; so were {len(found.unreadable) - 1:,} more" if len(found.unreadable) > 1 else ""
        env.error(ImageError(f"{one_line(name)}: {reason}; it was compared with none{more}"))
    agreement = _agreement(database, found)
    if agreement:
        report["agreement"] = agreement
        env.note(
            "against the groups of the labels: pictures precision {picture_precision:.3f}, recall "
            "{picture_recall:.3f}; pairs precision {pair_precision:.3f}, recall {pair_recall:.3f}".format(
                **agreement
            )
        )
    return found.groups, report


def _kept(path: Path, identity: str) -> DuplicateFile | None:
    """What the file says, if it is of these very pictures and of this method."""
    from iqa_cli.datasets.duplicatefile import load_duplicates
    from iqa_cli.datasets.duplicates import METHOD

    try:
        found = load_duplicates(path)
    except DatasetError:
        return None
    return found if (found.content_hash, found.method) == (identity, METHOD) else None


def _search(env: Environment, database: Database, path: Path, identity: str, threads: int) -> DuplicateFile:
    from iqa_cli.datasets.duplicatefile import save_duplicates
    from iqa_cli.datasets.duplicates import find_duplicates

    progress = Progress(env, len(database.records))
    progress.begin()
    drawn = float("-inf")

    def watch(task: str, done: int, total: int) -> None:
        nonlocal drawn
        if task == "reading":
            progress.advance()
            progress.show()
        elif done == total or time.monotonic() - drawn > 0.2:
            drawn = time.monotonic()
            progress.say(f"compared {done:,} of {total:,} pairs" if total else "looking for pairs ...")

    try:
        found = find_duplicates([record.path for record in database.records], threads, watch)
    finally:
        progress.erase()
    return save_duplicates(path, database.name, database.records, found, identity)


def _agreement(database: Database, found: DuplicateFile) -> dict[str, float] | None:
    """How far the groups found are those of the labels; None where the labels give none, or where they are
    references, whose distorted versions are no near-duplicates."""
    from iqa_cli.datasets.grouping import agreement

    groups = [record.group for record in database.records]
    if len(set(groups)) == len(groups) or any(record.ref for record in database.records):
        return None
    number = {name: place for place, names in enumerate(found.groups) for name in names}
    own = [number.get(record.name, -1 - place) for place, record in enumerate(database.records)]
    result = agreement(own, groups)
    shares = ("picture_precision", "picture_recall", "pair_precision", "pair_recall")
    counts = {key: getattr(result, key) for key in result.__dataclass_fields__}
    return {**{key: getattr(result, key) for key in shares}, **counts}
