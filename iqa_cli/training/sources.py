"""The databases of a training as the command line names them: folders, scale, split files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from iqa_cli.datasets.record import Database
from iqa_cli.datasets.registry import DATABASES, read_database
from iqa_cli.datasets.splitfile import load_split, read_split
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line
from iqa_cli.training.fields import nearest


def given_roots(names: Sequence[str], entries: Sequence[str]) -> dict[str, Path]:
    """Name of a database -> its folder, of the values of `--root`.

    Args:
        names: Databases that are asked for.
        entries: NAME=DIR each; with one database, DIR too.

    Raises:
        UsageError: An entry does not say of which database, or one is given twice.
    """
    roots: dict[str, Path] = {}
    for entry in entries:
        name, equals, folder = entry.partition("=")
        if not (equals and folder and name in names):
            if equals and name in DATABASES:
                raise UsageError(f"--root {one_line(entry)}: --data {name} is not given")
            if len(names) > 1:
                raise UsageError(
                    f"--root {one_line(entry)!r} does not say of which of {len(names)} databases",
                    hint=f"--root NAME=DIR for each, such as --root {names[0]}=DIR",
                )
            if equals and "/" not in name and not os.path.lexists(entry):
                raise UsageError(
                    f"--root {one_line(entry)!r}: there is no such folder, "
                    f"and {one_line(name)!r} is not in --data",
                    hint=nearest(name, names),
                )
            name, folder = names[0], entry
        if name in roots:
            raise UsageError(f"--root of {name} is given twice")
        roots[name] = Path(folder)
    return roots


def read_databases(
    names: Sequence[str],
    roots: Mapping[str, Path],
    scale: tuple[float, float] | None = None,
    split_files: Sequence[Path] = (),
) -> list[Database]:
    """Read every database, with the parts of its split file where there is one.

    Args:
        names: Keys of `iqa_cli.datasets.registry.DATABASES`, each once.
        roots: Their folders, where these were given; else as `iqa_cli.datasets.roots.find_root` finds them.
        scale: Lowest and highest score of the csv.
        split_files: At most one for a database; each says itself of which it is.

    Raises:
        UsageError: A name is unknown or given twice, nothing says where one is, the scale is of a database
            whose scale is known, or a split file is of none of them.
        DatasetError: A root is not that database, or a split file is not of these pictures.
    """
    for name in names:
        if name not in DATABASES:
            raise UsageError(f"there is no database {one_line(name)!r}", hint=nearest(name, DATABASES))
        if names.count(name) > 1:
            hint = "join their labels.csv into one" if name == "csv" else None
            raise UsageError(f"--data {name} is given twice", hint=hint)
    if scale is not None and "csv" not in names:
        raise UsageError(f"the range of scores of {names[0]} is known", hint="--range is for csv")
    found = {name: read_database(name, roots.get(name), scale if name == "csv" else None) for name in names}
    split: set[str] = set()
    for path in split_files:
        name = load_split(path).database
        if name not in found:
            raise UsageError(f"--split-file {one_line(path)}: is of {one_line(name)}, which is not in --data")
        if name in split:
            raise UsageError(f"--split-file {one_line(path)}: a second one for {name}")
        split.add(name)
        found[name] = read_split(path, found[name])
    return list(found.values())


def read_one_database(
    name: str, root: Path | None, scale: tuple[float, float] | None, split_file: Path | None
) -> Database:
    """A single database, as `read_databases` reads it."""
    roots = {} if root is None else {name: root}
    return read_databases([name], roots, scale, [] if split_file is None else [split_file])[0]
