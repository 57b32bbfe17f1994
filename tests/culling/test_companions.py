"""Sidecars and RAW files go with their picture, and with no other."""

from __future__ import annotations

from pathlib import Path

from iqa_cli.culling.companions import CompanionFinder


def test_both_habits_of_naming_raw_files_and_second_edits(tmp_path: Path) -> None:
    own = {"a.xmp", "a.JPG.xmp", "a_01.JPG.xmp", "a.CR2", "a.CR2.xmp", "a.JPG.pp3", "A.MOV"}
    for name in own | {"a.JPG", "ab.xmp", "a_1.jpg", "a_1.jpg.xmp", "a.txt", "b.cr2", "a.jpg.bak"}:
        (tmp_path / name).touch()
    found = CompanionFinder()
    assert set(found.of(str(tmp_path / "a.JPG")).own) == own
    assert found.of(str(tmp_path / "a_1.jpg")).own == ("a_1.jpg.xmp",)


def test_what_two_pictures_share_belongs_to_neither(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.xmp", "a.nef", "a.jpg.xmp", "a.png.xmp", "a_01.png.xmp", "a.nef.xmp"):
        (tmp_path / name).touch()
    found = CompanionFinder()
    jpeg, png = found.of(str(tmp_path / "a.jpg")), found.of(str(tmp_path / "a.png"))
    assert jpeg.own == ("a.jpg.xmp",)
    assert png.own == ("a.png.xmp", "a_01.png.xmp")
    assert set(jpeg.shared) == set(png.shared) == {"a.xmp", "a.nef", "a.nef.xmp"}


def test_a_second_photograph_is_no_second_edit(tmp_path: Path) -> None:
    for name in ("a.jpg", "a_01.jpg", "a_01.jpg.xmp"):
        (tmp_path / name).touch()
    found = CompanionFinder()
    assert found.of(str(tmp_path / "a.jpg")).own == ()
    assert found.of(str(tmp_path / "a_01.jpg")).own == ("a_01.jpg.xmp",)
    assert CompanionFinder().of(str(tmp_path / "gone" / "a.jpg")).own == ()
