"""The CSV of one's own pictures, and BIQ2021 in both layouts."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from iqa_cli.datasets.biq2021 import read_biq2021
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import split_hash
from iqa_cli.datasets.registry import read_database
from iqa_cli.errors import DatasetError, UsageError

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
        ("image,mos\na.jpg,1\nb.jpg\n", "line 3"),
        ("image,mos\na.jpg,1\na.jpg,2\n", "'a.jpg' is listed twice"),
        ("image,mos\na.jpg,1\nb.jpg,1\n", "no scale"),
    ],
)
def test_a_damaged_csv_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_csv(_write(tmp_path / "d", text))
    assert message in caught.value.message
    assert "\n" not in caught.value.message


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
from iqa_cli.datasets.record import split_hash
print(split_hash(reversed(read_csv(Path({str(root)!r})).records)))
"""
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == split_hash(records)
    moved = [*records[1:], records[0].__class__(**{**_fields(records[0]), "split": "calib"})]
    assert split_hash(moved) != split_hash(records)


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]
