"""Folders on a real disk: by events of the system and by looking again, writers that pause, renamed files."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli.walk import files_in
from iqa_cli.watching import folders as module
from iqa_cli.watching.folders import Folders

# Long enough for anything to happen on a crowded machine.
_AT_MOST = 30.0


class Watched:
    """A watch in a thread; what came, in order."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.notes: list[str] = []
        self.came: list[str] = []
        self.failing: set[str] = set()
        walk = partial(files_in, deep=options.get("deep", False))
        self.folders = Folders(
            [str(folder)],
            files=walk,
            wanted=lambda path: path.endswith(".jpg"),
            note=self.notes.append,
            **{"settle": 0.1, **options},
        )
        self._top = folder
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        for path, stamp in self.folders.arriving():
            self.came.append(os.path.relpath(path, self._top))
            self.folders.answer(path, stamp, failed=path in self.failing)

    def __enter__(self) -> Watched:
        self.folders.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.folders.__exit__()
        self._thread.join(_AT_MOST)
        assert not self._thread.is_alive()

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true."""
        end = time.monotonic() + _AT_MOST
        while not true():
            assert time.monotonic() < end, f"came: {self.came}, said: {self.notes}"
            time.sleep(0.01)


@pytest.fixture(params=["events", "polling"])
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Both ways of noticing."""
    return {"poll": 0.05} if request.param == "polling" else {}


def test_what_is_there_comes_first_then_what_arrives(tmp_path: Path, way: dict[str, Any]) -> None:
    for name in ("b.jpg", "a.jpg", ".hidden.jpg", "c.jpg.part", "d.txt"):
        (tmp_path / name).write_bytes(b"x")
    with Watched(tmp_path, **way) as watched:
        watched.until(lambda: len(watched.came) == 2)
        (tmp_path / "c.jpg.part").rename(tmp_path / "c.jpg")
        watched.until(lambda: len(watched.came) == 3)
        os.link(tmp_path / "a.jpg", tmp_path / "link.jpg")
        watched.until(lambda: len(watched.came) == 4)
        (tmp_path / "a.jpg").write_bytes(b"another one")
        watched.until(lambda: len(watched.came) >= 5)
    # The link has the new version of its file as well.
    assert watched.came[:4] == ["a.jpg", "b.jpg", "c.jpg", "link.jpg"]
    assert set(watched.came[4:]) <= {"a.jpg", "link.jpg"}


@pytest.mark.skipif(
    not hasattr(os, "fork") or os.uname().sysname != "Linux", reason="inotify tells of closing"
)
def test_a_writer_that_pauses_is_waited_for_until_it_closes(tmp_path: Path) -> None:
    with Watched(tmp_path) as watched:
        with (tmp_path / "slow.jpg").open("wb") as slow:
            slow.write(b"half")
            slow.flush()
            time.sleep(0.3)  # three times as long as a file that is closed waits
            (tmp_path / "other.jpg").write_bytes(b"whole")
            watched.until(lambda: "other.jpg" in watched.came)
            assert watched.came == ["other.jpg"]
            slow.write(b"whole")
        watched.until(lambda: "slow.jpg" in watched.came)
    assert watched.came == ["other.jpg", "slow.jpg"]


def test_sub_folders_only_where_asked_also_when_they_are_moved_in(
    tmp_path: Path, way: dict[str, Any]
) -> None:
    top, outside = tmp_path / "top", tmp_path / "day"
    (top / "old").mkdir(parents=True)
    outside.mkdir()
    for place in (top / "old", outside):
        (place / "a.jpg").write_bytes(b"x")
    with Watched(top, deep=True, **way) as deep, Watched(top, **way) as flat:
        deep.until(lambda: deep.came == ["old/a.jpg"])
        outside.rename(top / "day")
        deep.until(lambda: len(deep.came) == 2)
        (top / "day" / "b.jpg").write_bytes(b"x")
        (top / "c.jpg").write_bytes(b"x")
        deep.until(lambda: len(deep.came) == 4)
        flat.until(lambda: len(flat.came) == 1)
    assert deep.came[1] == "day/a.jpg"
    assert set(deep.came[2:]) == {"day/b.jpg", "c.jpg"}
    assert flat.came == ["c.jpg"]


def test_a_folder_that_vanishes_is_waited_for(tmp_path: Path, way: dict[str, Any]) -> None:
    top = tmp_path / "card"
    top.mkdir()
    (top / "a.jpg").write_bytes(b"x")
    os.utime(top / "a.jpg", ns=(10**18, 10**18))
    with Watched(top, **way) as watched:
        watched.until(lambda: watched.came == ["a.jpg"])
        shutil.rmtree(top)
        watched.until(lambda: any("is gone" in note for note in watched.notes))
        top.mkdir()
        (top / "a.jpg").write_bytes(b"x")
        os.utime(top / "a.jpg", ns=(10**18, 10**18))  # the same card put in again
        (top / "b.jpg").write_bytes(b"x")
        watched.until(lambda: "b.jpg" in watched.came)
        (top / "c.jpg").write_bytes(b"x")
        watched.until(lambda: "c.jpg" in watched.came)
    assert watched.came[-1] == "c.jpg"
    assert len([note for note in watched.notes if "is gone" in note]) == 1


def test_a_folder_that_is_away_when_watching_begins_is_waited_for(
    tmp_path: Path, way: dict[str, Any]
) -> None:
    top = tmp_path / "card"
    with Watched(top, **way) as watched:
        assert watched.notes == [f"{top} is gone; waiting for it"]
        top.mkdir()
        (top / "a.jpg").write_bytes(b"x")
        watched.until(lambda: watched.came == ["a.jpg"])
        (top / "b.jpg").write_bytes(b"x")
        watched.until(lambda: watched.came == ["a.jpg", "b.jpg"])
    assert len(watched.notes) == 1


def test_only_new_ones(tmp_path: Path, way: dict[str, Any]) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with Watched(tmp_path, new=True, **way) as watched:
        (tmp_path / "b.jpg").write_bytes(b"x")
        watched.until(lambda: bool(watched.came))
    assert watched.came == ["b.jpg"]


def test_a_failed_one_comes_again_with_new_permissions_a_good_one_does_not(
    tmp_path: Path, way: dict[str, Any]
) -> None:
    for name in ("good.jpg", "bad.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with Watched(tmp_path, **way) as watched:
        watched.failing.add(str(tmp_path / "bad.jpg"))
        watched.until(lambda: len(watched.came) == 2)
        watched.failing.clear()
        for name in ("good.jpg", "bad.jpg"):
            (tmp_path / name).chmod(0o600)
        (tmp_path / "last.jpg").write_bytes(b"x")
        watched.until(lambda: "last.jpg" in watched.came and watched.came.count("bad.jpg") == 2)
    assert watched.came.count("good.jpg") == 1


def test_a_picture_that_changes_while_it_is_scored_comes_again(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with Folders([str(tmp_path)], files=files_in, wanted=lambda _: True, settle=0.05, idle=0.5) as folders:
        came = folders.arriving()
        path, stamp = next(came)
        (tmp_path / "a.jpg").write_bytes(b"longer")
        assert not folders.answer(path, stamp, failed=False)
        path, stamp = next(came)
        assert stamp.size == len(b"longer")
        assert folders.answer(path, stamp, failed=False)
        (tmp_path / "a.jpg").unlink()
        assert list(came) == []


def test_a_download_that_keeps_its_name_by_an_empty_file_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.jpg.part").write_bytes(b"half")
    with Watched(tmp_path, settle=0.01) as watched:  # an empty one alone would come after 0.1 s
        (tmp_path / "b.jpg").touch()
        watched.until(lambda: "b.jpg" in watched.came)
        (tmp_path / "a.jpg.part").replace(tmp_path / "a.jpg")
        watched.until(lambda: "a.jpg" in watched.came)
    assert watched.came == ["b.jpg", "a.jpg"]


def test_without_events_it_looks_again_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(module.Observers, "start", refuse)
    monkeypatch.setattr(module, "_POLL", 0.05)
    with Watched(tmp_path) as watched:
        (tmp_path / "a.jpg").write_bytes(b"x")
        watched.until(lambda: watched.came == ["a.jpg"])
    assert len(watched.notes) == 1
    assert "watches too many folders already" in watched.notes[0]


def test_a_sub_folder_that_cannot_be_listed_is_told_once(tmp_path: Path) -> None:
    def files(folder: str, refused: list[str]) -> Iterator[str]:
        refused.append("sub: cannot be listed: Permission denied")
        yield from files_in(folder, refused)

    notes: list[str] = []
    (tmp_path / "a.jpg").write_bytes(b"x")
    with Folders(
        [str(tmp_path)],
        files=files,
        wanted=lambda _: True,
        settle=0.05,
        poll=0.05,
        idle=0.5,
        note=notes.append,
    ) as folders:
        for path, stamp in folders.arriving():
            folders.answer(path, stamp, failed=False)
    assert notes == ["sub: cannot be listed: Permission denied"]
