"""Very many names in little memory: beyond a few thousand they go to a temporary file of SQLite, which is
nobody else's and is gone with its connection."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from iqa_cli.errors import UsageError

# About two megabytes.
_IN_MEMORY = 20_000


class NameSet:
    """Which names there have been. Takes them from any thread, one at a time."""

    def __init__(self) -> None:
        self._few: set[bytes] = set()
        self._many: sqlite3.Connection | None = None

    def add(self, name: str) -> bool:
        """Whether it is a new one; from now on it is not."""
        # Two names among a million have the same 128 bits with a probability of 1e-27.
        key = hashlib.blake2b(_encoded(name), digest_size=16).digest()
        if key in self._few:
            return False
        if self._many is None and len(self._few) < _IN_MEMORY:
            self._few.add(key)
            return True
        try:
            if self._many is None:
                self._many = _temporary("CREATE TABLE names (key BLOB PRIMARY KEY) WITHOUT ROWID")
            return self._many.execute("INSERT OR IGNORE INTO names VALUES (?)", (key,)).rowcount == 1
        except sqlite3.Error as error:
            raise _no_room(error) from None


def in_order(names: Iterable[str]) -> Iterator[str]:
    """The names as `sorted` orders them, by code points; all are read before the first is given."""
    rest = iter(names)
    few = sorted(islice(rest, _IN_MEMORY))
    first = next(rest, None)
    if first is None:
        return iter(few)
    # Bytes of UTF-8 have the order of code points, lone surrogates included.
    return _kept(chain(few, (first,), rest), "ORDER BY name")


def counted(names: Iterable[str]) -> tuple[int, Iterator[str]]:
    """How many names there are, and these names again; all are read first."""
    rest = iter(names)
    few = list(islice(rest, _IN_MEMORY))
    number = len(few)

    def further() -> Iterator[str]:
        nonlocal number
        for name in rest:
            number += 1
            yield name

    others = further()
    first = next(others, None)
    if first is None:
        return number, iter(few)
    kept = _kept(chain((first,), others), "ORDER BY rowid")
    return number, chain(few, kept)


def _kept(names: Iterable[str], order: str) -> Iterator[str]:
    try:
        connection = _temporary("CREATE TABLE names (name BLOB)")
        connection.executemany("INSERT INTO names VALUES (?)", ((_encoded(name),) for name in names))
    except sqlite3.Error as error:
        raise _no_room(error) from None
    return _read(connection, order)


def _read(connection: sqlite3.Connection, order: str) -> Iterator[str]:
    try:
        for (name,) in connection.execute(f"SELECT name FROM names {order}"):
            yield name.decode("utf-8", "surrogatepass")
    except sqlite3.Error as error:
        raise _no_room(error) from None
    finally:
        connection.close()


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _temporary(table: str) -> sqlite3.Connection:
    # The decoding threads take turns in reading a list.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -4096"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute(table)
    connection.execute("BEGIN")
    return connection


def _no_room(error: sqlite3.Error) -> UsageError:
    return UsageError(
        f"the names of the pictures do not fit into the folder for temporary files: {error}",
        hint="SQLITE_TMPDIR=FOLDER names another one",
    )
