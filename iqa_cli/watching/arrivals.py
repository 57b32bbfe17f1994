"""Which files have arrived whole: the rules, without a clock, a disk or a thread of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from iqa_cli.scoring.hashing import Stamp

#: Endings under which browsers, file transfers and editors keep what is not whole yet, until they rename it.
UNFINISHED = frozenset(
    {".part", ".partial", ".crdownload", ".opdownload", ".download", ".filepart", ".tmp", ".temp", ".swp"}
)
# A file that its writer has closed waits only so many seconds: some open it once more.
_CLOSED_SECONDS = 0.5
# One that was written to and not closed is waited for so many times as long, and no longer: it may have been
# changed by its name, which closes nothing. Nor is an empty one taken for whole at once.
_OPEN_TIMES = 10

#: What tells a version of a file from another one: time of modification in nanoseconds, size in bytes.
Version = tuple[int, int]


def unfinished(name: str) -> bool:
    """Whether a name (no folder) is hidden, as those of rsync while it writes, or that of an unfinished
    file."""
    return name.startswith(".") or name.endswith("~") or PurePath(name).suffix.lower() in UNFINISHED


def version(stamp: Stamp) -> Version:
    """The version of a file that looks so to the system."""
    return stamp.modified, stamp.size


@dataclass(slots=True)
class _Waiting:
    stamp: Stamp
    since: float
    opened: bool = False
    closed: bool = False


class Arrivals:
    """Files that wait until they are whole, and the versions of those that have been dealt with.

    A file is whole when its size and time of modification have been the same for some seconds; where the
    system tells of it, it must also have been closed by what wrote to it.

    Args:
        settle: Seconds without a change.
        known: Absolute path -> version that has been dealt with before.
    """

    def __init__(self, settle: float, known: Mapping[str, Version] | None = None) -> None:
        self._settle = settle
        self._done: dict[str, Version] = dict(known or {})
        # Path -> time of change of its inode, of files that could not be scored: new permissions, which are
        # no new version, are a reason to try again.
        self._failed: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}

    def waiting(self) -> list[str]:
        """Those that wait, in the order in which they came."""
        return list(self._waiting)

    def see(self, path: str, stamp: Stamp, now: float) -> None:
        """A file was looked at.

        Args:
            path: Its path.
            stamp: What the system says of it.
            now: Seconds on a clock that never goes back.
        """
        waiting = self._waiting.get(path)
        if waiting is not None and waiting.stamp == stamp:
            return
        if self._dealt_with(path, stamp):
            self._waiting.pop(path, None)
        elif waiting is None:
            self._waiting[path] = _Waiting(stamp, now)
        else:
            waiting.stamp, waiting.since = stamp, now

    def opened(self, path: str) -> None:
        """It is being written to."""
        if path in self._waiting:
            self._waiting[path].opened, self._waiting[path].closed = True, False

    def closed(self, path: str) -> None:
        """What wrote to it has closed it, or has given it this name."""
        if path in self._waiting:
            self._waiting[path].opened, self._waiting[path].closed = False, True

    def gone(self, path: str) -> None:
        """There is no such file."""
        self._waiting.pop(path, None)

    def due(self, now: float) -> list[str]:
        """Those that have not changed for long enough, in the order in which they came; `take` them."""
        return [
            path for path, waiting in self._waiting.items() if now - waiting.since >= self._needs(waiting)
        ]

    def take(self, path: str, stamp: Stamp, now: float) -> bool:
        """Deal with a file that is due, if it is still as it was; otherwise it goes on waiting.

        Args:
            path: Its path.
            stamp: What the system says of it now.
            now: As of `see`.
        """
        self.see(path, stamp, now)
        waiting = self._waiting.get(path)
        if waiting is None or now - waiting.since < self._needs(waiting):
            return False
        del self._waiting[path]
        self._done[_key(path)] = version(stamp)
        self._failed.pop(_key(path), None)
        return True

    def again(self, path: str, stamp: Stamp) -> None:
        """It changed while it was dealt with as that version, or vanished: what stands there next is new."""
        if self._done.get(_key(path)) == version(stamp):
            del self._done[_key(path)]

    def failed(self, path: str, stamp: Stamp) -> None:
        """That version could not be scored: it is tried again when it changes in any way."""
        if self._done.get(_key(path)) == version(stamp):
            self._failed[_key(path)] = stamp.changed

    def pass_over(self, files: Iterable[tuple[str, Stamp]]) -> None:
        """Take files for dealt with as they are now."""
        self._done.update((_key(path), version(stamp)) for path, stamp in files)

    def _dealt_with(self, path: str, stamp: Stamp) -> bool:
        key = _key(path)
        return self._done.get(key) == version(stamp) and self._failed.get(key) in (None, stamp.changed)

    def _needs(self, waiting: _Waiting) -> float:
        if waiting.opened or (waiting.stamp.size == 0 and not waiting.closed):
            return _OPEN_TIMES * self._settle
        return min(_CLOSED_SECONDS, self._settle) if waiting.closed else self._settle


def _key(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links are not followed
