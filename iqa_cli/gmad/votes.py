"""The votes of a competition: `votes.sqlite` beside `gmad.json`.

Each vote is a transaction that is on the disk (WAL, synchronous=FULL) before the call returns: whatever ends
the program afterwards loses none. What an observer is shown, in which order and on which side, is drawn once
and recorded; a vote that is taken back stays in the file, marked so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from iqa_cli.errors import DatasetError
from iqa_cli.gmad.session import Competition, Pair
from iqa_cli.gmad.trials import CHOICES, NameTaken, OutOfStep, State, Vote, order
from iqa_cli.text import one_line, printable, reason_of

FILE = "votes.sqlite"
_VERSION = "1"
_LONGEST_NAME = 60

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS observers (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, joined TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trials (
  observer TEXT NOT NULL REFERENCES observers, position INTEGER NOT NULL, pair TEXT NOT NULL,
  first_on TEXT NOT NULL CHECK (first_on IN ('left', 'right')),
  PRIMARY KEY (observer, position), UNIQUE (observer, pair)
);
CREATE TABLE IF NOT EXISTS votes (
  id INTEGER PRIMARY KEY, observer TEXT NOT NULL, position INTEGER NOT NULL,
  choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'none', 'skip')),
  milliseconds INTEGER, at TEXT NOT NULL, undone TEXT,
  FOREIGN KEY (observer, position) REFERENCES trials
);
CREATE UNIQUE INDEX IF NOT EXISTS live ON votes (observer, position) WHERE undone IS NULL;
"""


class Votes:
    """The votes of one competition. One object may be used by many threads, one file by several programs.

    Args:
        folder: Of the competition.
        competition: What is voted on.
        create: Make the file where there is none.

    Raises:
        DatasetError: There is none, it is damaged or cannot be written, or its votes are of other pairs.
    """

    def __init__(self, folder: Path, competition: Competition, *, create: bool = True) -> None:
        self.path = folder / FILE
        self._pairs = competition.pairs
        self._lock = threading.Lock()
        if not create and not self.path.is_file():
            raise DatasetError(
                f"'{one_line(folder)}' has no votes yet",
                hint=f"iqa gmad --judge {one_line(folder)} asks for them",
            )
        try:
            if create:
                # The token in it is for the owner alone; sqlite gives its other files the same mode.
                self.path.touch(mode=0o600, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=20, isolation_level=None, check_same_thread=False)
            self._begin(competition, create)
        except (sqlite3.Error, OSError) as error:
            raise DatasetError(f"{one_line(self.path)}: cannot be used: {reason_of(error)}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    @property
    def token(self) -> str:
        """What a browser has to know; the same for the life of the file, so that addresses stay good."""
        with self._lock:
            return str(self._base.execute("SELECT value FROM facts WHERE name = 'token'").fetchone()[0])

    def join(self, name: str, *, again: bool = False) -> State:
        """A new observer with an order and sides of their own, or one who goes on.

        Args:
            name: 1 to 60 printable characters; white space around it is left out.
            again: Whether an observer of this name goes on.

        Raises:
            ValueError: It is no name.
            NameTaken: There is one of this name, and `again` is not given.
        """
        name = unicodedata.normalize("NFC", name).strip()
        if not name or len(name) > _LONGEST_NAME or printable(name) != name:
            raise ValueError(f"a name has 1 to {_LONGEST_NAME} printable characters")
        with self._writing():
            found = self._base.execute("SELECT id FROM observers WHERE name = ?", (name,)).fetchone()
            if found is None:
                observer = secrets.token_urlsafe(12)
                self._base.execute("INSERT INTO observers VALUES (?, ?, ?)", (observer, name, _now()))
                rng = random.SystemRandom()
                self._base.executemany(
                    "INSERT INTO trials VALUES (?, ?, ?, ?)",
                    [
                        (observer, position, self._pairs[place].id, rng.choice(("left", "right")))
                        for position, place in enumerate(order(self._pairs, rng))
                    ],
                )
            else:
                observer = found[0]
        state = self.state(observer)
        if found is not None and not again:
            raise NameTaken(f"{state.done} of {state.total}")
        return state

    def state(self, observer: str) -> State:
        """Where an observer stands.

        Raises:
            KeyError: There is no such observer.
        """
        with self._lock:
            return self._state(observer)

    def trial(self, observer: str, position: int) -> tuple[Pair, str]:
        """The pair of a trial, and the side of its first picture.

        Raises:
            KeyError: There is no such trial.
        """
        with self._lock:
            found = self._base.execute(
                "SELECT pair, first_on FROM trials WHERE observer = ? AND position = ?", (observer, position)
            ).fetchone()
        if found is None:
            raise KeyError(observer)
        return next(pair for pair in self._pairs if pair.id == found[0]), found[1]

    def vote(self, observer: str, position: int, choice: str, milliseconds: int | None = None) -> State:
        """Record a vote on the trial that is due; when this returns, it is on the disk.

        Raises:
            KeyError: There is no such observer.
            ValueError: There is no such choice.
            OutOfStep: Another trial is due.
            sqlite3.Error: It could not be saved.
        """
        if choice not in CHOICES:
            raise ValueError("a choice is left, right, none or skip")
        with self._writing():
            if self._state(observer).position != position:
                raise OutOfStep
            self._base.execute(
                "INSERT INTO votes (observer, position, choice, milliseconds, at) VALUES (?, ?, ?, ?, ?)",
                (observer, position, choice, milliseconds, _now()),
            )
        return self.state(observer)

    def undo(self, observer: str, position: int) -> State:
        """Take the last vote back.

        Raises:
            KeyError: There is no such observer.
            OutOfStep: The last vote is of another trial.
            sqlite3.Error: It could not be saved.
        """
        with self._writing():
            self._state(observer)
            last = self._base.execute(
                "SELECT max(position) FROM votes WHERE observer = ? AND undone IS NULL", (observer,)
            ).fetchone()[0]
            if last is None or last != position:
                raise OutOfStep
            self._base.execute(
                "UPDATE votes SET undone = ? WHERE observer = ? AND position = ? AND undone IS NULL",
                (_now(), observer, position),
            )
        return self.state(observer)

    def counted(self) -> list[Vote]:
        """All votes that count, in the order in which they were given."""
        with self._lock:
            found = self._base.execute(
                "SELECT o.name, t.pair, t.first_on, v.choice, v.milliseconds FROM votes v"
                " JOIN trials t USING (observer, position) JOIN observers o ON o.id = v.observer"
                " WHERE v.undone IS NULL ORDER BY v.id"
            ).fetchall()
        return [Vote(*row) for row in found]

    def _state(self, observer: str) -> State:
        found = self._base.execute(
            "SELECT o.name, count(t.position), count(v.id),"
            " min(CASE WHEN v.id IS NULL THEN t.position END) FROM observers o"
            " LEFT JOIN trials t ON t.observer = o.id"
            " LEFT JOIN votes v ON v.observer = o.id AND v.position = t.position AND v.undone IS NULL"
            " WHERE o.id = ? GROUP BY o.id",
            (observer,),
        ).fetchone()
        if found is None:
            raise KeyError(observer)
        name, total, done, due = found
        return State(observer, name, done, total, due)

    def _begin(self, competition: Competition, create: bool) -> None:
        facts = {"version": _VERSION, "pairs": _fingerprint(competition), "token": secrets.token_urlsafe(24)}
        if create:
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.execute("PRAGMA foreign_keys = ON")
            self._base.executescript(_TABLES)
            with self._writing():
                self._base.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", list(facts.items()))
        stands = dict(self._base.execute("SELECT name, value FROM facts").fetchall())
        if stands.get("version") != _VERSION:
            raise DatasetError(f"{one_line(self.path)}: is of another version of iqa")
        if stands.get("pairs") != facts["pairs"]:
            raise DatasetError(
                f"{one_line(self.path)}: its votes are not of the pairs that gmad.json has now",
                hint="mine into another folder, or move votes.sqlite away",
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise


def _fingerprint(competition: Competition) -> str:
    """A hash of what is voted on."""
    facts = [
        (pair.id, pair.attacker, pair.defender, pair.first.path, pair.second.path, pair.expected)
        for pair in competition.pairs
    ]
    return hashlib.sha256(json.dumps(facts).encode("ascii")).hexdigest()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
