"""Where rows go: stdout, or a file that is never seen half-written unless its format grows line by line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import is_picture
from iqa_cli.errors import UsageError
from iqa_cli.replacing import Replacement, is_special, unwritable
from iqa_cli.text import one_line, printable

# The first bytes of every file of SQLite, such as a store.
_DATABASE = b"SQLite format 3\0"


class OutputError(UsageError):
    """The rows cannot be written: the disk is full, the folder is missing, permission is denied."""


class Output:
    """A destination of bytes. Every write is flushed, so that a reader has each row as soon as it is known.

    A file is written beside its place under another name and renamed by `close`, so that a reader never meets
    half a document and an earlier result survives a run that cannot start. With `direct` it is written in
    place: for JSON Lines, where the rows so far are worth keeping even when the machine goes down; so are
    pipes and devices.

    Args:
        env: For stdout.
        path: A file, or None or "-" for stdout.
        direct: Write in place.
        append: In place, behind what stands there.

    Raises:
        OutputError: The place cannot be written to.
    """

    def __init__(
        self, env: Environment, path: str | None, *, direct: bool = False, append: bool = False
    ) -> None:
        #: Whether what is written appears before a person.
        self.is_terminal = path in (None, "-") and env.stdout_is_terminal
        self.name = "stdout" if path in (None, "-") else one_line(str(path))
        self._replacement: Replacement | None = None
        self._stream: BinaryIO = env.stdout
        self._owned = path not in (None, "-")
        if path is None or path == "-":
            return
        place = Path(path)
        try:
            if direct or append or is_special(place):
                self._stream = place.open("ab" if append else "wb")
            else:
                # Through links, so that a link to the result stays one.
                self._replacement = Replacement(Path(os.path.realpath(place)))
                self._stream = self._replacement.file
        except (OSError, ValueError) as error:
            raise self._refused(error) from None

    def write(self, data: bytes) -> None:
        """Write and flush.

        Raises:
            BrokenPipeError: The reader of stdout has gone.
            OutputError: The disk is full, or the like; one line.
        """
        try:
            self._stream.write(data)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise self._refused(error) from None

    def close(self) -> None:
        """Complete a file: now it stands under its name. What was written to stdout is there already.

        Raises:
            OutputError: The disk refuses.
        """
        if not self._owned or self._stream.closed:
            return
        try:
            if self._replacement is not None:
                self._replacement.commit()
            else:
                self._stream.close()
        except OSError as error:
            self.discard()
            raise self._refused(error) from None

    def discard(self) -> None:
        """Give a file up that could not be written: nothing is left of it but what was written in place."""
        if self._replacement is not None:
            self._replacement.discard()
        elif self._owned:
            with contextlib.suppress(OSError):
                self._stream.close()

    def _refused(self, error: Exception) -> OutputError:
        return OutputError(unwritable(self.name, error))


def check_place(path: str) -> None:
    """Refuse a place for results early, before the network is loaded.

    Raises:
        OutputError: The folder is missing, or the place is itself a folder.
    """
    name = one_line(path)
    if not path:
        raise OutputError("cannot write to a file without a name")
    try:
        if Path(path).is_dir():
            raise OutputError(f"cannot write to {name}: it is a folder")
        if not Path(os.path.realpath(path)).parent.is_dir():
            raise OutputError(f"cannot write to {name}: there is no such folder")
    except OSError as error:
        raise OutputError(unwritable(name, error)) from None
    except ValueError:
        raise OutputError(f"cannot write to {name}: not a possible file name") from None


def check_output(output: str | None, read: Iterable[tuple[str, str | None]]) -> None:
    """`check_place` for a file of results, which should not be one of those that are read.

    Args:
        output: The place; None and "-" are stdout.
        read: What each file is that is read, in a word or two, and its name, if there is one.

    Raises:
        OutputError: It cannot be written to.
        UsageError: It is a picture, one of these files, or a weight or database.
    """
    if output is None or output == "-":
        return
    check_place(output)
    if is_picture(output):
        raise UsageError(
            f"{printable(output)} is a picture, which the results would overwrite",
            hint="-o takes the file for the results; pictures are given without an option",
        )
    for what, name in read:
        if name not in (None, "-") and _same_file(output, str(name)):
            raise UsageError(f"{printable(output)} is the {what}, which the results would overwrite")
    if kind := _never_rows(Path(output)):
        raise UsageError(f"{printable(output)} is a {kind}, which the results would overwrite")


def _never_rows(path: Path) -> str | None:
    """What an existing file is that took long to make and cannot be a former result; None for all others."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if file.read(len(_DATABASE)) == _DATABASE:
                return "database"
    except OSError:
        return None  # writing to it will tell
    return "weight" if path.suffix.lower() in (".safetensors", ".onnx") else None


def _same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # one of them is not there yet
        return one == other or os.path.realpath(one) == os.path.realpath(other)


def write(env: Environment, path: str | None, content: bytes) -> None:
    """Print, or put in place a file that is never seen half-written."""
    output = Output(env, path)
    try:
        output.write(content)
        output.close()
    except BaseException:
        output.discard()
        raise
