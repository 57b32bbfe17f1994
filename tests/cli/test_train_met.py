"""`iqa train` says which pictures it chooses and measures on are held out by name only."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.seen import hash_file, read_seen, seen_path, write_seen
from iqa_cli.training.met import copies
from iqa_cli.weights import read_card
from tests.cli.conftest import Iqa, Train
from tests.training.tinydata import TINY

SHORT = ["--set", "batch=4", "--set", "distorted=1", "--set", "epochs=1"]


def _start(train: Train, tmp_path: Path) -> Path:
    """A weight that has seen the parts train and calib."""
    assert train(*SHORT, "--max-steps", "1").code == 0
    return Path(shutil.move(tmp_path / "run", tmp_path / "first")) / "mfenet.safetensors"


def test_a_start_that_was_trained_on_them_is_told(iqa: Iqa, train: Train, tmp_path: Path) -> None:
    start = _start(train, tmp_path)
    assert "were met in the training" not in "".join(read_card(start).notes)
    dry = [*SHORT, "--max-steps", "1", "--start", start]
    again = train(*dry)
    assert again.code == 0, again.err
    told = f"csv: 6 of 6 pictures to choose on were met in the training of --start {start}: "
    assert again.err.count(told) == 1
    notes = read_card(tmp_path / "run" / "mfenet.safetensors").notes
    assert sum(note.startswith(told) for note in notes) == 1
    assert any(note.startswith("calibration: 6 pictures are too few") for note in notes)
    # A part that it has not met needs no word.
    shutil.rmtree(tmp_path / "run")
    other = train(*dry, "--choose", "val")
    assert other.code == 0, other.err
    assert "were met in the training" not in other.err


def test_splits_of_a_start_count_what_it_has_met(
    iqa: Iqa, train: Train, train_data: Path, tmp_path: Path
) -> None:
    start = _start(train, tmp_path)
    options = [*SHORT, "--start", start, "--splits", "1", "--choose-share", "0.2", "--test-share", "0.25"]
    result = train(*options)
    assert result.code == 0, result.err
    records = {record.name: record for record in read_csv(train_data).records}
    parts = json.loads((tmp_path / "run/split00/csv.split.json").read_text())["parts"]
    met = {p: sum(records[name].split in ("train", "calib") for name in parts[p]) for p in ("calib", "test")}
    assert 0 < met["test"] <= len(parts["test"])
    for part, use in (("calib", "choose on"), ("test", "measure on")):
        told = f"csv: {met[part]} of {len(parts[part])} pictures to {use} were met in the training of --start"
        assert result.err.count(told) == 1
        assert any(n.startswith(told) for n in read_card(tmp_path / "run/split00/mfenet.safetensors").notes)
    assert result.lines[0].endswith("seen")
    assert result.lines[1].split()[-1] == str(met["test"])
    with (tmp_path / "run" / "splits.csv").open(newline="") as file:
        assert [row["seen"] for row in csv.DictReader(file)] == [str(met["test"])]
    assert json.loads((tmp_path / "run" / "splits.json").read_text())["splits"][0]["seen"] == met["test"]
    # It is told again where the split was measured before.
    again = train(*options)
    assert "was measured already" in again.err
    assert "pictures to measure on were met in the training of --start" in again.err


def test_a_start_that_does_not_say_what_it_has_met_counts_nothing(train: Train, tmp_path: Path) -> None:
    start = _start(train, tmp_path)
    seen_path(start).unlink()
    result = train(*SHORT, "--max-steps", "1", "--start", start)
    assert result.code == 0, result.err
    assert "were met in the training" not in result.err
    assert "what it has seen is not known" in result.err


def test_a_copy_in_the_other_database_is_told(
    iqa: Iqa, train: Train, train_data: Path, tmp_path: Path
) -> None:
    other = tmp_path / "biq2021"
    (other / "images").mkdir(parents=True)
    rows = ["image,mos,group,split"]
    for i, record in enumerate(read_csv(train_data).records):
        part = "calib" if i < 4 else "train"  # two of these were chosen on there
        shutil.copy(record.path, other / "images" / f"other{i}.png")
        rows.append(f"other{i}.png,{record.mos},g{i},{part}")
    (other / "labels.csv").write_text("\n".join(rows) + "\n")
    both = ["--data", "csv", "--data", "biq2021", "--root", f"csv={train_data}", "--root", f"biq2021={other}"]
    result = iqa("train", *both, *TINY, *SHORT, "--max-steps", "1", "-o", "run")
    assert result.code == 0, result.err
    fitted = [r for root in (train_data, other) for r in read_csv(root).records if r.split == "train"]
    chosen = [r for r in read_csv(train_data).records if r.split == "calib"]
    expected = copies(chosen, fitted)
    assert expected
    told = f"csv: {len(expected)} of 6 pictures to choose on are copies of fitted ones, the first '"
    assert result.err.count(told) == 1
    assert any(note.startswith(told) for note in read_card(Path("run/mfenet.safetensors")).notes)


def test_only_equal_bytes_are_copies(train_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(train_data, root)
    records = read_csv(root).records
    fitted = [r for r in records if r.split == "train"]
    held = [r for r in records if r.split == "calib"]
    assert copies(held, fitted) == []
    shutil.copy(fitted[3].path, held[2].path)
    assert copies(held, fitted) == [held[2]]
    content = bytearray(held[2].path.read_bytes())
    content[-20] ^= 1  # the same size
    held[2].path.write_bytes(content)
    assert copies(held, fitted) == []


def test_the_hashes_compared_are_those_of_iqa_eval(train: Train, train_data: Path, tmp_path: Path) -> None:
    start = _start(train, tmp_path)
    one = next(r for r in read_csv(train_data).records if r.split == "calib")
    assert read_seen(seen_path(start)).met(hash_file(one.path))
    write_seen(seen_path(start), [hash_file(one.path)])
    result = train(*SHORT, "--max-steps", "1", "--start", start)
    assert "csv: 1 of 6 pictures to choose on were met" in result.err
