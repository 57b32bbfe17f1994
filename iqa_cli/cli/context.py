"""What a command knows of the world around it: streams, terminals, environment. Injected, so that tests need
no process.

Data goes to `stdout` as bytes; everything said to a person goes to `stderr` through `error`, `note` and
`status`.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, TextIO

from iqa_cli.errors import IqaError
from iqa_cli.text import printable


@dataclass
class Environment:
    """The world of one run of the program.

    Attributes:
        stdin, stdout: Binary streams.
        stderr: Text stream.
        stdin_is_terminal, stdout_is_terminal, stderr_is_terminal: Whether a person is at the other end.
        stdout_encoding: What a terminal on stdout can show.
        columns: Width of the terminal in characters.
        environ: Environment variables.
        quiet: Only errors go to stderr.
        colour: Colours are allowed (they still need a terminal).
        debug: Show tracebacks.
    """

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    stdout_encoding: str = "utf-8"
    columns: int = 80
    environ: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
    colour: bool = True
    debug: bool = False

    def __post_init__(self) -> None:
        if self.environ.get("NO_COLOR"):
            self.colour = False

    @classmethod
    def of_process(cls) -> Environment:
        """The real streams. A stream that was closed by the caller (`>&-`) is replaced by one that is
        empty."""
        return cls(
            stdin=_binary(sys.stdin) or io.BytesIO(),
            stdout=_binary(sys.stdout) or io.BufferedWriter(_Closed()),
            stderr=sys.stderr or io.StringIO(),
            stdin_is_terminal=_is_terminal(sys.stdin),
            stdout_is_terminal=_is_terminal(sys.stdout),
            stderr_is_terminal=_is_terminal(sys.stderr),
            stdout_encoding=getattr(sys.stdout, "encoding", None) or "utf-8",
            columns=shutil.get_terminal_size().columns,
            environ=os.environ,
        )

    @property
    def dumb(self) -> bool:
        """A terminal that understands no escape codes."""
        return self.environ.get("TERM") == "dumb"

    @property
    def shows_progress(self) -> bool:
        """Whether a line that is overwritten again and again may be drawn on stderr."""
        return self.stderr_is_terminal and not self.dumb and not self.quiet

    def error(self, failure: IqaError) -> None:
        """One line on stderr, and the hint on a second one; never silenced."""
        self._say(f"iqa: error: {printable(failure.message)}")
        if failure.hint:
            self._say(f"  hint: {printable(failure.hint)}")

    def note(self, text: str) -> None:
        """One line on stderr, unless -q was given."""
        if not self.quiet:
            self._say(f"iqa: {printable(text)}")

    def _say(self, line: str) -> None:
        try:
            self.stderr.write(line + "\n")
            self.stderr.flush()
        except (OSError, ValueError):
            # Nobody listens; the exit code still tells.
            pass


class _Closed(io.RawIOBase):
    """stdout of a process that was started without one: writing fails as on a closed descriptor."""

    def write(self, data: Any) -> int:
        raise OSError(9, "stdout is closed")

    def writable(self) -> bool:
        return True


def _binary(stream: TextIO | None) -> Any:
    return getattr(stream, "buffer", None)


def _is_terminal(stream: IO[Any] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
