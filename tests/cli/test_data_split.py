"""`iqa data split`: the same files in every process, groups kept together, nothing overwritten."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from iqa_cli.datasets.registry import read_database
from iqa_cli.datasets.splitfile import read_split
from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, MakeData
from tests.conftest import ROOT
from tests.datasets import trees


def files(folder: Path) -> dict[str, bytes]:
    """Name -> content of the files in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def part_of(path: Path) -> dict[str, str]:
    """Name of each picture -> its part in a split file."""
    parts = json.loads(path.read_text())["parts"]
    return {name: part for part, names in parts.items() for name in names}


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Three versions of each of five photographs (as taken, encoded again, cropped), without groups."""
    root = tmp_path / "series"
    root.mkdir()
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos"])
        for number, name in enumerate(("alpaca", "cliffs", "college", "dog", "lunch")):
            with Image.open(ROOT / "examples" / f"{name}.jpg") as picture:
                photo = picture.convert("RGB").resize((300, 300))
            photo.save(root / f"{name}-a.png")
            photo.save(root / f"{name}-b.jpg", quality=30)
            photo.crop((20, 10, 290, 300)).save(root / f"{name}-c.jpg", quality=90)
            writer.writerows([f"{name}-{suffix}", number] for suffix in ("a.png", "b.jpg", "c.jpg"))
    return root


def test_two_processes_with_other_hash_seeds_write_the_same_files(
    make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(30, group=lambda i: f"g{i // 3}")
    written = []
    for seed in ("1", "4242"):
        folder = tmp_path / f"by{seed}"
        command = [sys.executable, "-m", "iqa_cli", "data", "split", "csv", "--root", str(root)]
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([*command, "--seeds", "3", "-o", str(folder)], check=True, env=environ, cwd=ROOT)
        written.append(files(folder))
    assert written[0] == written[1]
    assert list(written[0]) == ["csv-seed00.json", "csv-seed01.json", "csv-seed02.json"]
    assert len({json.loads(content)["split_hash"] for content in written[0].values()}) == 3


def test_the_split_does_not_hang_on_the_order_of_the_rows(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(20)
    iqa("data", "split", "csv", "--root", root, "--seeds", 1, "-o", tmp_path / "one")
    header, *rows = (root / "labels.csv").read_text().splitlines()
    (root / "labels.csv").write_text("\n".join([header, *rows[::-1]]) + "\n")
    iqa("data", "split", "csv", "--root", root, "--seeds", 1, "-o", tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_rows_name_file_seed_hash_and_sizes_and_json_the_same(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(20)
    result = iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "s")
    assert result.code == 0
    assert len(result.rows) == 10
    assert result.rows[3][:2] == [str(tmp_path / "s/csv-seed03.json"), "3"]
    assert result.rows[3][3:] == ["train=14", "calib=2", "test=4"]
    again = iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "s", "--format", "json")
    splits = json.loads(again.out)["splits"]
    assert [split["split_hash"] for split in splits] == [row[2] for row in result.rows]
    assert splits[0]["pictures"] == {"train": 14, "calib": 2, "test": 4}
    table = iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "s", terminal="stdout", colour=False)
    assert table.lines[0].split() == ["file", "seed", "hash", "train", "calib", "test"]


def test_no_reference_is_in_two_parts(iqa: Iqa, tmp_path: Path) -> None:
    root = trees.kadid10k(tmp_path / "kadid", references=10)
    iqa("data", "split", "kadid10k", "--root", root, "--seeds", 2, "-o", tmp_path / "s")
    content = json.loads((tmp_path / "s/kadid10k-seed01.json").read_text())
    assert (content["grouped_by"], content["seed"], content["origin"]) == ("reference", 1, "drawn")
    references: dict[str, set[str]] = {}
    for name, part in part_of(tmp_path / "s/kadid10k-seed01.json").items():
        references.setdefault(name[:3], set()).add(part)
    assert len(references) == 10
    assert all(len(parts) == 1 for parts in references.values())


def test_official_parts_are_written_where_they_exist_and_drawn_ones_on_request(
    iqa: Iqa, tmp_path: Path
) -> None:
    root = trees.koniq10k(tmp_path / "koniq")
    result = iqa("data", "split", "koniq10k", "--root", root, "-o", tmp_path / "s")
    assert result.code == 0
    content = json.loads((tmp_path / "s/koniq10k-official.json").read_text())
    assert (content["origin"], content["seed"], content["fractions"]) == ("official", None, None)
    given = {record.name: record.split for record in read_database("koniq10k", root).records}
    assert part_of(tmp_path / "s/koniq10k-official.json") == given
    shares = ("--parts", "train=0.5,test=0.5")
    drawn = iqa("data", "split", "koniq10k", "--root", root, "-o", tmp_path / "s", "--seeds", 1, *shares)
    assert drawn.code == 0
    assert sorted(files(tmp_path / "s")) == ["koniq10k-official.json", "koniq10k-seed00.json"]


def test_a_column_of_parts_counts_as_given_and_an_incomplete_one_does_not(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(20, split=lambda i: "test" if i < 5 else "train")
    iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "a")
    assert list(files(tmp_path / "a")) == ["csv-official.json"]
    (root / "labels.csv").write_text((root / "labels.csv").read_text().replace("train", "", 1))
    iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "b", "--seeds", 1)
    assert list(files(tmp_path / "b")) == ["csv-seed00.json"]
    refused = iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "c", "--official")
    assert refused.code == ExitCode.NOT_AVAILABLE
    assert "not every picture is given a part" in refused.err


def test_near_duplicates_stay_together_and_are_looked_for_once(
    iqa: Iqa, series: Path, tmp_path: Path
) -> None:
    arguments = ("data", "split", "csv", "--root", series, "--group-duplicates", "--seeds", 4)
    shares = ("--parts", "train=0.6,test=0.4", "-o", tmp_path / "s", "--format", "json")
    first = iqa(*arguments, *shares)
    assert first.code == 0, first.err
    assert "5 groups of near-duplicates with 15 of 15 pictures" in first.err
    report = json.loads(first.out)
    assert report["duplicates"]["groups"] == 5
    assert "agreement" not in report["duplicates"]
    assert {split["grouped_by"] for split in report["splits"]} == {"near-duplicates"}
    for seed in range(4):
        parts = part_of(tmp_path / f"s/csv-seed{seed:02}.json")
        assert all(
            len({parts[f"{n}-a.png"], parts[f"{n}-b.jpg"], parts[f"{n}-c.jpg"]}) == 1
            for n in ("dog", "lunch")
        )
    before = files(tmp_path / "s")
    second = iqa(*arguments, *shares)
    assert "found before" in second.err
    assert files(tmp_path / "s") == before
    database = read_split(tmp_path / "s/csv-seed00.json", read_database("csv", series))
    assert len({record.group for record in database.records}) == 5
    # Another picture under an old name is another database: it is gone through again.
    shutil.copy(series / "lunch-a.png", series / "dog-a.png")
    third = iqa(*arguments, *shares, "--force")
    assert "found before" not in third.err
    assert "lunch-a.png" in str(json.loads((tmp_path / "s/csv-duplicates.json").read_text())["groups"])


def test_the_groups_found_are_compared_with_those_of_the_labels(
    iqa: Iqa, series: Path, tmp_path: Path
) -> None:
    header, *rows = (series / "labels.csv").read_text().splitlines()
    # The labels miss one version of the first photograph, and join the last two photographs.
    groups = ["a", "a", "x", *"bbb", *"ccc", *"dddddd"]
    lines = [f"{row},{group}" for row, group in zip(rows, groups, strict=True)]
    (series / "labels.csv").write_text("\n".join([f"{header},group", *lines]) + "\n")
    result = iqa(
        "data", "split", "csv", "--root", series, "--group-duplicates", "--seeds", 1, "-o", tmp_path / "s",
        "--format", "json", "--parts", "train=0.5,test=0.5",
    )  # fmt: skip
    agreement = json.loads(result.out)["duplicates"]["agreement"]
    # Found 5 groups of 3 (15 pairs); given pairs 1 + 3 + 3 + 15; common 1 + 3 + 3 + 3 + 3.
    assert (agreement["pairs_found"], agreement["pairs_given"], agreement["pairs_common"]) == (15, 22, 13)
    assert agreement["pair_precision"] == 13 / 15
    parts = part_of(tmp_path / "s/csv-seed00.json")
    assert len({part for name, part in parts.items() if name.startswith(("dog", "lunch"))}) == 1
    assert len({part for name, part in parts.items() if name.startswith("alpaca")}) == 1


def test_given_parts_that_part_near_duplicates_are_told_and_kept(
    iqa: Iqa, series: Path, tmp_path: Path
) -> None:
    header, *rows = (series / "labels.csv").read_text().splitlines()
    parts = ["test" if "-a" in row and "dog" in row else "train" for row in rows]
    lines = [f"{row},{part}" for row, part in zip(rows, parts, strict=True)]
    (series / "labels.csv").write_text("\n".join([f"{header},split", *lines]) + "\n")
    result = iqa("data", "split", "csv", "--root", series, "--group-duplicates", "-o", tmp_path / "s")
    assert "they part 1 group of near-duplicates, of 3 pictures" in result.err
    database = read_split(tmp_path / "s/csv-official.json", read_database("csv", series))
    group = {record.name: record.group for record in database.records}
    assert group["dog-b.jpg"] == group["dog-c.jpg"] != group["dog-a.png"]


def test_the_duplicates_can_be_looked_at(iqa: Iqa, series: Path, tmp_path: Path) -> None:
    arguments = ("--root", series, "--group-duplicates", "-o", tmp_path / "s", "--seeds", 1)
    iqa("data", "split", "csv", *arguments, "--parts", "train=0.5,test=0.5")
    kept = tmp_path / "s/csv-duplicates.json"
    result = iqa("data", "show", "csv", "--root", series, "--duplicates", kept, "-o", tmp_path / "d.png")
    assert (result.code, result.err) == (0, f"iqa: 15 pictures on {tmp_path / 'd.png'}\n")
    wrong = iqa(
        "data", "show", "csv", "--root", series, "--duplicates", tmp_path / "s/csv-seed00.json",
        "-o", tmp_path / "e.png",
    )  # fmt: skip
    assert wrong.code == ExitCode.NOT_AVAILABLE
    assert "is no file of near-duplicates" in wrong.err


def test_a_file_of_another_split_is_not_overwritten_unless_forced(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(20)
    arguments = ("data", "split", "csv", "--root", root, "-o", tmp_path / "s", "--seeds", 1)
    assert iqa(*arguments).code == 0
    before = files(tmp_path / "s")
    assert iqa(*arguments).code == 0
    refused = iqa(*arguments, "--parts", "train=0.5,test=0.5")
    assert refused.code == ExitCode.USAGE
    assert "is another split" in refused.err
    assert files(tmp_path / "s") == before
    assert iqa(*arguments, "--parts", "train=0.5,test=0.5", "--force").code == 0
    assert files(tmp_path / "s") != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--parts", "train"], "no part with a share"),
        (["--parts", "all=1"], "no part with a share"),
        (["--parts", "a=0.5,a=0.5"], "no part with a share"),
        (["--parts", "train=x"], "no share of train"),
        (["--parts", "train=0.5,test=0.4"], "sum to 0.9"),
        (["--parts", "train=nan,test=0.4"], "nan"),
        (["--parts", "train=0.99,test=0.01"], "cannot be parted"),
        (["--official", "--seeds", "2"], "--official"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_wrong_shares_are_one_line_and_write_nothing(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path, arguments: list[str], said: str
) -> None:
    root = make_eval_data(12)
    result = iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "s", *arguments)
    assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE)
    assert said in result.err.splitlines()[0]
    assert not (tmp_path / "s").exists()


def test_missing_pictures_are_told_before_duplicates_are_looked_for(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(5)
    (root / "p03.png").unlink()
    result = iqa("data", "split", "csv", "--root", root, "-o", tmp_path / "s", "--group-duplicates")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "1 of 5 pictures are missing: p03.png" in result.err


def test_a_folder_that_cannot_be_written_is_one_line(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = iqa("data", "split", "csv", "--root", make_eval_data(12), "-o", tmp_path / "file" / "s")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert len(result.err.splitlines()) == 1
    assert "cannot write" in result.err
