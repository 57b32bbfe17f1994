"""Labels without pictures, and pictures without labels."""

from pathlib import Path

import pytest

from iqa_cli.datasets.inspect import inspect
from iqa_cli.datasets.registry import FACTS
from tests.datasets import trees

GIVEN = Path(__file__).parents[3] / "shared" / "data" / "biq2021"


@pytest.mark.parametrize("name", FACTS)
def test_a_whole_database_has_neither(name: str, tmp_path: Path) -> None:
    found = inspect(name, trees.BUILDERS[name](tmp_path))
    assert (found.missing, found.unlabelled) == ([], [])
    assert found.database.name == name


@pytest.mark.parametrize("name", FACTS)
def test_what_is_gone_and_what_was_added_is_named(name: str, tmp_path: Path) -> None:
    root = trees.BUILDERS[name](tmp_path)
    first, second, *_ = inspect(name, root).database.records
    first.path.rename(first.path.with_name("new.jpg"))
    second.path.with_name("notes.txt").touch()
    found = inspect(name, root)
    assert found.missing == [first.name]
    assert found.unlabelled == [str(first.path.with_name("new.jpg"))]


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the given BIQ2021 is not there")
def test_the_given_biq2021_is_whole() -> None:
    found = inspect("biq2021", GIVEN)
    assert (len(found.database.records), found.missing, found.unlabelled) == (8352, [], [])


def test_a_missing_folder_of_pictures_is_all_of_them_missing(tmp_path: Path) -> None:
    root = trees.flive(tmp_path)
    (root / "database" / "voc_emotic_ava").rename(root / "elsewhere")
    found = inspect("flive", root)
    assert found.missing == [name for name, _ in trees.FLIVE_ROWS if name.startswith("voc")]
    assert found.unlabelled == []


def test_a_folder_in_the_place_of_a_picture_is_no_picture(tmp_path: Path) -> None:
    root = trees.spaq(tmp_path)
    (root / "TestImage/00002.jpg").unlink()
    (root / "TestImage/00002.jpg").mkdir()
    assert inspect("spaq", root).missing == ["00002.jpg"]


def test_a_csv_of_ones_own_is_inspected_too(tmp_path: Path) -> None:
    trees.write_csv(tmp_path / "labels.csv", ("image", "mos"), [("a.png", 1), ("b.png", 2), ("sub/c.png", 3)])
    for name in ("a.png", "extra.PNG", "sub/c.png", "sub/d.jpg"):
        trees.picture(tmp_path / name)
    found = inspect("csv", tmp_path, (1, 5))
    assert found.missing == ["b.png"]
    assert found.unlabelled == [str(tmp_path / "extra.PNG"), str(tmp_path / "sub/d.jpg")]
    assert (found.database.low, found.database.high) == (1, 5)
