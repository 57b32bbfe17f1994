"""`iqa score` on files that change or vanish while they are read, and with disks that refuse."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from iqa_cli.errors import ExitCode
from iqa_cli.images import decode
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """meanwhile(action) has something done once, when the first bytes of a picture called b... have been
    read."""

    def arrange(action: Callable[[], object]) -> None:
        real, done = decode.transfer_of_file, []

        def change(stream: object) -> str | None:
            if Path(str(getattr(stream, "name", ""))).name.startswith("b") and not done:
                done.append(action())
            return real(stream)  # type: ignore[arg-type]

        monkeypatch.setattr(decode, "transfer_of_file", change)

    return arrange


@pytest.mark.parametrize("form", ["jpg", "png", "bmp", "tif"])
@pytest.mark.parametrize("left", [0, 40, 3000])
def test_a_picture_cut_short_while_it_is_read_is_a_row(
    iqa: Iqa, photos: Photos, meanwhile: Callable[..., None], form: str, left: int
) -> None:
    folder = photos("a.jpg", "c.jpg")
    name = f"b.{form}"
    with Image.open(folder / "a.jpg") as picture:
        picture.save(folder / name)
    meanwhile(lambda: os.truncate(folder / name, left))
    result = iqa("score", "a.jpg", name, "c.jpg")
    assert result.code == ExitCode.SOME_FAILED
    assert [row[0] for row in result.rows if row[2]] == [name]
    assert any(word in result.rows[1][2] for word in ("truncated", "damaged"))


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed")
@pytest.mark.parametrize("action", ["removed", "replaced", "a folder"])
def test_a_picture_that_vanishes_while_it_is_read_is_scored_as_it_was(
    iqa: Iqa, photos: Photos, meanwhile: Callable[..., None], action: str
) -> None:
    folder = photos("a.jpg", "b.jpg", "c.jpg")
    before = iqa("score", "b.jpg").rows

    def change() -> None:
        if action == "replaced":
            os.replace(folder / "c.jpg", folder / "b.jpg")  # noqa: PTH105
        else:
            (folder / "b.jpg").unlink()
        if action == "a folder":
            (folder / "b.jpg").mkdir()

    meanwhile(change)
    result = iqa("score", "b.jpg", "a.jpg")
    assert result.code == 0
    assert result.rows[0] == before[0]


def test_a_picture_that_vanishes_before_its_turn_is_a_row(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg", "sub/b.jpg", "c.jpg")

    def names() -> Iterator[bytes]:
        yield b"a.jpg\n"
        (folder / "sub/b.jpg").unlink()
        (folder / "sub").rmdir()
        yield b"sub/b.jpg\n"
        yield b"c.jpg\n"

    class Listing:
        given = names()

        def readline(self, size: int = -1) -> bytes:
            return next(self.given, b"")

    result = iqa("score", "-", stdin=Listing())  # type: ignore[arg-type]
    assert result.code == ExitCode.SOME_FAILED
    assert [row[2] for row in result.rows] == ["", "no such file", ""]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_itself_is_a_row_and_not_followed_in_a_folder(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "one.jpg").symlink_to("two.jpg")
    (folder / "two.jpg").symlink_to("one.jpg")
    for arguments in (["a.jpg", "loop.jpg", "one.jpg"], ["-r", "."]):
        result = iqa("score", *arguments)
        assert result.code == ExitCode.SOME_FAILED
        failed = [row[2] for row in result.rows if row[2]]
        assert len(failed) >= 2
        assert set(failed) == {"Too many levels of symbolic links"}


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: the system refuses, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "tsv"])
def test_a_disk_that_fills_up_is_one_line_and_the_old_result_stays(
    iqa: Iqa, photos: Photos, form: str
) -> None:
    names = [f"{letter}.jpg" for letter in "abcdef"]
    folder = photos(*names)
    place = folder / f"scores.{form}"
    place.write_text("old")
    with disk_full_after(150):
        result = iqa("score", *names, "-o", place.name)
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert result.err.startswith(f"iqa: error: cannot write to scores.{form}: ")
    assert len(result.err.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, place.name])
    if form == "jsonl":
        # Written in place, row by row: whole rows, and perhaps the beginning of one.
        assert place.stat().st_size <= 150
    else:
        assert place.read_text() == "old"


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="no file system that nobody may write to")
@pytest.mark.parametrize("name", ["scores.csv", "scores.jsonl"])
def test_a_place_that_is_read_only_is_one_line(iqa: Iqa, photos: Photos, name: str) -> None:
    photos("a.jpg")
    result = iqa("score", "a.jpg", "-o", f"/sys/kernel/{name}")
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert result.err.startswith(f"iqa: error: cannot write to /sys/kernel/{name}: ")
    assert len(result.err.splitlines()) == 1
