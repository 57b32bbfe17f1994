"""`iqa watch`: rows as pictures come, nothing scored twice, whatever ends it and whatever comes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli import watch_rows
from iqa_cli.errors import ExitCode
from iqa_cli.scoring.batches import Batches
from iqa_cli.watching.folders import Folders
from tests.cli.conftest import Iqa, Result
from tests.cli.test_score_changing import disk_full_after
from tests.tinyweight import make_tiny_weight

Photos = Callable[..., Path]
#: Somebody's own line that begins like a row.
NOTE = b'{"path": "a.jpg", "score": 40, "tag": "my own notes"}'
#: Score what is there, and end.
ONCE = ("--settle", "0.1", "--timeout", "0")


def rows_of(path: str) -> list[dict[str, Any]]:
    """The rows of a file in the working directory."""
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def paths_of(path: str) -> list[str]:
    """Their pictures."""
    return [row["path"] for row in rows_of(path)]


@pytest.fixture
def watching(iqa: Iqa) -> Callable[..., Callable[[int], None]]:
    """watching(*arguments) watches in a thread until nothing has come for a while; it gives a function that
    waits until there are so many rows in rows.jsonl, or with 0 for the end."""

    def start(*arguments: str) -> Callable[[int], None]:
        done: list[Result] = []

        def go() -> None:
            done.append(iqa("watch", *arguments, "-o", "rows.jsonl", "--settle", "0.1", "--timeout", "2"))

        thread = threading.Thread(target=go, daemon=True)
        thread.start()

        def wait(rows: int) -> None:
            end = time.monotonic() + 60
            while thread.is_alive() if not rows else len(paths_of("rows.jsonl") if made() else ()) < rows:
                assert time.monotonic() < end
                assert not rows or thread.is_alive(), done
                time.sleep(0.02)

        return wait

    def made() -> bool:
        return Path("rows.jsonl").exists()

    return start


def test_rows_are_those_of_score_with_the_version_of_the_file(iqa: Iqa, photos: Photos) -> None:
    folder = photos("in/b.jpg", "in/a.jpg", "in/sub/c.jpg", "in/.d.jpg")
    (folder / "in/notes.txt").write_text("no picture")
    shutil.copy(folder / "in/a.jpg", folder / "in/no-ending")
    result = iqa("watch", "in", *ONCE)
    assert (result.code, result.err.splitlines()[-1]) == (0, "iqa: 3 pictures done")
    rows = [json.loads(line) for line in result.lines]
    assert [row["path"] for row in rows] == ["in/a.jpg", "in/b.jpg", "in/no-ending"]
    for row in rows:
        found = Path(row["path"]).stat()
        assert row.pop("bytes") == found.st_size
        assert watch_rows.nanoseconds(row.pop("modified")) == found.st_mtime_ns
        assert row == json.loads(iqa("score", row["path"], "--format", "jsonl").out)


def test_a_restart_scores_only_what_is_new_or_changed(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos("in/a.jpg", "in/b.jpg", "in/c.jpg")
    (folder / "in/broken.jpg").write_bytes(b"no picture")
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    assert iqa(*watch).code == ExitCode.SOME_FAILED
    first = Path("rows.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Batches, "add", lambda *_: pytest.fail("the network was asked"))
        again = iqa("watch", "./in/", "-o", "rows.jsonl", *ONCE)
    # What failed was tried again; its row stays as it is.
    assert (again.code, Path("rows.jsonl").read_bytes()) == (ExitCode.SOME_FAILED, first)
    assert (
        "1 picture could not be scored, as there are rows of already; the first: ./in/broken.jpg" in again.err
    )
    shutil.copy(folder / "in/a.jpg", folder / "in/b.jpg")
    shutil.copy(folder / "in/a.jpg", folder / "in/broken.jpg")
    shutil.copy(folder / "in/a.jpg", folder / "in/d.jpg")
    assert iqa(*watch).code == 0
    assert Path("rows.jsonl").read_bytes().startswith(first)
    assert paths_of("rows.jsonl")[4:] == ["in/b.jpg", "in/broken.jpg", "in/d.jpg"]
    assert len({row["score"] for row in rows_of("rows.jsonl")[4:]}) == 1


def test_what_comes_while_it_watches(
    photos: Photos, watching: Callable[..., Callable[[int], None]], examples: Path
) -> None:
    folder = photos("in/a.jpg", "new/b.jpg")
    wait = watching("in")
    wait(1)
    whole = (examples / "cliffs.jpg").read_bytes()
    (folder / "in/cut.jpg").write_bytes(whole[:9000])
    wait(2)
    (folder / "in/cut.jpg").write_bytes(whole)
    wait(3)
    shutil.copy(folder / "new/b.jpg", folder / "in/.b.jpg.Xy12Zw")
    (folder / "in/.b.jpg.Xy12Zw").rename(folder / "in/b.jpg")
    wait(4)
    wait(0)
    rows = rows_of("rows.jsonl")
    assert [row["path"] for row in rows] == ["in/a.jpg", "in/cut.jpg", "in/cut.jpg", "in/b.jpg"]
    assert "truncated" in rows[1]["error"]
    assert rows[1]["score"] is None
    assert [row["error"] for row in rows[2:]] == [None, None]


def test_a_picture_that_vanishes_before_its_turn_is_one_row_and_comes_again(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos("in/a.jpg", "in/b.jpg")
    kept = (folder / "in/b.jpg").stat()
    real = Folders.arriving

    def arriving(self: Folders) -> Any:
        for path, stamp in real(self):
            if path == "in/b.jpg":
                (folder / path).rename(folder / "away.jpg")
            yield path, stamp

    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    with monkeypatch.context() as patch:
        patch.setattr(Folders, "arriving", arriving)
        result = iqa(*watch)
    assert result.code == ExitCode.SOME_FAILED
    assert "iqa: error: in/b.jpg: no such file" in result.err
    assert [row["error"] for row in rows_of("rows.jsonl")] == [None, "no such file"]
    (folder / "away.jpg").rename(folder / "in/b.jpg")
    assert (folder / "in/b.jpg").stat().st_mtime_ns == kept.st_mtime_ns
    assert iqa(*watch).code == 0
    assert paths_of("rows.jsonl") == ["in/a.jpg", "in/b.jpg", "in/b.jpg"]


def test_ctrl_c_keeps_whole_rows_and_the_next_start_goes_on(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos("in/a.jpg", "in/b.jpg", "in/c.jpg")
    real = Folders.answer
    answered: list[str] = []

    def answer(self: Folders, path: str, *rest: Any, **named: Any) -> bool:
        answered.append(path)
        if len(answered) == 2:
            raise KeyboardInterrupt
        return real(self, path, *rest, **named)

    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    with monkeypatch.context() as patch:
        patch.setattr(Folders, "answer", answer)
        result = iqa(*watch)
    assert result.code == ExitCode.INTERRUPTED
    assert result.err.splitlines()[-1] == "iqa: interrupted; 1 picture done"
    assert iqa(*watch).code == 0
    assert paths_of("rows.jsonl") == ["in/a.jpg", "in/b.jpg", "in/c.jpg"]


@pytest.mark.parametrize("left", [1, 30, -1])
def test_a_row_that_was_not_written_to_its_end_is_taken_away(iqa: Iqa, photos: Photos, left: int) -> None:
    photos("in/a.jpg", "in/b.jpg")
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    assert iqa(*watch).code == 0
    whole = Path("rows.jsonl").read_bytes()
    second = whole.index(b"\n") + 1
    os.truncate("rows.jsonl", second + left if left > 0 else len(whole) + left)
    assert iqa(*watch).code == 0
    assert Path("rows.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "content", [b"my notes\n", b"my notes", b"{}\n", b"\x00\x01", b"[1]", NOTE, NOTE[:-1], NOTE[:9], b"{"]
)
def test_a_file_that_is_none_of_rows_is_left_alone(iqa: Iqa, photos: Photos, content: bytes) -> None:
    photos("in/a.jpg")
    Path("notes").write_bytes(content)
    result = iqa("watch", "in", "-o", "notes", *ONCE)
    assert (result.code, Path("notes").read_bytes()) == (ExitCode.USAGE, content)
    assert "not a file of rows" in result.err


def test_strange_lines_between_rows_are_told_and_stay(iqa: Iqa, photos: Photos) -> None:
    photos("in/a.jpg", "in/b.jpg")
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    iqa(*watch)
    first, second = Path("rows.jsonl").read_bytes().splitlines(keepends=True)
    Path("rows.jsonl").write_bytes(first + b"\0\0\n" + second)
    result = iqa(*watch)
    assert result.code == 0
    assert "rows.jsonl: 1 line is no row" in result.err
    assert Path("rows.jsonl").read_bytes() == first + b"\0\0\n" + second


@pytest.mark.parametrize("strange", [NOTE, NOTE + b" and more", b'{"path": ' + b"[" * 99_999])
def test_a_last_line_that_is_whole_and_no_row_stays(iqa: Iqa, photos: Photos, strange: bytes) -> None:
    photos("in/a.jpg")
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    iqa(*watch)
    rows = Path("rows.jsonl").read_bytes()
    Path("rows.jsonl").write_bytes(rows + strange)
    result = iqa(*watch)
    assert result.code == 0
    assert "rows.jsonl: 1 line is no row" in result.err
    assert Path("rows.jsonl").read_bytes() == rows + strange + b"\n"


def test_a_full_disk_is_one_line_and_the_next_start_goes_on(iqa: Iqa, photos: Photos) -> None:
    photos("in/a.jpg", "in/b.jpg", "in/c.jpg")
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    with disk_full_after(700):
        result = iqa(*watch)
    assert result.code == ExitCode.USAGE
    assert result.err.splitlines()[-1].startswith("iqa: error: cannot write to rows.jsonl: ")
    assert iqa(*watch).code == 0
    assert paths_of("rows.jsonl") == ["in/a.jpg", "in/b.jpg", "in/c.jpg"]


def test_a_file_of_rows_that_is_moved_away_is_begun_anew(
    photos: Photos, watching: Callable[..., Callable[[int], None]]
) -> None:
    folder = photos("in/a.jpg", "new/b.jpg")
    wait = watching("in")
    wait(1)
    Path("rows.jsonl").rename("rows.1")
    (folder / "new/b.jpg").rename(folder / "in/b.jpg")
    wait(1)
    wait(0)
    assert (paths_of("rows.1"), paths_of("rows.jsonl")) == (["in/a.jpg"], ["in/b.jpg"])


def test_with_a_store_a_moved_picture_gets_its_row_without_the_network(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos("in/a.jpg")
    watch = ("watch", "-r", "in", "-o", "in/rows.jsonl", "--store", "in/scores.db", *ONCE)
    assert iqa(*watch).code == 0
    (folder / "in/kept").mkdir()
    (folder / "in/a.jpg").rename(folder / "in/kept/a.jpg")
    monkeypatch.setattr(Batches, "add", lambda *_: pytest.fail("the network was asked"))
    assert iqa(*watch).code == 0
    one, other = rows_of("in/rows.jsonl")
    assert {**one, "path": "in/kept/a.jpg"} == other


def test_what_another_model_has_scored_is_scored_again(iqa: Iqa, photos: Photos, examples: Path) -> None:
    folder = photos("in/a.jpg")
    make_tiny_weight(folder, examples, "second", seed=12)
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    both = ("--model", "mfenet", "--model", "second.safetensors")
    for arguments in ((), (), both, both, ()):
        assert iqa(*watch, *arguments).code == 0
    assert [list(row["scores"]) for row in rows_of("rows.jsonl")] == [["mfenet"], ["mfenet", "second"]]


def test_hostile_names_stay_text(iqa: Iqa, photos: Photos) -> None:
    folder = photos("in/a.jpg")
    names = [b"in/\x1b[31mred\n.jpg", b"in/\xff\xfe.jpg", b"in/<b>.jpg"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(b"no picture")
    watch = ("watch", "in", "-o", "rows.jsonl", *ONCE)
    result = iqa(*watch)
    assert "\x1b" not in result.err
    assert sorted(map(os.fsencode, paths_of("rows.jsonl"))) == sorted([*names, b"in/a.jpg"])
    before = Path("rows.jsonl").read_bytes()
    iqa(*watch)
    assert Path("rows.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["in/a.jpg"], "is not a folder"),
        (["in", "-o", "new/rows.jsonl"], "there is no such folder"),
        (["in", "-o", "in/a.jpg"], "is a picture"),
        (["in", "--settle", "0"], "--settle"),
        (["in", "--poll", "nan"], "--poll"),
        (["in", "--native", "--fast"], "exclude each other"),
    ],
)
def test_refusals(iqa: Iqa, photos: Photos, arguments: list[str], said: str) -> None:
    photos("in/a.jpg")
    result = iqa("watch", *arguments)
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert said in result.err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_whole_rows(iqa: Iqa, photos: Photos, how: signal.Signals) -> None:
    folder = photos("in/a.jpg", "in/b.jpg")
    place = folder / "rows.jsonl"
    watch = ("watch", folder / "in", "-o", place, "--settle", "0.1")
    process: subprocess.Popen[bytes] = iqa.process(*watch)
    end = time.monotonic() + 120
    while not place.exists() or len(place.read_bytes().splitlines()) < 2:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (ExitCode.INTERRUPTED if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        assert said.decode().splitlines()[-1] == "iqa: interrupted; 2 pictures done"
    before = place.read_bytes()
    assert iqa(*watch, "--timeout", "0").code == 0
    assert place.read_bytes() == before
