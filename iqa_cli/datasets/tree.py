"""The files of an unpacked database by their official names, whatever the letter case on this disk.

Letter case differs between the label files and the folders of some databases (TID2013's `I01_01_1.bmp` is
`i01_01_1.bmp` on disk), and between machines once a tree has been through a file system that ignores it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line


class Tree:
    """One database on disk.

    Attributes:
        base: The folder in which its label file lies: the root, or the only folder inside of the root that
            has it (archives are often unpacked into a folder of their own).
    """

    def __init__(self, root: Path, facts: DatabaseFacts, *labels: str) -> None:
        """Look for the database.

        Args:
            root: The folder that the user names.
            facts: Those of the database, for messages.
            labels: Its label file relative to the base; several where one of them is enough.

        Raises:
            DatasetError: The root is no folder or cannot be listed, or has no such file.
        """
        self._facts = facts
        self._root = root
        self._listings: dict[Path, dict[str, str]] = {}
        try:
            is_folder = root.is_dir()
        except OSError as error:
            raise DatasetError(f"cannot look into '{one_line(root)}': {error.strerror}") from None
        if not is_folder:
            raise DatasetError(f"'{one_line(root)}' is no folder", hint=facts.expected)
        if self._find(root, labels) is not None:
            self.base = root
            return
        fitting = [inner for inner in self._folders(root) if self._find(inner, labels) is not None]
        if len(fitting) > 1:
            several = ", ".join(one_line(folder.name) for folder in fitting)
            raise DatasetError(
                f"'{one_line(root)}' holds {facts.title} {len(fitting)} times: {several}",
                hint="name the folder that is meant",
            )
        if not fitting:
            raise self._missing(*labels)
        self.base = fitting[0]

    def find(self, *names: str) -> Path | None:
        """The first of some files or folders, relative to the base, that is there."""
        return self._find(self.base, names)

    def need(self, *names: str) -> Path:
        """As `find`.

        Raises:
            DatasetError: None of them is there.
        """
        path = self.find(*names)
        if path is None:
            raise self._missing(*names)
        return path

    def picture(self, folder: Path, name: str) -> Path:
        """The path of a picture; where it is missing, the one that it would have."""
        return self._member(folder, name) or folder / name

    def _find(self, base: Path, names: Sequence[str]) -> Path | None:
        for name in names:
            path: Path | None = base
            for part in name.split("/"):
                path = None if path is None else self._member(path, part)
            if path is not None:
                return path
        return None

    def _folders(self, root: Path) -> list[Path]:
        """The folders in the root that can be listed."""
        inner = (root / name for name in sorted(set(self._list(root).values())))
        return [folder for folder in inner if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)]

    def _member(self, folder: Path, name: str) -> Path | None:
        listing = self._list(folder)
        found = listing.get(name) or listing.get(name.casefold())
        return None if found is None else folder / found

    def _list(self, folder: Path) -> dict[str, str]:
        """Name, and name without letter case, -> name on disk; a name as it stands goes first."""
        if folder not in self._listings:
            try:
                names = sorted(entry.name for entry in folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                names = []
            except OSError as error:
                raise DatasetError(f"cannot list '{one_line(folder)}': {error.strerror}") from None
            folded = {name.casefold(): name for name in reversed(names)}
            self._listings[folder] = folded | {name: name for name in names}
        return self._listings[folder]

    def _missing(self, *names: str) -> DatasetError:
        return DatasetError(
            f"no {self._facts.title} under '{one_line(self._root)}': {' or '.join(names)} is missing",
            hint=self._facts.expected,
        )
