"""The CSV of one's own pictures, and BIQ2021 in both layouts."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iqa_cli.datasets.biq2021 import read_biq2021
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.pristine import read_pristine
from iqa_cli.datasets.record import split_hash
from iqa_cli.datasets.registry import read_database
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.evaluation.part import part_of

GIVEN = Path(__file__).parents[3] / "shared" / "data" / "biq2021"


def _write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_a_csv_becomes_records_with_scores_from_0_to_1(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "image,mos,group,split\nb.jpg,3,x,train\na.jpg,1,x,train\nc.jpg,5,y,val\n")
    database = read_csv(root)
    assert [(r.name, r.mos, r.raw, r.group, r.split) for r in database.records] == [
        ("a.jpg", 0.0, 1.0, "x", "train"),
        ("b.jpg", 0.5, 3.0, "x", "train"),
        ("c.jpg", 1.0, 5.0, "y", "val"),
    ]
    assert database.records[0].path == root / "a.jpg"
    assert [r.name for r in database.part("val")] == ["c.jpg"]
    assert database.part("all") == database.records


def test_dmos_is_turned_so_that_higher_is_better(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "image,dmos\na.jpg,0\nb.jpg,100\n")
    database = read_csv(root)
    assert [r.mos for r in database.records] == [1.0, 0.0]
    assert not database.higher_is_better


def test_standard_deviations_are_on_the_scale_of_the_scores(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "image,dmos,sd\na.jpg,0,12\nb.jpg,80,\nc.jpg,40,0\n")
    assert [r.deviation for r in read_csv(root).records] == [pytest.approx(0.15), None, 0.0]
    part = part_of("csv", "all", read_csv(root).records)
    assert part.deviations is not None
    assert np.array_equal(part.deviations, [15, np.nan, 0], equal_nan=True)
    assert part_of("csv", "all", read_csv(root).records[1:2]).deviations is None


def test_a_reference_groups_its_distorted_versions(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "image,mos,ref,distortion,level\na1.png,1,a,jpeg,2\na2.png,2,a,blur,\n")
    first, second = read_csv(root).records
    assert first.group == second.group == "a"
    assert (first.distortion, first.level, second.level) == ("jpeg", 2, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("image,mos\n", "no rows"),
        ("file,mos\na.jpg,1\n", "needs the columns image and mos"),
        ("image,mos\na.jpg,good\nb.jpg,1\n", "line 2: 'good' is no number"),
        ("image,mos\na.jpg,nan\nb.jpg,1\n", "line 2: 'nan' is no number"),
        ("image,mos\na.jpg,1\nb.jpg\n", "line 3: has 1 cells for 2 columns"),
        ("image,mos\na.jpg,1\n\nParis, 1900.jpg,2\n", "line 4: has 3 cells for 2 columns"),
        ("mos,image\n1,a.jpg\n2\n", "line 3: has 1 cells for 2 columns"),
        ("image,mos\na.jpg,1\n ,2\n", "line 3: names no picture"),
        ("image,mos\na.jpg,1\n\0,2\n", "labels.csv"),
        ("image,mos,mos\na.jpg,1,2\n", "two columns 'mos'"),
        ("image,mos,level\na.jpg,1,2.5\nb.jpg,2,1\n", "line 2: the level 2.5 is no whole number"),
        ("image,mos,sd\na.jpg,1,-1\nb.jpg,2,1\n", "line 2: -1 is no standard deviation"),
        ("image,mos,sd\na.jpg,1,x\nb.jpg,2,1\n", "line 2: 'x' is no number"),
        ("image,mos\na.jpg,1\na.jpg,2\n", "'a.jpg' is listed twice"),
        ("image,mos\na.jpg,1\nb.jpg,1\n", "no scale"),
    ],
)
def test_a_damaged_csv_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_csv(_write(tmp_path / "d", text))
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_spaces_around_cells_and_a_byte_order_mark_do_not_count(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "\ufeffimage, mos\n a.jpg , 1\nb.jpg, 3\n\n")
    assert [(r.name, r.mos) for r in read_csv(root).records] == [("a.jpg", 0.0), ("b.jpg", 1.0)]


def test_a_csv_in_another_encoding_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("image,mos\ncafé.jpg,1\nb.jpg,2\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="is not UTF-8 text") as caught:
        read_csv(tmp_path)
    assert caught.value.hint is not None
    assert "UTF-8" in caught.value.hint


def test_a_declared_range_sets_the_scale(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "image,mos\na.jpg,2\nb.jpg,4\n")
    assert [r.mos for r in read_database("csv", root).records] == [0.0, 1.0]
    database = read_database("csv", root, (1, 5))
    assert [r.mos for r in database.records] == [0.25, 0.75]
    assert (database.low, database.high) == (1, 5)
    with pytest.raises(DatasetError, match="line 3: the score 4 lies outside of 0 to 3"):
        read_database("csv", root, (0, 3))
    for senseless in ((5.0, 1.0), (1.0, 1.0), (0.0, float("inf")), (float("nan"), 5.0)):
        with pytest.raises(UsageError, match="no range"):
            read_database("csv", root, senseless)
    with pytest.raises(UsageError, match="range of scores of biq2021 is known"):
        read_database("biq2021", root, (0, 1))


def test_the_part_to_measure_on_is_never_the_training_part(tmp_path: Path) -> None:
    for number, (splits, expected) in enumerate(
        [("train val test", "val"), ("train test", "test"), ("train calib", "all"), (" ", "all")]
    ):
        names = splits.split(" ")
        rows = "".join(f"{i}.jpg,{i},{split}\n" for i, split in enumerate(names))
        root = _write(tmp_path / str(number), f"image,mos,split\n{rows}")
        assert read_csv(root).measuring_part() == expected


def test_missing_pictures_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    root = _write(tmp_path / "d", "image,mos\n" + "".join(f"{i}.jpg,{i}\n" for i in range(9)))
    database = read_csv(root)
    for i in (2, 3):
        (root / f"{i}.jpg").touch()
    database.check_pictures(database.records[2:4])
    with pytest.raises(DatasetError) as caught:
        database.check_pictures(database.records)
    assert caught.value.message == "csv: 7 of 9 pictures are missing: 0.jpg, 1.jpg, 4.jpg and 4 more"
    assert caught.value.hint == f"looked for {root / '0.jpg'}"


def test_a_missing_part_names_those_there_are(tmp_path: Path) -> None:
    database = read_csv(_write(tmp_path / "d", "image,mos,split\na.jpg,0,train\nb.jpg,1,calib\n"))
    with pytest.raises(DatasetError, match="no part 'test'") as caught:
        database.part("test")
    assert caught.value.hint == "parts: calib, train"


def test_a_misspelt_database_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_database("biq2012", tmp_path)
    assert caught.value.hint == "did you mean biq2021?"
    with pytest.raises(DatasetError, match="no BIQ2021"):
        read_database("biq2021", tmp_path)


def test_the_official_layout_of_biq2021(tmp_path: Path) -> None:
    for name, rows in (("Train", "ss01 (1).jpg,0.5\nss03 (2).jpg,0.7\n"), ("Test", "ss02 (9).jpg,0.25\n")):
        _write(tmp_path, f"Images,MOS\n{rows}", f"{name} (Images and MOS).csv")
    (tmp_path / "Images").mkdir()
    database = read_biq2021(tmp_path)
    assert [(r.name, r.mos, r.split, r.subset) for r in database.records] == [
        ("ss01 (1).jpg", 0.5, "train", "ss01"),
        ("ss02 (9).jpg", 0.25, "test", "ss02"),
        ("ss03 (2).jpg", 0.7, "train", "ss03"),
    ]
    assert database.records[0].path == tmp_path / "Images" / "ss01 (1).jpg"


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("a.jpg,0.5\n", "a.jpg,0.5\n", "'a.jpg' is listed twice"),
        ("a.jpg,0.5\nb.jpg\n", "c.jpg,0.5\n", "line 3: has 1 cells for 2 columns"),
        ("a.jpg,0.5\n", ",0.5\n", "line 2: names no picture"),
        ("a.jpg,0.5\n", "b.jpg,1.5\n", "line 2: MOS 1.5 lies outside of 0 to 1"),
        ("a.jpg,nan\n", "b.jpg,0.5\n", "line 2: 'nan' is no number"),
        ("caf\udce9.jpg,0.2\n", "b.jpg,0.5\n", "is not UTF-8 text"),
    ],
)
def test_damaged_official_files_are_one_clear_line(
    tmp_path: Path, train: str, test: str, message: str
) -> None:
    for name, rows in (("Train", train), ("Test", test)):
        path = tmp_path / f"{name} (Images and MOS).csv"
        path.write_text(f"Images,MOS\n{rows}", encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DatasetError) as caught:
        read_biq2021(tmp_path)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,split\na.jpg,train\nb.jpg\n", "line 3: has 1 cells for 2 columns"),
        ("image,split\n,train\n", "line 2: names no picture"),
        ("image,split\na.jpg,train\na.jpg,train\n", "'a.jpg' is listed twice"),
        ("image\na.jpg\n", "lacks the column 'split'"),
        ("image,split\na.jpg,val\n", "has no part 'train'"),
        (None, "No such file"),
    ],
)
def test_a_damaged_list_of_pristine_photographs_is_one_clear_line(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        _write(tmp_path, text, "sources.csv")
    with pytest.raises(DatasetError) as caught:
        read_pristine(tmp_path)
    assert message in caught.value.message


def test_pristine_photographs_of_a_part_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    _write(tmp_path, "image,origin,split\nb.jpg,X,train\nc.jpg,X,val\na.jpg,X,train\n", "sources.csv")
    assert read_pristine(tmp_path) == [tmp_path / "images" / "b.jpg", tmp_path / "images" / "a.jpg"]
    assert read_pristine(tmp_path, "val") == [tmp_path / "images" / "c.jpg"]


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the given BIQ2021 is not there")
def test_the_given_biq2021_has_its_counts_and_no_group_in_two_parts() -> None:
    database = read_database("biq2021", GIVEN)
    counts = {split: len(database.part(split)) for split in ("train", "calib", "val")}
    assert counts == {"train": 6956, "calib": 656, "val": 740}
    assert {r.subset for r in database.records} == {"ss01", "ss02", "ss03"}
    parts: dict[str, set[str | None]] = {}
    for record in database.records:
        parts.setdefault(record.group, set()).add(record.split)
    assert all(len(splits) == 1 for splits in parts.values())
    assert all(record.path.is_file() for record in database.records)


def test_the_hash_of_a_split_is_the_same_in_every_process_and_order(tmp_path: Path) -> None:
    root = tmp_path / "d"
    root.mkdir()
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos", "split"])
        writer.writerows([f"{i}.jpg", i, "train" if i % 3 else "val"] for i in range(50))
    records = read_csv(root).records
    code = f"""
from pathlib import Path
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.pristine import read_pristine
from iqa_cli.datasets.record import split_hash
print(split_hash(reversed(read_csv(Path({str(root)!r})).records)))
"""
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == split_hash(records)
    moved = [*records[1:], records[0].__class__(**{**_fields(records[0]), "split": "calib"})]
    assert split_hash(moved) != split_hash(records)


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]
