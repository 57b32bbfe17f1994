"""`iqa score` with arguments, lists and folders that nobody means: one line each, never a defect."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]


def test_a_name_that_is_too_long_is_a_row_and_an_empty_one_is_refused(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    name = "x" * 5000 + ".jpg"
    for option in ([], ["-r"]):
        result = iqa("score", name, "a.jpg", *option)
        assert result.code == ExitCode.SOME_FAILED
        assert result.paths == [name, "a.jpg"]
        assert "too long" in result.rows[0][2]
        empty = iqa("score", "", "a.jpg", *option)
        assert (empty.code, empty.out) == (ExitCode.USAGE, b"")
        assert "one of the names is empty" in empty.err


def test_a_picture_in_a_folder_that_may_not_be_entered_is_a_row(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos("a.jpg", "locked/b.jpg")
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:  # permissions do not stop root
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    for option in ([], ["-r"]):
        result = iqa("score", "locked/b.jpg", "a.jpg", *option)
        assert result.code == ExitCode.SOME_FAILED
        assert [row[2] for row in result.rows] == ["permission denied", ""]
    assert "permission denied" in iqa("score", "a.jpg", "-o", "locked/o.csv").err.lower()


def test_more_threads_than_any_machine_has_are_refused(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    result = iqa("score", "a.jpg", "--threads", 10**6)
    assert result.code == ExitCode.USAGE
    assert result.err == "iqa: error: threads must be at most 1,024, not 1,000,000\n"


@pytest.mark.parametrize(("place", "reason"), [("x" * 300, "too long"), ("", "without a name")])
def test_a_place_that_cannot_be_is_one_line(iqa: Iqa, photos: Photos, place: str, reason: str) -> None:
    photos("a.jpg")
    result = iqa("score", "a.jpg", "-o", place)
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert reason in result.err
    assert len(result.err.splitlines()) == 1


def test_the_longest_name_that_can_be_is_written_to(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    name = "x" * 251 + ".csv"
    assert iqa("score", "a.jpg", "-o", name).code == 0
    assert (folder / name).read_text().startswith("path,score")


def test_the_list_is_not_overwritten(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "list.txt").write_text("a.jpg\n")
    for place in ("list.txt", "./list.txt"):
        result = iqa("score", "--files-from", "list.txt", "-o", place)
        assert result.code == ExitCode.USAGE
        assert "is the list, which the results would overwrite" in result.err
    assert (folder / "list.txt").read_text() == "a.jpg\n"


def test_a_weight_is_not_overwritten(iqa: Iqa, photos: Photos, weight: Path) -> None:
    photos("a.jpg")
    before = weight.read_bytes()
    result = iqa("score", "a.jpg", "--weights", weight, "-o", weight)
    assert result.code == ExitCode.USAGE
    assert "is a weight, which the results would overwrite" in result.err
    assert weight.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be removed")
def test_a_folder_that_was_removed_meanwhile_is_one_line(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "gone").mkdir()
    os.chdir("gone")  # photos goes back
    (folder / "gone").rmdir()
    result = iqa("score", folder / "a.jpg")
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert result.err == "iqa: error: the folder that this runs in does not exist any more\n"


class Endless:
    """A list that is one name without an end, such as /dev/urandom may be."""

    def __init__(self) -> None:
        self.given = 0

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "asked for all of it"
        self.given += size
        return b"x" * size


@pytest.mark.parametrize("option", [[], ["-0"]])
def test_a_list_without_an_end_of_line_ends(iqa: Iqa, option: list[str]) -> None:
    stream = Endless()
    result = iqa("score", *option, "-", stdin=stream)  # type: ignore[arg-type]
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert "stdin is no list of files" in result.err
    assert stream.given < 2**20


@pytest.mark.parametrize("option", [[], ["-0"]])
def test_a_folder_in_place_of_stdin_is_one_line(iqa: Iqa, option: list[str]) -> None:
    class Folder:
        def read(self, size: int = -1) -> bytes:
            raise IsADirectoryError(21, "Is a directory")

        readline = read

    result = iqa("score", *option, "-", stdin=Folder())  # type: ignore[arg-type]
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert result.err == "iqa: error: the list stdin cannot be read: Is a directory\n"


@pytest.fixture
def deep(photos: Photos) -> Iterator[str]:
    """A folder of 1,100 levels with a photograph at the bottom: deeper than a function of Python may call
    itself."""
    levels = 1100
    top = photos("a.jpg") / "deep"
    top.mkdir()
    place = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    source = os.open("a.jpg", os.O_RDONLY)
    target = os.open("z.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=place)
    with open(source, "rb") as read, open(target, "wb") as written:  # noqa: PTH123
        shutil.copyfileobj(read, written)
    os.close(place)
    yield "deep/" + "d/" * levels + "z.jpg"
    # shutil.rmtree, which pytest uses, calls itself.
    (top / ("d/" * levels) / "z.jpg").unlink()
    for level in range(levels, 0, -1):
        (top / ("d/" * level)).rmdir()


@pytest.mark.skipif(os.name == "nt", reason="folders are made by descriptor")
def test_a_very_deep_folder_is_walked(iqa: Iqa, deep: str) -> None:
    result = iqa("score", "-r", "deep")
    assert (result.code, result.paths) == (0, [deep])
    pattern = iqa("score", "deep/**/*.jpg")
    assert pattern.code in (0, ExitCode.USAGE)
    assert "defect" not in pattern.err
