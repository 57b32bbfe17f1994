"""The folder of a synthetic database while it is made: whose it is, what is done already, one run at a
time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from iqa_cli.datasets.synth_task import Outcome
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.replacing import replacing, unwritable
from iqa_cli.text import one_line, reason_of

RECORD, JOURNAL, LABELS = "synth.json", "progress.jsonl", "labels.csv"
#: Sections of the record in which a run that goes on must agree with the one that began. The scale is none of
#: them: the labels are computed at the end, all of them with one scale.
_IDENTITY = ("settings", "sources", "made_with")


class SynthFolder:
    """An output folder; a context manager that keeps other runs out.

    Args:
        folder: Made where it is missing.
        record: What the run is, for `synth.json`.

    Raises:
        UsageError: The folder is in use, holds another run or anything else.
        DatasetError: It cannot be written to.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder = folder
        self.record = record
        self._journal: BinaryIO | None = None
        with cannot_write(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / RECORD).exists() and any(folder.iterdir()):
                raise UsageError(
                    f"'{one_line(folder)}' is not empty and no synthetic database",
                    hint="give --out a new or empty folder",
                )
        found = self._found()
        if found is not None:
            _refuse_other(folder, found, record)
        with cannot_write(folder):
            self._journal = (folder / JOURNAL).open("a+b")
        _lock(self._journal, folder)
        if found is None:
            self.write_record(complete=False)

    def done(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        """The finished pieces of work by photograph and type: their lines of the journal.

        Pieces of which a picture has gone or has another size are not done. A last line that was cut by a
        kill is taken off.
        """
        assert self._journal is not None
        with cannot_write(self.folder):
            self._journal.seek(0)
            text = self._journal.read()
            whole = text.rfind(b"\n") + 1
            if whole < len(text):
                self._journal.truncate(whole)
            for leftover in self.folder.glob("images/*/.*.part"):
                leftover.unlink(missing_ok=True)
        entries = {}
        for line in text[:whole].splitlines():
            try:
                entry = json.loads(line)
                key = (entry["key"], entry["type"])
                if all(self._is_there(row) for row in entry["rows"]):
                    entries[key] = entry
            except (ValueError, KeyError, TypeError):
                continue  # damaged: made again
        return entries

    def note(self, outcome: Outcome) -> dict[str, Any]:
        """Add a finished piece of work to the journal; returns its line.

        Raises:
            DatasetError: The disk is full, or the like.
        """
        assert self._journal is not None
        entry = {
            "key": outcome.task.source.key,
            "type": outcome.task.kind,
            "sha256": outcome.sha256,
            "rows": list(outcome.rows),
        }
        with cannot_write(self.folder):
            self._journal.write(json.dumps(entry).encode() + b"\n")
            self._journal.flush()
        return entry

    def write_record(self, **more: Any) -> None:
        """Write `synth.json`.

        Raises:
            DatasetError: The disk is full, or the like; the one that was there stays.
        """
        text = json.dumps({**self.record, **more}, indent=1)
        self.write(RECORD, text + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a file, or leave the one that was there.

        Raises:
            DatasetError: The disk is full, or the like; the one that was there stays.
        """
        with cannot_write(self.folder), replacing(self.folder / name, alone=True) as file:
            file.write(text.encode())

    def __enter__(self) -> SynthFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()

    def _found(self) -> dict[str, Any] | None:
        path = self.folder / RECORD
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("no object")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{one_line(path)} cannot be read: {reason_of(error)}",
                hint="give --out a new or empty folder",
            ) from None
        return found

    def _is_there(self, row: dict[str, Any]) -> bool:
        try:
            return (self.folder / "images" / row["image"]).stat().st_size == row["bytes"]
        except OSError:
            return False


@contextlib.contextmanager
def cannot_write(folder: Path) -> Iterator[None]:
    """Turns a failure of the file system into one line."""
    try:
        yield
    except OSError as error:
        raise DatasetError(
            unwritable(f"'{one_line(folder)}'", error),
            hint="nothing is lost: the same command goes on where this one ended",
        ) from None


def _refuse_other(folder: Path, found: dict[str, Any], record: dict[str, Any]) -> None:
    now = json.loads(json.dumps(record))
    differences = []
    for section in _IDENTITY:
        one, other = found.get(section), now[section]
        one = one if isinstance(one, dict) else {}
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                there, given = (_shown(value.get(key)) for value in (one, other))
                differences.append(f"{section} {key} ({there} there, {given} now)")
    if differences:
        more = f" and {len(differences) - 4} more" if len(differences) > 4 else ""
        raise UsageError(
            f"'{one_line(folder)}' holds another run: {', '.join(differences[:4])}{more}",
            hint="give --out a new or empty folder, or the options of that run to go on with it",
        )


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return one_line(text if len(text) <= 40 else f"{text[:36]}...")


def _lock(journal: BinaryIO, folder: Path) -> None:
    """One run at a time; POSIX only."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        journal.close()
        raise UsageError(f"another run is writing to '{one_line(folder)}'") from None
    except OSError:
        pass  # a file system without locks is no reason to refuse


def made_by(root: Path) -> str | None:
    """The command that made the database in a folder (or of a labels.csv in it); None where `iqa data synth`
    did not make it, or does not say so."""
    try:
        record = json.loads(((root if root.is_dir() else root.parent) / RECORD).read_text(encoding="utf-8"))
        command = record["command"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return command if isinstance(command, str) else None
