"""What `iqa score` takes: files, folders, patterns and lists."""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Iqa

Photos = Callable[..., Path]


def test_a_folder_needs_r_and_says_so(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    result = iqa("score", "a.jpg", folder)
    assert result.code == 2
    assert result.out == b""
    assert result.err == f"iqa: error: {folder} is a folder\n  hint: use -r to score the pictures inside\n"


def test_folders_are_walked_sorted_and_paths_begin_as_given(iqa: Iqa, photos: Photos) -> None:
    folder = photos("z/2.jpg", "z/10.JPG", "b.jpg", "a/deep/x.jpg", ".hidden.jpg", ".git/y.jpg")
    (folder / "notes.txt").write_text("not a picture")
    shutil.copy("b.jpg", "c")  # a picture, though its name does not say so
    wanted = ["b.jpg", "c", "a/deep/x.jpg", "z/10.JPG", "z/2.jpg"]
    assert iqa("score", "-r", ".").paths == [f"./{name}" for name in wanted]
    assert iqa("score", "-r", folder).paths == [str(folder / name) for name in wanted]
    assert iqa("score", "-r", "z/", "b.jpg").paths == ["z/10.JPG", "z/2.jpg", "b.jpg"]


def test_a_damaged_photo_in_a_folder_is_a_row(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg", "c.jpg")
    (folder / "b.jpg").write_bytes(b"no photo at all")
    result = iqa("score", "-r", ".")
    assert [bool(row[1]) for row in result.rows] == [True, False, True]
    assert "not an image" in result.rows[1][2]
    assert result.code == 3


def test_an_empty_folder_is_one_clear_line(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "empty").mkdir()
    alone = iqa("score", "-r", "empty")
    assert (alone.code, alone.out) == (2, b"")
    assert alone.err == "iqa: error: there are no pictures in empty\n"
    beside = iqa("score", "-r", "empty", "a.jpg")
    assert beside.code == 0
    assert beside.paths == ["a.jpg"]
    assert beside.err == "iqa: there are no pictures in empty\n"


def test_a_folder_that_cannot_be_listed_is_an_error_beside_the_rows(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos("a.jpg", "locked/b.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:  # permissions alone do not stop root, as which tests may run
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = iqa("score", "-r", ".")
    assert result.paths == ["./a.jpg"]
    assert result.code == 3
    assert "locked: cannot be listed: Permission denied" in result.err


def test_links_in_a_circle_end(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "again").symlink_to(folder)
    assert iqa("score", "-r", ".").paths == ["./a.jpg"]


def test_patterns_that_no_shell_has_expanded(iqa: Iqa, photos: Photos) -> None:
    photos("b.jpg", "a.jpg", "sub/c.jpg", "x[1].jpg")
    assert iqa("score", "?.jpg").paths == ["a.jpg", "b.jpg"]
    assert iqa("score", "**/c*").paths == ["sub/c.jpg"]
    assert iqa("score", "x[1].jpg").paths == ["x[1].jpg"]  # a file of that very name comes first
    none = iqa("score", "*.tiff")
    assert none.code == 2
    assert none.err == "iqa: error: no file matches *.tiff\n"
    assert iqa("score", "s*").code == 2
    assert iqa("score", "-r", "s*").paths == ["sub/c.jpg"]


def test_lists_on_stdin(iqa: Iqa, photos: Photos) -> None:
    photos("b.jpg", "a b.jpg", "x\ny.jpg", "sub/c.jpg")
    assert iqa("score", "-", stdin=b"b.jpg\n\na b.jpg").paths == ["b.jpg", "a b.jpg"]
    assert iqa("score", "-", stdin=b"\xef\xbb\xbfb.jpg\r\na b.jpg\r\n").paths == ["b.jpg", "a b.jpg"]
    assert iqa("score", "-0", "-", stdin=b"x\ny.jpg\0b.jpg\0").paths == ["x\\ny.jpg", "b.jpg"]
    assert iqa("score", "--null", stdin=b"b.jpg\0").paths == ["b.jpg"]
    assert iqa("score", "a b.jpg", "-", "sub/c.jpg", stdin=b"b.jpg").paths == [
        "a b.jpg",
        "b.jpg",
        "sub/c.jpg",
    ]
    folder = iqa("score", "-", stdin=b"sub\nb.jpg\n")
    assert folder.code == 3
    assert "is a folder" in folder.rows[0][2]
    assert iqa("score", "-r", "-", stdin=b"sub\nb.jpg\n").paths == ["sub/c.jpg", "b.jpg"]
    assert iqa("score", "-", stdin=b"*.jpg\n").rows[0][2] == "no such file"


def test_a_list_read_wrongly_or_empty_is_told(iqa: Iqa, photos: Photos) -> None:
    photos("b.jpg")
    assert "hint: read it with -0" in iqa("score", "-", stdin=b"b.jpg\0b.jpg\0").err
    empty = iqa("score", "-", stdin=b"\n\n")
    assert (empty.code, empty.err) == (2, "iqa: error: the list on stdin is empty\n")


def test_stdin_that_is_a_terminal_is_not_waited_for(iqa: Iqa) -> None:
    result = iqa("score", "-", stdin=_Endless(), terminal="stdin stdout stderr")
    assert result.code == 2
    assert "stdin, which is a terminal" in result.err
    assert "find photos" in result.err


class _Endless(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        raise AssertionError("it was read")


def test_nothing_at_all_shows_the_help_on_stderr(iqa: Iqa) -> None:
    result = iqa("score")
    assert (result.code, result.out) == (2, b"")
    assert "iqa score photo.jpg" in result.err
    assert result.err.endswith(
        "iqa: error: nothing to score\n  hint: give files, folders with -r, or - for a list on stdin\n"
    )


def test_files_from(iqa: Iqa, photos: Photos) -> None:
    folder = photos("b.jpg", "a.jpg", "c.jpg")
    (folder / "list.txt").write_text("c.jpg\na.jpg\n")
    assert iqa("score", "--files-from", "list.txt").paths == ["c.jpg", "a.jpg"]
    assert iqa("score", "b.jpg", "--files-from", "list.txt").paths == ["b.jpg", "c.jpg", "a.jpg"]
    (folder / "null").write_bytes(b"c.jpg\0a.jpg")
    assert iqa("score", "-0", "--files-from", "null").paths == ["c.jpg", "a.jpg"]
    mistaken = iqa("score", "-0", "--files-from", "list.txt")
    assert (mistaken.code, mistaken.out) == (2, b"")
    assert "a name on each line" in mistaken.err
    assert "without -0" in mistaken.err
    assert iqa("score", "--files-from", "-", stdin=b"a.jpg").paths == ["a.jpg"]
    missing = iqa("score", "--files-from", "no.txt")
    assert missing.code == 2
    assert missing.err == "iqa: error: the list no.txt cannot be read: No such file or directory\n"


def test_a_file_given_twice_is_scored_once_and_told(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg", "b.jpg")
    (folder / "link.jpg").symlink_to("a.jpg")
    result = iqa("score", "b.jpg", "a.jpg", "./a.jpg", "link.jpg", folder / "b.jpg")
    assert result.paths == ["b.jpg", "a.jpg"]
    assert result.err == "iqa: 3 inputs given more than once, scored once (first left out: link.jpg)\n"
    assert iqa("score", "a.jpg", "a.jpg", "-q").err == ""


def test_a_link_gives_way_to_the_photograph_that_it_leads_to(iqa: Iqa, photos: Photos) -> None:
    """What is done with a picture, and with what lies beside it, is done with the file itself."""
    folder = photos("m.jpg", "sub/n.jpg", "other/o.jpg", ".hidden/h.jpg")
    for name, target in (
        ("a.jpg", "m.jpg"),
        ("b.jpg", "sub/n.jpg"),
        ("c.jpg", folder / ".hidden" / "h.jpg"),
        ("sub/d.jpg", folder / "other" / "o.jpg"),
    ):
        (folder / name).symlink_to(target)
    # The walk does not come to what is hidden, nor to what lies elsewhere.
    walked = iqa("score", "-r", ".")
    assert walked.paths == ["./c.jpg", "./m.jpg", "./other/o.jpg", "./sub/n.jpg"]
    assert walked.err == "iqa: 3 inputs given more than once, scored once (first left out: ./a.jpg)\n"
    assert iqa("score", "-r", "sub").paths == ["sub/d.jpg", "sub/n.jpg"]
    assert iqa("score", "a.jpg", "m.jpg", "c.jpg").paths == ["m.jpg", "c.jpg"]


def test_rows_come_before_the_list_has_ended(iqa: Iqa, photos: Photos) -> None:
    """Somebody types, or a program writes the list slowly: each picture is scored when it is named."""
    photos("a.jpg", "b.jpg")
    reader, writer = os.pipe()
    rows: list[str] = []

    class Watched(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            rows.append(data.decode())
            return len(data)

    def feed() -> None:
        os.write(writer, b"a.jpg\n")
        limit = time.monotonic() + 20
        while not rows and time.monotonic() < limit:
            time.sleep(0.02)
        os.write(writer, b"b.jpg\n" if rows else b"")
        os.close(writer)

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(reader, "rb") as stdin:
        code = iqa("score", "-", stdin=stdin, stdout=Watched()).code
    thread.join()
    assert code == 0
    assert [row.split("\t")[0] for row in rows] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("name", ["pipe", "missing.jpg", "empty.jpg", "no\0name"])
def test_what_is_no_file_is_a_row_and_never_waited_for(iqa: Iqa, photos: Photos, name: str) -> None:
    folder = photos("a.jpg")
    os.mkfifo(folder / "pipe")
    (folder / "empty.jpg").touch()
    result = iqa("score", name, "a.jpg")
    assert result.code == 3
    assert result.rows[0][1] == ""
    assert result.rows[0][2]
    assert result.rows[1][1]
