"""Expected failures and the exit codes they end in.

An `IqaError` is something the user can mend: it is printed as one line (with a hint) and never as a
traceback, unless `--debug` asks for it. Anything else that is raised is a defect of this program.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to the shell; documented in the README, one test each."""

    OK = 0
    BELOW_THRESHOLD = 1
    USAGE = 2
    SOME_FAILED = 3
    NOT_AVAILABLE = 4
    INTERRUPTED = 130


class IqaError(Exception):
    """A failure with a one-line message, an optional hint and an exit code."""

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(IqaError):
    """The options or values given do not make sense together."""


class ImageError(IqaError):
    """One picture cannot be read or scored; the run goes on, its row carries the message."""

    exit_code = ExitCode.SOME_FAILED


class WeightsError(IqaError):
    """A checkpoint is missing, damaged, tampered with or of another network."""

    exit_code = ExitCode.NOT_AVAILABLE


class DatasetError(IqaError):
    """A database is missing or is not in its official layout."""

    exit_code = ExitCode.NOT_AVAILABLE
