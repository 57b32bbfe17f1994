"""`iqa train --splits`: a training and a measurement for each random split, resumed where it ended."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.errors import ExitCode
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.scoring.scorer import load
from iqa_cli.training.options import RunOptions
from tests.cli.conftest import Iqa, Train
from tests.cli.test_train import InterruptedAt
from tests.training.tinydata import TINY

SHORT = ["--set", "batch=4", "--set", "distorted=1", "--set", "epochs=1", "--set", "seed=5"]
SHARES = ["--choose-share", "0.2", "--test-share", "0.25"]


def test_the_usual_shares_are_those_of_iqa_data_split() -> None:
    assert RunOptions(splits=10).drawn_shares == {"train": 0.7, "calib": 0.1, "test": 0.2}


def test_each_split_is_measured_once_on_what_it_never_saw(
    train: Train, train_data: Path, tmp_path: Path
) -> None:
    result = train(*SHORT, *SHARES, "--splits", "2")
    assert result.code == 0, result.err
    lines = [line.split() for line in result.lines]
    assert [line[0] for line in lines] == ["split", "0", "1", "median", "std", "min", "max"]
    with (tmp_path / "run" / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["5", "6"]
    content = json.loads((tmp_path / "run" / "splits.json").read_text())
    srccs = [float(row["srcc"]) for row in rows]
    assert content["summary"]["csv"]["srcc"]["median"] == pytest.approx(sum(srccs) / 2)
    records = {record.name: record for record in read_csv(train_data).records}
    tests = []
    for folder, row in zip(("split00", "split01"), rows, strict=True):
        parts = json.loads((tmp_path / "run" / folder / "csv.split.json").read_text())["parts"]
        assert {part: len(names) for part, names in parts.items()} == {
            "train": int(row["fit"]),
            "calib": int(row["choose"]),
            "test": int(row["test"]),
        }
        scorer = load(tmp_path / "run" / folder / "mfenet.safetensors", device="cpu")
        scores = [p.score for p in scorer.score_many(records[name].path for name in parts["test"])]
        found = agreement(scores, [records[name].mos for name in parts["test"]])
        assert float(row["srcc"]) == pytest.approx(found.srcc)
        assert float(row["krcc"]) == pytest.approx(found.krcc)
        used = scorer.card.training
        sizes = [entry["images"] for entry in used if "images" in entry]
        assert sizes == [int(row["fit"]), int(row["choose"])]
        assert any("its test part was measured at the end" in note for note in scorer.card.notes)
        tests.append(parts["test"])
    assert tests[0] != tests[1]
    # More splits go on from those that there are.
    before = (tmp_path / "run" / "split00" / "result.json").stat().st_mtime_ns
    more = train(*SHORT, *SHARES, "--splits", "3")
    assert more.code == 0, more.err
    assert more.err.count("was measured already") == 2
    assert more.lines[:3] == result.lines[:3]
    assert (tmp_path / "run" / "split00" / "result.json").stat().st_mtime_ns == before
    # Fewer are refused: the tables would lose what was measured.
    table = (tmp_path / "run" / "splits.csv").read_text()
    fewer = train(*SHORT, *SHARES, "--splits", "1")
    assert fewer.code == ExitCode.USAGE
    assert "--splits 1: run holds 3 splits already" in fewer.err
    assert (tmp_path / "run" / "splits.csv").read_text() == table
    other = train(*SHORT, "--choose-share", "0.3", "--splits", "3")
    assert other.code == ExitCode.USAGE
    assert "run holds another run: data calib (0.2 there, 0.3 now)" in other.err


def test_a_split_is_a_run_that_can_be_repeated_alone(
    iqa: Iqa, train: Train, examples: Path, tmp_path: Path
) -> None:
    assert train(*SHORT, *SHARES, "--splits", "1").code == 0
    config = tmp_path / "run" / "split00" / "config.toml"
    again = iqa("train", "--config", config, "-o", "alone", "--threads", "1")
    assert again.code == 0, again.err
    one, other = (json.loads((f / "config.json").read_text()) for f in (config.parent, tmp_path / "alone"))
    assert one == other
    weights = [folder / "mfenet.safetensors" for folder in (config.parent, tmp_path / "alone")]
    scored = [load(weight, device="cpu").score(examples / "dog.jpg") for weight in weights]
    assert scored[0].score == scored[1].score


def test_ctrl_c_keeps_the_splits_that_have_ended(train: Train, train_data: Path, tmp_path: Path) -> None:
    err = InterruptedAt("split 2 of 2")
    arguments = ["train", "--data", "csv", "--root", str(train_data), "-o", "run", *TINY, *SHORT, *SHARES]
    code = run([*arguments, "--splits", "2"], Environment(io.BytesIO(), io.BytesIO(), err))
    assert code == ExitCode.INTERRUPTED
    assert (tmp_path / "run" / "splits.csv").read_text().count("\n") == 2
    resumed = train(*SHORT, *SHARES, "--splits", "2", "--resume")
    assert resumed.code == 0, resumed.err
    assert resumed.err.count("was measured already") == 1
    assert len(resumed.lines) == 7


def test_a_dry_run_of_splits_is_refused(train: Train) -> None:
    refused = train("--splits", "2", "--max-steps", "1")
    assert refused.code == ExitCode.USAGE
    assert "leave --splits out" in refused.err


def test_a_test_part_without_a_correlation_is_refused_before_anything_is_trained(
    train: Train, tmp_path: Path
) -> None:
    refused = train(*SHORT, "--choose-share", "0.2", "--test-share", "0.08", "--splits", "2")
    assert refused.code == ExitCode.USAGE
    assert "csv: split 0 (seed 5) has 2 of 22 pictures to measure on, which are too few" in refused.err
    assert "larger --test-share" in refused.err
    assert "decoding" not in refused.err
    assert not (tmp_path / "run" / "config.json").exists()
    # So is one that cannot be trained.
    small = train(*SHORT[2:], "--set", "batch=15", *SHARES, "--splits", "2")
    assert "12 pictures to fit and 4 to choose on are too few" in small.err
    assert "decoding" not in small.err
