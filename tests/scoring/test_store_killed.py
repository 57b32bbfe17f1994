"""A store under processes that are killed at random moments, and under several at once."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iqa_cli.scoring.storelist import StoreReader, Wanted
from tests.conftest import ROOT
from tests.scoring.fakescorers import FakeScorer, group_of, write_pictures


def start(store: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.scoring.storechild", str(store), str(folder), *options]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def scores_in(store: Path) -> dict[str, float | None]:
    with StoreReader(store) as reader:
        return {row.prediction.path: row.prediction.score for row in reader.rows(Wanted())}


def kill_until_done(store: Path, folder: Path, pictures: int, kills: int, seed: int) -> int:
    """Start and kill; returns how many crops the last process, which may end by itself, has looked at."""
    chance = random.Random(seed)
    promised: dict[str, float] = {}
    for kill in range(kills + 1):
        child = start(store, folder)
        assert child.stdout is not None and child.stderr is not None  # noqa: PT018
        last = kill == kills
        # Some die while the store is being opened, most in the middle of the work.
        lines = pictures if last else chance.choice([0, 1, chance.randrange(pictures)])
        if not lines:
            time.sleep(chance.uniform(0.0, 0.5))
        for line in (child.stdout.readline() for _ in range(lines)):
            path, score = line.rstrip("\n").split("\t")
            promised[path] = float(score)
        if not last:
            time.sleep(chance.uniform(0.0, 0.004))
            child.kill()
        # Not by `communicate`: it passes over what `readline` has read ahead, and begins within a line.
        rest, errors = child.stdout.read(), child.stderr.read()
        child.wait()
        for line in rest.splitlines(keepends=True):
            if line.endswith("\n"):
                path, score = line.rstrip("\n").split("\t")
                promised[path] = float(score)
        if not store.exists():
            assert not promised
            continue
        with sqlite3.connect(store) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        found = scores_in(store) if promised else {}
        assert {path: found.get(path) for path in promised} == promised
    assert child.returncode == 0, errors
    return int(errors)


def check_complete(store: Path, folder: Path) -> None:
    paths = sorted(map(str, folder.glob("*.bmp")))
    wanted = {record.path: record.score for record in group_of(FakeScorer()).score_many(paths)}
    assert scores_in(store) == wanted


def test_no_score_that_was_given_out_is_lost_by_a_kill(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", range(120))
    last = kill_until_done(tmp_path / "s.db", tmp_path / "pictures", 120, kills=3, seed=3)
    assert last < 120
    check_complete(tmp_path / "s.db", tmp_path / "pictures")


@pytest.mark.slow
def test_no_score_is_lost_by_sixty_kills(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", range(3000))
    kill_until_done(tmp_path / "s.db", tmp_path / "pictures", 3000, kills=60, seed=60)
    check_complete(tmp_path / "s.db", tmp_path / "pictures")


def test_two_processes_share_a_store(tmp_path: Path) -> None:
    """From its making on; one comes from each end."""
    write_pictures(tmp_path / "pictures", range(300))
    folder, store = tmp_path / "pictures", tmp_path / "s.db"
    both = [start(store, folder), start(store, folder, "--reversed")]
    said = [child.communicate() for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    assert sorted(said[0][0].splitlines()) == sorted(said[1][0].splitlines())
    check_complete(store, folder)
