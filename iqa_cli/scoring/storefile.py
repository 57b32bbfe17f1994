"""The file of a store: its tables, and opening it with one clear line for whatever is wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

# "iqaS": what tells a store from the databases of other programs.
APPLICATION = 0x69716153
VERSION = 1
# How long another process is waited for.
_PATIENCE_SECONDS = 60.0
# Bytes: the shared file beside a store grows by 32 KiB.
_PAGES = 64 * 1024

# path is TEXT, or BLOB where the name is no UTF-8. A picture that could not be scored has an error, no score.
_TABLES = """
CREATE TABLE scorers (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    weight TEXT NOT NULL,
    policy TEXT NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (weight, policy, settings)
);
CREATE TABLE pictures (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE);
CREATE TABLE files (
    path PRIMARY KEY NOT NULL,
    picture INTEGER NOT NULL REFERENCES pictures (id),
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    read_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE scores (
    picture INTEGER NOT NULL REFERENCES pictures (id),
    scorer INTEGER NOT NULL REFERENCES scorers (id),
    score REAL,
    spread REAL,
    raw REAL,
    crops INTEGER,
    width INTEGER,
    height INTEGER,
    distortion TEXT,
    distortion_level INTEGER,
    low REAL,
    high REAL,
    error TEXT,
    PRIMARY KEY (picture, scorer)
) WITHOUT ROWID;
CREATE INDEX files_by_picture ON files (picture);
CREATE INDEX scores_by_score ON scores (scorer, score);
"""


# What SQLite may have in a column of scores, in the order of `Scored`: it keeps any kind of value in any
# column, so that a store from elsewhere can hold bytes or text where a number belongs.
_NUMBER, _WHOLE, _TEXT = ({kind, type(None)} for kind in (float, int, str))
_NUMBER.add(int)
_KINDS = (_NUMBER, _NUMBER, _NUMBER, _WHOLE, _WHOLE, _WHOLE, _TEXT, _WHOLE, _NUMBER, _NUMBER)


class StoreError(UsageError):
    """A store cannot be opened, read or written."""


def place_of(path: str | os.PathLike[str]) -> Path:
    """The place of a store by its name.

    Raises:
        StoreError: The name is empty, which as a path would be the folder that we are in.
    """
    if not os.fspath(path):
        raise StoreError("the name of the store is empty")
    return Path(path)


def open_store(path: Path, *, make: bool = True) -> sqlite3.Connection:
    """A connection to a store, for any thread; it commits by itself where no transaction was begun.

    Args:
        path: The file.
        make: Make an empty store where there is none.

    Raises:
        StoreError: It is missing, no store, that of a newer program, or cannot be opened.
    """
    name = one_line(path)
    try:
        if path.is_dir():
            raise StoreError(f"{name} is a folder, not a store")
        if path.exists() and not path.is_file():
            raise StoreError(f"{name} is no regular file (a pipe, socket or device)")
        if not make and not path.exists():
            raise StoreError(f"there is no store {name}", hint="iqa score --store FILE makes one")
    except (OSError, ValueError) as error:
        raise StoreError(f"{name}: cannot be opened: {one_line(str(error))}") from None
    connection = None
    try:
        archived = not make and _is_archived(path)
        place = f"{Path(os.path.realpath(path)).as_uri()}?immutable=1" if archived else path
        connection = sqlite3.connect(
            place, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False, uri=archived
        )
        _check(connection, path)
        if not archived:
            _prepare(connection)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise told(path, error) from None
        raise
    return connection


def _is_archived(path: Path) -> bool:
    """Whether a store is on a disk that nobody writes to, with nothing of a log beside it: SQLite, which
    makes files beside a store to read it, has to be told that it cannot change."""
    real = os.path.realpath(path)
    return not os.access(Path(real).parent, os.W_OK) and not os.path.lexists(f"{real}-wal")


def is_sound(scored: Sequence[object]) -> bool:
    """Whether values, in the order of the fields of `Scored`, are of the kinds that were put in."""
    return all(type(value) in kinds for value, kinds in zip(scored, _KINDS, strict=True))


def told(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite complains of, as one line with a hint."""
    name, text = one_line(path), one_line(str(error))
    if "locked" in text:
        return StoreError(f"{name}: another process has held the store for {_PATIENCE_SECONDS:.0f} seconds")
    if "not a database" in text:
        return StoreError(f"{name} is no store of scores", hint="--store takes a file that iqa has made")
    if "malformed" in text:
        return StoreError(
            f"{name}: the store is damaged ({text})", hint="sqlite3 FILE .recover saves the rest"
        )
    if "is full" in text or ("I/O" in text and _no_space(path)):
        return StoreError(f"{name}: no space left on device", hint="what it holds already is kept")
    if "unable to open" in text:
        return StoreError(f"{name}: cannot be opened", hint="is there such a folder, and may it be written?")
    return StoreError(f"{name}: {text}")


def _no_space(path: Path) -> bool:
    """Whether the disk of a store has no room for a page or two: SQLite calls it an error of reading and
    writing where the file that several processes share cannot grow."""
    try:
        return shutil.disk_usage(path.absolute().parent).free < _PAGES
    except OSError:
        return False


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not ours before anything is written to it."""
    # At one moment: another process may be making the tables.
    connection.execute("BEGIN")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute("COMMIT")
    if application != APPLICATION and (tables or application or version):
        raise StoreError(
            f"{one_line(path)} is a database of another program",
            hint="--store takes a file that iqa has made",
        )
    if version > VERSION:
        raise StoreError(f"{one_line(path)} was made by a newer version of iqa", hint="upgrade iqa-cli")


def _prepare(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            # With a log beside the file, readers and the writer do not wait for each other, and a commit is
            # safe from a killed process without waiting for the disk. Some network file systems cannot; then
            # SQLite keeps its usual journal.
            (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # Switching does not wait for others as all else does.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")
    if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
