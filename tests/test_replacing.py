"""A file stands under its name whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from iqa_cli.replacing import Replacement, replacing, writing_to


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("old", [None, b"old"])
def test_it_takes_its_name_at_the_end_and_not_before(tmp_path: Path, old: bytes | None, alone: bool) -> None:
    place = tmp_path / "a.csv"
    if old is not None:
        place.write_bytes(old)
    with replacing(place, alone=alone) as file:
        file.write(b"new")
        file.flush()
        assert (place.read_bytes() if place.exists() else None) == old
    assert place.read_bytes() == b"new"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("what", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_when_it_fails_the_old_one_stays(tmp_path: Path, what: BaseException) -> None:
    place = tmp_path / "a.csv"
    place.write_text("old")

    def write() -> None:
        with replacing(place) as file:
            file.write(b"half")
            raise what

    with pytest.raises(type(what)):
        write()
    assert place.read_text() == "old"
    assert names(tmp_path) == ["a.csv"]


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_permissions_stay_and_nobody_else_reads_along(tmp_path: Path, mode: int) -> None:
    place = tmp_path / "a"
    place.touch()
    place.chmod(mode)
    with replacing(place) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == mode


def test_what_a_killed_run_left_is_written_over(tmp_path: Path) -> None:
    killed = Replacement(tmp_path / "last.pt", alone=True)
    killed.file.write(b"half of a large checkpoint")
    killed.file.close()
    assert len(names(tmp_path)) == 1
    with replacing(tmp_path / "last.pt", alone=True) as file:
        file.write(b"new")
    assert (tmp_path / "last.pt").read_bytes() == b"new"
    assert names(tmp_path) == ["last.pt"]


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "a").read_bytes() == b"first"  # the one that ends last
    assert names(tmp_path) == ["a"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    name = "\u5199" * 85  # 255 bytes
    with replacing(tmp_path / name) as file:
        file.write(b"new")
    assert names(tmp_path) == [name]


def test_a_link_is_followed_for_a_user_and_replaced_otherwise(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("old")
    link.symlink_to(target)
    with writing_to(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    with replacing(link) as file:
        file.write(b"its own")
    assert not link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        place = Path(f"/dev/fd/{writer}")
        if not place.exists():
            pytest.skip("no /dev/fd here")
        with writing_to(place) as file:
            file.write(b"new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for write in (replacing, writing_to):
        with pytest.raises(OSError, match="directory"), write(tmp_path / "a"):
            pass
    assert names(tmp_path) == ["a"]
