"""The store: what has been scored, in one SQLite file, so that nothing is scored twice.

    store = Store("scores.db")
    memory = store.memory(keys_of(group, weights), max_pixels=...)
    for prediction in group.score_many(paths, memory=memory): ...

A score is found by the SHA-256 of the picture's file and by a `ScorerKey`, never by a name. The store also
remembers under which path a content was met, and how the file looked to the system then: one that looks the
same is not read again. Every score is committed before its record is given out, so that killing the process
loses none; several processes can use one store.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from types import TracebackType

from iqa_cli.images.decode import Source
from iqa_cli.scoring.hashing import Hashed, Stamp, read_hashed
from iqa_cli.scoring.scored import Looked, Scored, reason_in_row
from iqa_cli.scoring.storefile import StoreError, is_sound, open_store, place_of, told
from iqa_cli.scoring.storekey import ScorerKey

__all__ = ["Store", "StoreError", "StoreMemory"]

_COLUMNS = tuple(entry.name for entry in fields(Scored))
# A file system may count time in steps of two seconds: a file that was read sooner after its last change may
# have been changed again with the same stamp.
_STEP = 2_000_000_000

_BY_STAMP = f"""
    SELECT s.scorer, {", ".join(f"s.{name}" for name in _COLUMNS)}
    FROM files f JOIN scores s ON s.picture = f.picture
    WHERE f.path = ? AND f.size = ? AND f.modified = ? AND f.changed = ? AND f.inode = ?
      AND f.read_at > MAX(f.modified, f.changed) + {_STEP} AND s.score IS NOT NULL"""
_BY_CONTENT = f"""
    SELECT s.scorer, {", ".join(f"s.{name}" for name in _COLUMNS)}
    FROM pictures p JOIN scores s ON s.picture = p.id
    WHERE p.sha256 = ? AND s.score IS NOT NULL"""
_PUT_FILE = """
    INSERT INTO files (path, picture, size, modified, changed, inode, read_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET picture = excluded.picture, size = excluded.size,
        modified = excluded.modified, changed = excluded.changed, inode = excluded.inode,
        read_at = excluded.read_at"""
# A failure, which may be one of this machine (its memory), never takes the place of a score.
_PUT_SCORE = f"""
    INSERT INTO scores (picture, scorer, {", ".join(_COLUMNS)}, error)
    VALUES (?, ?, {", ".join("?" for _ in _COLUMNS)}, ?)
    ON CONFLICT (picture, scorer) DO UPDATE
        SET {", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS, "error"))}
        WHERE excluded.score IS NOT NULL OR scores.score IS NULL"""


class Store:
    """A store, opened; made when there is none. A context manager.

    Args:
        path: The file.

    Raises:
        StoreError: It is no store, is that of a newer program, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = place_of(path)
        # Reading must not wait for a writer, so it has a connection of its own.
        self._writer = open_store(self.path)
        self._reader = open_store(self.path)
        self._reading = threading.Lock()

    def memory(
        self, keys: Sequence[ScorerKey], *, max_pixels: int = 250_000_000, trust_stamps: bool = True
    ) -> StoreMemory:
        """What `ScorerGroup.score_many` takes.

        Args:
            keys: Of the scorers of the group, in their order.
            max_pixels: What is known of larger pictures is passed over, so that they are refused as without a
                store.
            trust_stamps: Take a file that looks unchanged to the system for unchanged, without reading it.
        """
        with self._transaction():
            for key in keys:
                self._writer.execute(
                    "INSERT OR IGNORE INTO scorers (model, weight, policy, settings) VALUES (?, ?, ?, ?)",
                    (key.model, key.weight, key.policy, key.settings),
                )
            found = "SELECT id FROM scorers WHERE weight = ? AND policy = ? AND settings = ?"
            lanes = {
                self._writer.execute(found, (key.weight, key.policy, key.settings)).fetchone()[0]: lane
                for lane, key in enumerate(keys)
            }
        return StoreMemory(self, lanes, max_pixels, trust_stamps)

    def known(self, sql: str, values: Sequence[object], lanes: Mapping[int, int]) -> dict[int, Scored]:
        """Lane -> what is stored, by `_BY_STAMP` or `_BY_CONTENT`; called from any thread."""
        with self._reading:
            rows = self._reader.execute(sql, values).fetchall()
        return {lanes[row[0]]: Scored(*row[1:]) for row in rows if row[0] in lanes and is_sound(row[1:])}

    def put(
        self, path: str | bytes | None, hashed: Hashed, rows: Sequence[tuple[int, Scored | Exception]]
    ) -> None:
        """Keep, in one transaction, what scorers (by their row in the store) said of a content; and, under a
        path, which content its file has.

        Raises:
            StoreError: The disk is full, the store is locked for a minute, ...
        """
        with self._transaction():
            execute = self._writer.execute
            execute("INSERT OR IGNORE INTO pictures (sha256) VALUES (?)", (hashed.sha256,))
            (picture,) = execute("SELECT id FROM pictures WHERE sha256 = ?", (hashed.sha256,)).fetchone()
            if path is not None and hashed.stamp is not None:
                execute(_PUT_FILE, (path, picture, *hashed.stamp, hashed.read_at))
            for scorer, said in rows:
                if isinstance(said, Scored):
                    execute(_PUT_SCORE, (picture, scorer, *astuple(said), None))
                else:
                    unknown = (None,) * len(_COLUMNS)
                    execute(_PUT_SCORE, (picture, scorer, *unknown, reason_in_row(said)))

    def close(self) -> None:
        """Close it; harmless when repeated."""
        with self._reading:
            self._reader.close()
        self._writer.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, also when Ctrl-C comes in the middle."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise told(self.path, error) from None


@dataclass(frozen=True)
class _Key:
    path: str | bytes | None
    hashed: Hashed


class StoreMemory:
    """A store as the memory of a group of scorers (`iqa_cli.scoring.scored.Memory`).

    Args:
        store: Where.
        lanes: Row of a scorer in the store -> its lane.
        max_pixels, trust_stamps: As of `Store.memory`.

    Attributes:
        recalled, kept: How many pictures were known to all scorers, and how many were not.
    """

    def __init__(self, store: Store, lanes: Mapping[int, int], max_pixels: int, trust_stamps: bool) -> None:
        self._store, self._lanes = store, dict(lanes)
        self._scorers = {lane: scorer for scorer, lane in lanes.items()}
        self._max_pixels, self._trust_stamps = max_pixels, trust_stamps
        self._failure: Exception | None = None
        self.recalled = self.kept = 0

    def look(self, source: Source) -> Looked:
        """See `Memory.look`. A path and the bytes of a file can be known; other sources are passed on."""
        if isinstance(source, (str, os.PathLike)):
            path = _filed(source)
            if self._trust_stamps:
                known = self._unchanged(source, path)
                if len(known) == len(self._lanes):
                    return Looked(source, known)
            hashed = read_hashed(source)
        elif isinstance(source, bytes):
            path, hashed = None, Hashed.of_bytes(source)
        else:
            return Looked(source)
        return Looked(hashed.source, self._known(_BY_CONTENT, (hashed.sha256,)), _Key(path, hashed))

    def keep(self, looked: Looked, scored: Sequence[Scored | Exception]) -> None:
        """See `Memory.keep`.

        Raises:
            StoreError: The store cannot be read or written.
        """
        if self._failure is not None:
            raise self._failure
        new = [(self._scorers[lane], said) for lane, said in enumerate(scored) if lane not in looked.known]
        if new:
            self.kept += 1
        else:
            self.recalled += 1
        if isinstance(looked.key, _Key) and looked.key.hashed.still_there:
            self._store.put(looked.key.path, looked.key.hashed, new)

    def _unchanged(self, source: str | os.PathLike[str], path: str | bytes) -> dict[int, Scored]:
        try:
            stamp = Stamp.of(os.stat(source))  # noqa: PTH116 - of any kind of path
        except (OSError, ValueError):
            return {}
        return self._known(_BY_STAMP, (path, *stamp))

    def _known(self, sql: str, values: Sequence[object]) -> dict[int, Scored]:
        try:
            found = self._store.known(sql, values, self._lanes)
        except sqlite3.Error as error:
            # Raised here it would be the failure of one picture; `keep` ends the run by it.
            self._failure = self._failure or told(self._store.path, error)
            return {}
        return {
            lane: scored
            for lane, scored in found.items()
            if (scored.width or 0) * (scored.height or 0) <= self._max_pixels
        }


def _filed(path: str | os.PathLike[str]) -> str | bytes:
    """A path as it is stored: absolute; as bytes where it is no text."""
    name = os.path.abspath(os.fspath(path))  # noqa: PTH100 - links are not followed
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name)
    return name
