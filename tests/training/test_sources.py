"""The databases of a training: folders by name, the scale of a csv, split files, the parts that are usual."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import Database
from iqa_cli.datasets.splitfile import write_split
from iqa_cli.datasets.splits import split
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.training.parts import choose_parts
from iqa_cli.training.sources import given_roots, read_databases


def _csv(folder: Path, parts: tuple[str, ...] = (), number: int = 12) -> Path:
    folder.mkdir()
    header = "image,mos,split" if parts else "image,mos"
    rows = [
        f"p{i:02}.png,{1 + i % 5}" + (f",{parts[i % len(parts)]}" if parts else "") for i in range(number)
    ]
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_a_folder_goes_to_the_database_it_is_named_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given_roots(["csv"], ["photos"]) == {"csv": Path("photos")}
    assert given_roots(["csv"], ["csv=photos"]) == {"csv": Path("photos")}
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    assert given_roots(["csv"], ["a=b"]) == {"csv": Path("a=b")}
    assert given_roots(["csv"], ["none/a=b"]) == {"csv": Path("none/a=b")}
    both = given_roots(["koniq10k", "csv"], ["csv=a=b", "koniq10k=/data/K"])
    assert both == {"csv": Path("a=b"), "koniq10k": Path("/data/K")}
    assert given_roots(["koniq10k", "csv"], []) == {}


@pytest.mark.parametrize(
    ("names", "entries", "message"),
    [
        (["koniq10k", "csv"], ["photos"], "'photos' does not say of which of 2 databases"),
        (["csv"], ["a", "b"], "--root of csv is given twice"),
        (["csv"], ["csv=a", "csv=b"], "--root of csv is given twice"),
        (["csv"], ["spaq=a"], "--root spaq=a: --data spaq is not given"),
    ],
)
def test_a_folder_of_no_database_is_one_line(names: list[str], entries: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        given_roots(names, entries)
    assert message in caught.value.message


def test_a_database_spelt_wrong_before_its_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("db").mkdir()
    with pytest.raises(UsageError, match="no such folder, and 'cvs' is not in --data") as caught:
        given_roots(["csv"], ["cvs=db"])
    assert caught.value.hint == "did you mean csv?"


def test_the_scale_is_that_of_the_csv(tmp_path: Path) -> None:
    root = _csv(tmp_path / "data")
    [database] = read_databases(["csv"], {"csv": root}, (0, 10))
    assert (database.low, database.high) == (0, 10)
    for names, message in (
        (["biq2021"], "the range of scores of biq2021 is known"),
        (["csv", "csv"], "--data csv is given twice"),
        (["konik"], "there is no database 'konik'"),
    ):
        with pytest.raises(UsageError) as caught:
            read_databases(names, dict.fromkeys(names, root), (0, 10))
        assert message in caught.value.message


def test_a_split_file_gives_the_parts(tmp_path: Path) -> None:
    root = _csv(tmp_path / "data")
    database = read_csv(root)
    drawn = split(database.records, {"train": 0.5, "calib": 0.25, "test": 0.25}, 3)
    path = tmp_path / "split.json"
    write_split(path, database, drawn, 3)
    [read] = read_databases(["csv"], {"csv": root}, split_files=[path])
    fit, choose = choose_parts(read, None, None, None, 0)
    assert [r.name for r in fit] == [r.name for r in drawn["train"]]
    assert [r.name for r in choose] == [r.name for r in drawn["calib"]]
    with pytest.raises(UsageError, match="a second one for csv"):
        read_databases(["csv"], {"csv": root}, split_files=[path, path])
    write_split(path, Database("spaq", database.records, 1, 5), drawn, 3)
    with pytest.raises(UsageError, match="is of spaq, which is not in --data"):
        read_databases(["csv"], {"csv": root}, split_files=[path])


def test_the_part_that_reports_never_chooses(tmp_path: Path) -> None:
    usual = read_csv(_csv(tmp_path / "a", ("train", "calib", "val", "test")))
    assert {r.split for r in choose_parts(usual, None, None, None, 0)[1]} == {"calib"}
    official = read_csv(_csv(tmp_path / "b", ("train", "val", "test")))
    assert {r.split for r in choose_parts(official, None, None, None, 0)[1]} == {"val"}
    # A lone "val" is what iqa eval measures on.
    with pytest.raises(DatasetError, match="has no part 'calib'"):
        choose_parts(read_csv(_csv(tmp_path / "c", ("train", "val"))), None, None, None, 0)


def test_a_database_without_parts_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="csv has no part 'train'") as caught:
        choose_parts(read_csv(_csv(tmp_path / "a")), None, None, None, 0)
    assert "--choose-share 0.2" in str(caught.value.hint)
    fit, choose = choose_parts(read_csv(tmp_path / "a"), None, None, 0.25, 0)
    assert (len(fit), len(choose)) == (9, 3)
