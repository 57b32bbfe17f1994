"""Files that stand under their name whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from iqa_cli.text import reason_of


class Replacement:
    """A file that is written beside its name and takes it when it is whole; until then, and when something
    goes wrong, what stood there still does. It has the permissions of what it replaces.

    Args:
        path: The name. A link there is replaced, not followed.
        alone: Nobody else writes it: the name beside it is always the same, and what a killed run has left
            there is written over. Otherwise every writer has a name of its own.
        durable: Force it to the disk first. Without that a loss of power may leave it empty under its name.

    Attributes:
        file: What to write to.

    Raises:
        OSError: No permission, no such folder, ...
        ValueError: The name is not a possible one.
    """

    def __init__(self, path: Path, *, alone: bool = False, durable: bool = True) -> None:
        self._path, self._durable = path, durable
        self._mode = _mode_of(path)
        # At most 220 bytes in any script: file systems allow 255.
        own = "" if alone else f".{secrets.token_hex(6)}"
        self._beside = path.with_name(f".{path.name[:50]}{own}.part")
        # What only its owner may read is not open to others while it is written.
        mode = 0o666 if self._mode is None else 0o600
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if alone else os.O_EXCL) | getattr(os, "O_BINARY", 0)
        self.file: BinaryIO = os.fdopen(os.open(self._beside, flags, mode), "wb")

    def complete(self) -> None:
        """All is written: bring it to the disk. `commit` does so by itself; this is for several files of
        which none may take its name before all are whole.

        Raises:
            OSError: The disk is full, ...
        """
        if self.file.closed:
            return
        self.file.flush()
        if self._durable:
            os.fsync(self.file.fileno())
        self.file.close()
        if self._mode is not None:
            self._beside.chmod(self._mode)

    def commit(self) -> None:
        """Take the name.

        Raises:
            OSError: The disk is full, a folder has that name, ...; what has been written waits for `discard`.
        """
        self.complete()
        self._beside.replace(self._path)

    def discard(self) -> None:
        """Take away what has not got its name; nothing is left of it."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            self._beside.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path, *, alone: bool = False, durable: bool = True) -> Iterator[BinaryIO]:
    """A `Replacement` that takes its name when all went well, and is gone when not.

    Raises:
        OSError: No permission, no space, no such folder, a folder of that name, ...
        ValueError: The name is not a possible one.
    """
    made = Replacement(path, alone=alone, durable=durable)
    try:
        yield made.file
        made.commit()
    finally:
        made.discard()


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[BinaryIO]:
    """`replacing` for a name that a user has given: a link stays one, what it points to is replaced; a pipe
    or a device is written to as it is.

    Raises:
        OSError, ValueError: As of `replacing`.
    """
    # A pipe behind /dev/fd has no other name that could be opened.
    with path.open("wb") if is_special(path) else replacing(Path(os.path.realpath(path))) as file:
        yield file


def is_special(path: Path) -> bool:
    """Whether something is there that cannot be replaced by a file: a pipe, a device, a folder."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def unwritable(place: str, error: Exception) -> str:
    """The line that says why something could not be written.

    Args:
        place: Where, as it is to be shown.
        error: What was raised.
    """
    reason = reason_of(error)
    return f"cannot write to {place}: {reason[:1].lower()}{reason[1:]}"


def _mode_of(path: Path) -> int | None:
    """Permissions of the file of that name; None where there is none, or a link to one."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None
