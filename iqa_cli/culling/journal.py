"""The journal of a culling: all steps before the first is done, then a mark for each that is.

JSON Lines, in ASCII. The steps come first and are on the disk before any file is touched, so that a run that
was killed, or whose disk is full, can be taken back or gone on with: where a mark is missing, the files
themselves tell.

    {"iqa_cull_journal": 1, "id": "3f9c", "made": "2026-11-21T23:05:10+00:00", "steps": 2}
    {"kind": "move", "source": "/a/1.jpg", "target": "/b/1.jpg", "size": 81234, "modified": 1795...}
    {"kind": "move", "source": "/a/1.xmp", "target": "/b/1.xmp", "of": 0, "size": 311, "modified": 1795...}
    {"folder": "/b"}
    {"done": 0}
    {"failed": 1, "why": "permission denied"}
    {"undone": 0}
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from iqa_cli.culling.steps import Kind, Step
from iqa_cli.errors import UsageError
from iqa_cli.replacing import is_special, unwritable
from iqa_cli.text import one_line, reason_of

_MARK = "iqa_cull_journal"
_VERSION = 1
_STATES = ("done", "failed", "undone")


class JournalError(UsageError):
    """A journal that cannot be read or written."""


class Journal:
    """An open journal; a context manager. Made by `begin` or `reopen`.

    Attributes:
        path: The file.
        steps: All steps.
        states: Number of a step -> "done", "failed" or "undone".
        folders: Folders that were made for them, in that order.
        token: Part of the names of files that are not whole yet.
    """

    def __init__(self, path: Path, steps: Sequence[Step], token: str, file: BinaryIO) -> None:
        self.path, self.steps, self.token = path, list(steps), token
        self.states: dict[int, str] = {}
        self.folders: list[str] = []
        self._file = file

    def mark(self, number: int, state: str, why: str = "") -> None:
        """Note what has become of a step.

        Raises:
            JournalError: The disk is full, ...
        """
        self._line({state: number, **({"why": why} if why else {})})
        self.states[number] = state

    def made_folder(self, folder: str) -> None:
        """Note a folder that is about to be made.

        Raises:
            JournalError: The disk is full, ...
        """
        self._line({"folder": folder})
        self.folders.append(folder)

    def part_of(self, number: int, *, back: bool = False) -> Path:
        """Where the copy of a step is written before it is whole: beside its target, on the way back beside
        its source."""
        step = self.steps[number]
        place = Path(step.source if back else step.target)
        return place.with_name(f".{place.name[:50]}.{self.token}-{number}.part")

    def waiting(self) -> list[int]:
        """Numbers of the steps that have not been done."""
        return [number for number in range(len(self.steps)) if self.states.get(number) != "done"]

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self, value: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(value).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise JournalError(unwritable(one_line(self.path), error)) from None


def begin(path: Path, steps: Sequence[Step]) -> Journal:
    """A new journal with all its steps on the disk.

    Raises:
        JournalError: There is a file of that name, no such folder, no space, ...
    """
    token = secrets.token_hex(4)
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    head = {_MARK: _VERSION, "id": token, "made": made, "steps": len(steps)}
    try:
        file = path.open("xb")
    except (OSError, ValueError) as error:
        raise JournalError(unwritable(one_line(path), error)) from None
    try:
        for line in (head, *map(_entry, steps)):
            file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        file.close()
        path.unlink(missing_ok=True)
        raise JournalError(unwritable(one_line(path), error)) from None
    return Journal(path, steps, token, file)


def reopen(path: Path) -> Journal:
    """A journal that is gone on with.

    Raises:
        JournalError: It cannot be read or written, is no journal, or a damaged one. A last line that was cut
            off is passed over.
    """
    name = one_line(path)
    try:
        if is_special(path):  # a pipe would be waited for, and a device may have no end
            raise JournalError(f"{name} is no journal of 'iqa cull'")
        content = path.read_bytes()
        file = path.open("ab")
    except (OSError, ValueError) as error:
        raise JournalError(f"cannot open the journal {name}: {reason_of(error)}") from None
    try:
        lines, torn = content.split(b"\n"), not content.endswith(b"\n")
        values = [_value(line, name, number) for number, line in enumerate(lines[:-1], start=1)]
        head = values[0] if values else {}
        if _MARK not in head:
            raise JournalError(f"{name} is no journal of 'iqa cull'")
        number, token = head.get("steps"), head.get("id")
        if head[_MARK] != _VERSION or not isinstance(number, int) or not isinstance(token, str):
            raise JournalError(f"{name} is a journal of another version of this program, or damaged")
        if len(values) <= number or not token.isalnum():
            raise JournalError(f"{name} is a damaged journal: {number:,} steps are announced")
        steps = [
            _step(value, f"{name}, line {place}") for place, value in enumerate(values[1 : number + 1], 2)
        ]
        journal = Journal(path, steps, token, file)
        for place, value in enumerate(values[number + 1 :], number + 2):
            _take(journal, value, f"{name}, line {place}")
        if torn:
            file.write(b"\n")
        return journal
    except BaseException:
        file.close()
        raise


def _entry(step: Step) -> dict[str, Any]:
    values: dict[str, Any] = {"kind": step.kind.value, "source": step.source, "target": step.target}
    for name in ("of", "size", "modified"):
        if getattr(step, name) is not None:
            values[name] = getattr(step, name)
    if step.kind is Kind.rate:
        values["before"] = None if step.before is None else base64.b64encode(step.before).decode()
        values["after"] = base64.b64encode(step.after).decode()
    return values


def _value(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line) if line else {}
    except (ValueError, RecursionError):
        # The line that a killed run did not finish: the next one began behind it.
        if b"iqa_cull" not in line and number > 1:
            return {}
        value = None
    if not isinstance(value, dict):
        raise JournalError(f"{name} is no journal of 'iqa cull' (line {number})")
    return value


def _step(value: dict[str, Any], where: str) -> Step:
    source, target, before = value.get("source"), value.get("target"), value.get("before")
    of, size, modified = (value.get(key) for key in ("of", "size", "modified"))
    try:
        if not all(isinstance(path, str) and os.path.isabs(path) for path in (source, target)):  # noqa: PTH117
            raise ValueError
        if not all(number is None or (isinstance(number, int) and number >= 0) for number in (of, size)):
            raise ValueError
        return Step(
            Kind(value.get("kind")),
            str(source),
            str(target),
            of,
            size,
            None if modified is None else int(modified),
            None if before is None else base64.b64decode(before, validate=True),
            base64.b64decode(value.get("after", ""), validate=True),
        )
    except (ValueError, TypeError, binascii.Error):
        raise JournalError(f"{where}: is no step that could be done") from None


def _take(journal: Journal, value: dict[str, Any], where: str) -> None:
    if isinstance(value.get("folder"), str):
        journal.folders.append(value["folder"])
        return
    for state in _STATES:
        number = value.get(state)
        if number is None:
            continue
        if not isinstance(number, int) or not 0 <= number < len(journal.steps):
            raise JournalError(f"{where}: there is no step {one_line(str(number))}")
        journal.states[number] = state
