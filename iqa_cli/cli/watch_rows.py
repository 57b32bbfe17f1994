"""The file that `iqa watch` writes, which is also its memory: a row on each line, and which version of a
picture it is of."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from iqa_cli.cli.context import Environment
from iqa_cli.cli.output import Output, OutputError
from iqa_cli.cli.sinks import JsonLinesSink
from iqa_cli.errors import UsageError
from iqa_cli.prediction import Prediction
from iqa_cli.replacing import is_special, unwritable
from iqa_cli.scoring.hashing import Stamp
from iqa_cli.text import one_line
from iqa_cli.watching.arrivals import Version

_SECOND = 10**9
_BEGINNING = b'{"path": '


class _Told(NamedTuple):
    """What the last row of a picture says."""

    modified: str | None
    size: int | None
    models: frozenset[str]
    errors: str


class Rows:
    """Rows of JSON Lines, appended one by one; those in the file already are known.

    A row is that of `iqa score` with `modified` (UTC, to the nanosecond) and `bytes` of the file behind it.
    Nothing stands half-written after a restart: a last line that is cut short is taken away, if rows stand
    before it. Of a file with no row nothing is.

    Args:
        env: For stdout.
        path: The file (`check_output`), or None or "-" for stdout, of which nothing is known.

    Attributes:
        strange: Lines of the file that are no rows; they stay.
        repeated: Path -> failure that came again and was not appended, since its row is there.

    Raises:
        UsageError: The file is not one of rows, or cannot be read or written.
    """

    def __init__(self, env: Environment, path: str | None) -> None:
        self._env, self._path = env, None if path == "-" else path
        self.strange = 0
        self.repeated: dict[str, str] = {}
        self._told: dict[str, _Told] = {}
        self._models: dict[frozenset[str], frozenset[str]] = {}
        if self._path is not None and Path(self._path).exists() and not is_special(Path(self._path)):
            self._read(Path(self._path))
        self._open()

    def known(self, models: list[str]) -> dict[str, Version]:
        """Absolute path -> version of the pictures that these models have scored."""
        wanted, found = frozenset(models), {}
        for path, told in self._told.items():
            modified = nanoseconds(told.modified)
            if not told.errors and wanted <= told.models and modified is not None and told.size is not None:
                found[path] = (modified, told.size)
        # Of the others only failures are asked for again.
        self._told = {path: told for path, told in self._told.items() if told.errors}
        return found

    def add(self, prediction: Prediction, stamp: Stamp) -> bool:
        """Append a row, unless the last one of this picture says the same failure of the same version.

        Raises:
            BrokenPipeError, OutputError: As of `Output.write`.
        """
        key, told = _key(prediction.path), self._of(prediction, stamp)
        if told.errors and self._told.get(key) == told:
            self.repeated[prediction.path] = next(iter(prediction.errors.values()))
            return False
        if self._path is not None and self._replaced():
            self._output.discard()
            self._open()
        self._sink.row(prediction, {"modified": told.modified, "bytes": told.size})
        if told.errors:
            self._told[key] = told
        else:
            self._told.pop(key, None)
        return True

    def close(self) -> None:
        """Nothing comes any more."""
        self._output.close()

    def _open(self) -> None:
        self._output = Output(self._env, self._path, append=True)
        self._sink = JsonLinesSink(self._output)
        self._place = None if self._path is None else _place(self._path)

    def _replaced(self) -> bool:
        """Whether another file stands under the name, or none: something tidies up."""
        return _place(str(self._path)) != self._place

    def _of(self, prediction: Prediction, stamp: Stamp) -> _Told:
        errors = json.dumps(prediction.errors, sort_keys=True) if prediction.errors else ""
        models = frozenset(prediction.scores)
        return _Told(timestamp(stamp.modified), stamp.size, self._models.setdefault(models, models), errors)

    def _read(self, path: Path) -> None:
        try:
            begin, line, cut = 0, b"\n", False
            with path.open("rb") as file:
                for number, line in enumerate(file):
                    row = _row(line)
                    if row is not None:
                        self._note(row)
                    elif number == 0:
                        # Nobody knows whose it is: a row that was cut short may be a note of somebody.
                        raise UsageError(
                            f"{one_line(path)} is not a file of rows, to which more could be added",
                            hint="if it is a first row that was cut short, delete it"
                            if _is_cut(line)
                            else "rows are JSON Lines, as 'iqa score --format jsonl' writes them",
                        )
                    elif _is_cut(line):
                        cut = True  # it was being written when something ended it
                        break
                    else:
                        self.strange += 1
                    begin += len(line)
            if cut:
                os.truncate(path, begin)
            elif not line.endswith(b"\n"):
                with path.open("ab") as file:
                    file.write(b"\n")
        except OSError as error:
            raise OutputError(unwritable(one_line(path), error)) from None

    def _note(self, row: dict[str, Any]) -> None:
        models = frozenset(map(str, row["scores"]))
        errors = row.get("errors") or ({} if row.get("score") is not None else {"": row.get("error")})
        size = row.get("bytes")
        self._told[_key(row["path"])] = _Told(
            row.get("modified") if isinstance(row.get("modified"), str) else None,
            size if isinstance(size, int) else None,
            self._models.setdefault(models, models),
            json.dumps(errors, sort_keys=True) if errors else "",
        )


def timestamp(nanoseconds: int) -> str | None:
    """A time since 1970 as "2026-11-21T23:05:04.123456789Z"; None beyond the years that can be written so."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    try:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
    except (OverflowError, ValueError, OSError):
        return None


def nanoseconds(text: str | None) -> int | None:
    """The other way round; None of anything else."""
    whole, _, rest = (text or "").partition(".")
    try:
        seconds = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
        return int(seconds.timestamp()) * _SECOND + int(rest.removesuffix("Z"))
    except ValueError:
        return None


def _row(line: bytes) -> dict[str, Any] | None:
    """A line as a row; None where it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    sound = isinstance(row, dict) and isinstance(row.get("path"), str) and isinstance(row.get("scores"), dict)
    return row if sound else None


def _is_cut(line: bytes) -> bool:
    """Whether a line that is no row is the beginning of one; not where its JSON is whole."""
    if line.endswith(b"\n") or line[: len(_BEGINNING)] != _BEGINNING[: len(line)]:
        return False
    try:
        json.JSONDecoder().raw_decode(line.decode("utf-8", "replace"))
    except RecursionError:
        return False  # nothing that was written here
    except ValueError:
        return True
    return False


def _key(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links are not followed


def _place(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
