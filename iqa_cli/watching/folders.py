"""Folders in which pictures arrive: by events of the system, and by looking again and again."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from iqa_cli.scoring.hashing import Stamp
from iqa_cli.text import one_line, reason_of
from iqa_cli.watching.arrivals import UNFINISHED, Arrivals, Version, unfinished, version
from iqa_cli.watching.events import Event, Observers, What

# How often it is looked whether a file has been still for long enough, and whether the folders are there.
_TICK = 0.2
# With events, everything is looked through so often all the same: the system may lose some, and knows of none
# on a disk of another machine.
_LOOK_THROUGH = 60.0
# How often where there are no events to be had.
_POLL = 2.0
# Looking through takes no more than this part of the time, however many files there are.
_SHARE = 0.05


class _Answer(NamedTuple):
    """What became of a picture."""

    path: str
    stamp: Stamp
    failed: bool
    again: bool


class Folders:
    """Folders in which pictures arrive. A context manager: watching ends with it.

    Args:
        folders: As given; paths of pictures begin with them.
        files: (folder, folders that could not be listed: takes a line each) -> all files in it, in order.
        wanted: Whether a whole file is a picture.
        deep: Whether `files` goes into sub-folders, so that events there count.
        settle: Seconds for which a file must not have changed.
        poll: Look through the folders every so many seconds; None waits for events.
        known: As of `Arrivals`.
        new: Pass over what is there at first.
        idle: Seconds without a picture after which watching ends; None goes on for ever.
        note: Takes lines for a person: of a folder that is away, also at first, which is waited for.
    """

    def __init__(
        self,
        folders: Sequence[str],
        *,
        files: Callable[[str, list[str]], Iterator[str]],
        wanted: Callable[[str], bool],
        deep: bool = False,
        settle: float = 2.0,
        poll: float | None = None,
        known: Mapping[str, Version] | None = None,
        new: bool = False,
        idle: float | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._files, self._wanted, self._note = files, wanted, note
        self._poll, self._new, self._idle = poll, new, idle
        self._arrivals = Arrivals(settle, known)
        self._tick = min(_TICK, max(settle / 2, 0.01))
        self._queue: queue.SimpleQueue[Event | _Answer | None] = queue.SimpleQueue()
        self._observers = Observers(deep, self._queue.put)
        # Folder -> device and inode: another one of the same name is to be observed anew. None while away.
        self._places: dict[str, tuple[int, int] | None] = dict.fromkeys(folders)
        self._refused: set[str] = set()
        self._unanswered = 0
        # Whether something has come that only looking through everything can tell.
        self._soon = False

    def __enter__(self) -> Folders:
        for folder in self._places:
            if not self._find(folder):
                self._say_gone(folder)
        if self._new:
            self._arrivals.pass_over(self._all())
        else:
            self._look_through()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._observers.close()

    @property
    def polls(self) -> float | None:
        """Seconds between two looks, where there are no events."""
        return self._poll

    def arriving(self) -> Iterator[tuple[str, Stamp]]:
        """Pictures as they are whole, each with its stamp; waits for the next one.

        Each must be answered by `answer`. Ends when nothing has come for as long as was asked, and with the
        context.
        """
        looked = busy = time.monotonic()
        took, usual = 0.0, 0.0
        while self._listen():
            self._soon |= any([self._find(folder) for folder in self._places])  # noqa: C419 - all of them
            pause = max(0.0 if self._soon else usual, took / _SHARE)
            if time.monotonic() - looked >= pause:
                began = time.monotonic()
                self._look_through()
                looked, usual = time.monotonic(), self._poll or _LOOK_THROUGH
                took = looked - began
            for path in self._arrivals.due(time.monotonic()):
                stamp = _stamp(path)
                if stamp is None:
                    self._arrivals.gone(path)
                elif not _reserved(path, stamp) and self._taken(path, stamp):
                    self._unanswered += 1
                    yield path, stamp
            if self._idle is not None:
                if self._unanswered or any(map(self._wanted, self._arrivals.waiting())):
                    busy = time.monotonic()
                elif time.monotonic() - busy >= self._idle:
                    return

    def answer(self, path: str, stamp: Stamp, *, failed: bool) -> bool:
        """Say what became of a picture; from any thread.

        Returns:
            Whether that version of it was looked at: not where it has changed since, in which case it comes
            again. One that has vanished was.
        """
        now = _stamp(path)
        changed = now is not None and version(now) != version(stamp)
        # A vanished one that was scored need not be scored again when it is back.
        self._queue.put(_Answer(path, stamp, failed, changed or (now is None and failed)))
        return not changed

    def _taken(self, path: str, stamp: Stamp) -> bool:
        return self._arrivals.take(path, stamp, time.monotonic()) and self._wanted(path)

    def _listen(self) -> bool:
        """Wait a moment for what happens, and take in all that has; False when watching has ended."""
        with contextlib.suppress(queue.Empty):
            said = self._queue.get(timeout=self._tick)
            while said is not None:
                if isinstance(said, _Answer):
                    self._answered(said)
                else:
                    self._happened(said)
                said = self._queue.get_nowait()
            return False
        return True

    def _answered(self, answer: _Answer) -> None:
        self._unanswered -= 1
        if answer.again:
            self._arrivals.again(answer.path, answer.stamp)
            self._see(answer.path)
        elif answer.failed:
            self._arrivals.failed(answer.path, answer.stamp)

    def _happened(self, event: Event) -> None:
        if event.what is What.FOLDERS:
            self._soon = True
        elif event.what is What.GONE or not self._see(event.path):
            self._arrivals.gone(event.path)
        elif event.what is What.WRITTEN:
            self._arrivals.opened(event.path)
        elif event.what is What.CLOSED:
            self._arrivals.closed(event.path)

    def _see(self, path: str) -> bool:
        stamp = _stamp(path)
        if stamp is not None:
            self._arrivals.see(path, stamp, time.monotonic())
        return stamp is not None

    def _find(self, folder: str) -> bool:
        """Look whether a folder is there; whether it is a new one."""
        try:
            found = os.stat(folder)  # noqa: PTH116 - of the name as given
            place = (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None
        except OSError:
            place = None
        if place == self._places[folder]:
            return False
        self._observers.stop(folder)
        if place is None:
            self._say_gone(folder)
        elif self._poll is None:
            self._observe(folder)
        self._places[folder] = place
        return place is not None

    def _say_gone(self, folder: str) -> None:
        self._note(f"{one_line(folder)} is gone; waiting for it")

    def _observe(self, folder: str) -> None:
        try:
            self._observers.start(folder)
        except OSError as error:
            self._poll = _POLL
            full = error.errno in (errno.ENOSPC, errno.EMFILE)
            why = "it watches too many folders already" if full else reason_of(error)
            self._note(f"{one_line(folder)}: no word from the system ({why}); looking every {_POLL:g} s")

    def _look_through(self) -> None:
        self._soon = False
        now = time.monotonic()
        for path, stamp in self._all():
            self._arrivals.see(path, stamp, now)

    def _all(self) -> Iterator[tuple[str, Stamp]]:
        """All files that there are."""
        refused: list[str] = []
        for folder, place in self._places.items():
            for path in () if place is None else self._files(folder, refused):
                stamp = None if unfinished(Path(path).name) else _stamp(path)
                if stamp is not None:
                    yield path, stamp
        for line in refused:
            if line not in self._refused:
                self._note(line)
        self._refused = set(refused)


def _stamp(path: str) -> Stamp | None:
    """What the system says of a file; None where there is none."""
    try:
        return Stamp.of(os.stat(path))  # noqa: PTH116 - of the name as given
    except (OSError, ValueError):
        return None


def _reserved(path: str, stamp: Stamp) -> bool:
    """Whether an empty file only keeps the name for one that is being written beside it, as browsers do."""
    return stamp.size == 0 and any(os.path.lexists(path + ending) for ending in UNFINISHED)
