"""`iqa train` from a config file, a preset, several folders; the file that a run leaves repeats it."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.splitfile import write_split
from iqa_cli.datasets.splits import split
from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, Train
from tests.training.tinydata import TINY

SHORT = ["--set", "batch=4", "--set", "distorted=1", "--max-steps", "1"]


def _card(iqa: Iqa, path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(iqa("models", "show", path, "--format", "json").out)["card"]
    return card


def test_the_file_of_a_run_repeats_it(iqa: Iqa, train: Train, tmp_path: Path) -> None:
    first = train(*SHORT, "--range", "0", "6", "--set", "seed=3", "--name", "mine", "--preset", "cpu")
    assert first.code == 0, first.err
    again = iqa("train", "--config", "run/config.toml", "-o", "again", "--max-steps", "1", "--threads", "1")
    assert again.code == 0, again.err
    folders = (tmp_path / "run", tmp_path / "again")
    one, other = (torch.load(folder / "last.pt", weights_only=True) for folder in folders)
    assert all(torch.equal(one["network"][key], other["network"][key]) for key in one["network"])
    records = [json.loads((folder / "config.json").read_text()) for folder in folders]
    assert records[0] == records[1]
    assert records[0]["settings"]["epochs"] == 4  # of the preset
    card = _card(iqa, tmp_path / "again" / "mine.safetensors")
    entry = next(entry for entry in card["training"] if "command" in entry)
    assert entry["preset"] == "cpu"
    assert entry["command"].startswith("iqa train --config run/config.toml ")
    first_card = _card(iqa, tmp_path / "run" / "mine.safetensors")
    assert "--range 0 6" in next(e["command"] for e in first_card["training"] if "command" in e)
    # A flag goes before the file.
    other_run = iqa(
        "train", "--config", "run/config.toml", "-o", "again", "--set", "seed=4", "--max-steps", "1"
    )
    assert "again holds another run: settings seed (3 there, 4 now)" in other_run.err


def test_resume_wants_something_to_resume(train: Train, tmp_path: Path) -> None:
    refused = train("--resume")
    assert refused.code == ExitCode.USAGE
    assert "--resume: run holds no checkpoint" in refused.err
    assert not (tmp_path / "run").exists()
    assert train(*SHORT).code == 0
    resumed = train(*SHORT, "--resume")
    assert resumed.code == 0, resumed.err
    assert "resumed at step 1 of 18" in resumed.err


def test_a_split_file_says_what_is_fitted(iqa: Iqa, train: Train, train_data: Path, tmp_path: Path) -> None:
    database = read_csv(train_data)
    parts = split(database.records, {"train": 0.5, "calib": 0.3, "test": 0.2}, 8)
    write_split(tmp_path / "split.json", database, parts, 8)
    result = train(*SHORT, "--split-file", "split.json")
    assert result.code == 0, result.err
    sizes = [
        e["images"] for e in _card(iqa, tmp_path / "run/mfenet.safetensors")["training"] if "images" in e
    ]
    assert sizes == [len(parts["train"]), len(parts["calib"])]
    changed = (tmp_path / "split.json").read_text().replace("train00.png", "train99.png")
    (tmp_path / "split.json").write_text(changed)
    damaged = train(*SHORT, "--split-file", "split.json")
    assert damaged.code == ExitCode.NOT_AVAILABLE
    assert "split.json: its parts are not those of its hash" in damaged.err


def test_two_databases_are_both_on_the_card(iqa: Iqa, train: Train, train_data: Path, tmp_path: Path) -> None:
    other = tmp_path / "biq2021"
    shutil.copytree(train_data, other)
    header, *rows = (other / "labels.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    lines = [",".join([name, str(float(mos) / 6), *rest]) for name, mos, *rest in cells]
    (other / "labels.csv").write_text("\n".join([header, *lines]) + "\n")
    both = ["--data", "csv", "--data", "biq2021", "--root", f"csv={train_data}", "--root", f"biq2021={other}"]
    options = [*both, *TINY, *SHORT, "--order", "biq2021", "--device", "cpu", "--set", "shares=equal"]
    result = iqa("train", *options, "-o", "run")
    assert result.code == 0, result.err
    card = _card(iqa, tmp_path / "run" / "mfenet.safetensors")
    entries = [(e["dataset"], e["part"], e["images"]) for e in card["training"] if "images" in e]
    assert entries == [
        ("csv", "fit", 12),
        ("csv", "choose", 6),
        ("biq2021", "fit", 12),
        ("biq2021", "choose", 6),
    ]
    assert "by the order of their opinions alone" in card["training"][2]["use"]
    assert card["output"]["scale"].startswith("100 x MOS of csv")
    assert "csv: the terms of its owner" in card["licence"]["data"]
    assert "BIQ2021: published as freely available" in card["licence"]["data"]
    settings = next(entry for entry in card["training"] if "settings" in entry)
    assert settings["device"] == "cpu, 1 thread"
    # One database and its folder, as they have always been given, are another run.
    alone = iqa("train", "--data", "csv", "--root", train_data, *TINY, *SHORT, "-o", "run")
    assert "run holds another run: data further (" in alone.err
    swapped = iqa("train", *options[:-2], "--order", "csv", "-o", "run")
    assert "the first --data gives the scale" in swapped.err


def test_what_is_wrong_with_labels_and_pictures_is_one_line(
    train: Train, train_data: Path, tmp_path: Path, examples: Path
) -> None:
    def error_of(name: str, old: str, new: str) -> str:
        root = tmp_path / name
        shutil.copytree(train_data, root)
        path = root / "labels.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return _one_error(train(*SHORT, root=root).err)

    row = next(line for line in (train_data / "labels.csv").read_text().splitlines() if "train03" in line)
    score = row.split(",")[1]
    assert "labels.csv, line 5: 'nan' is no number" in error_of("a", row, row.replace(score, "nan"))
    assert "labels.csv, line 5: has 3 cells for 4 columns" in error_of("b", row, row.replace(",train3", ""))
    assert "labels.csv, line 5: 'good' is no number" in error_of("c", row, row.replace(score, "good"))
    small = tmp_path / "small"
    shutil.copytree(train_data, small)
    from PIL import Image

    Image.new("RGB", (12, 40)).save(small / "images" / "train03.png")
    assert "train03.png: 12x40 pixels is too small" in _one_error(train(*SHORT, root=small).err)


def test_a_missing_root_is_one_line(train: Train, tmp_path: Path) -> None:
    result = train(root=tmp_path / "none")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert f"no such folder: '{tmp_path / 'none'}'" in _one_error(result.err)


def test_a_full_disk_is_one_line_and_costs_nothing(train: Train, tmp_path: Path) -> None:
    options = ["--set", "batch=4", "--set", "distorted=1", "--set", "epochs=1"]
    with _room_for(20_000):
        result = train(*options)
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "best.pt: cannot be written: File too large" in _one_error(result.err)
    assert "with room on the disk, the same command resumes" in result.err
    assert train(*options).code == 0
    weight = tmp_path / "run" / "mfenet.safetensors"
    size = weight.stat().st_size
    weight.unlink()
    # Whole files are kept, and no half of one is left beside them.
    kept = {path.name for path in weight.parent.iterdir()}
    with _room_for(size // 2):
        result = train(*options)
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "mfenet.safetensors: cannot be written: " in _one_error(result.err)
    assert {path.name for path in weight.parent.iterdir()} == kept
    assert train(*options, "--resume").code == 0
    assert weight.stat().st_size > 0.9 * size


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    """No file can grow beyond this size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _one_error(err: str) -> str:
    errors = [line for line in err.splitlines() if line.startswith("iqa: error: ")]
    assert len(errors) == 1, err
    assert "Traceback" not in err
    return errors[0]


def test_a_root_in_other_bytes_than_utf_8_works(train: Train, train_data: Path, tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"photos\xff")
    shutil.copytree(train_data, root)
    result = train(*SHORT, root=root)
    assert result.code == 0, result.err
    text = (tmp_path / "run" / "config.toml").read_text(encoding="utf-8")
    assert "# Left out, since it is no Unicode: --root " in text
    again = train(*SHORT, "--config", "run/config.toml", root=root)
    assert again.code == 0, again.err
    assert "resumed at step 1" in again.err
    assert (tmp_path / "run" / "mfenet.safetensors").exists()
