"""The files in a folder and below it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from iqa_cli.cli.names import in_order
from iqa_cli.text import one_line


def files_in(folder: str, unreadable: list[str], *, deep: bool = True) -> Iterator[str]:
    """The files in a folder: sorted by name, those of a folder before those of its sub-folders.

    What begins with a dot is hidden and left out; links to folders are not followed, so no loop is possible.
    Not os.walk, which calls itself for each level (before Python 3.12) and fails after some hundreds of them.

    Args:
        folder: Paths begin with it as it is.
        unreadable: Takes a line for each folder that cannot be listed.
        deep: Sub-folders, too.
    """
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        folders: list[str] = []
        try:
            names = in_order(_files(parent, folders))
        except OSError as error:
            unreadable.append(f"{one_line(parent)}: cannot be listed: {error.strerror}")
            continue
        yield from (os.path.join(parent, name) for name in names)  # noqa: PTH118 - a Path drops the "./" given
        if deep:
            waiting += (os.path.join(parent, name) for name in sorted(folders, reverse=True))  # noqa: PTH118


def _files(parent: str, folders: list[str]) -> Iterator[str]:
    """Names of the files in a folder, as they come; those of its folders are put aside."""
    with os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not _leads_to_folder(entry):
                yield entry.name
            elif not entry.is_symlink():
                folders.append(entry.name)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to nowhere that can be looked at
        return False
