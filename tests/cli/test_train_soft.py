"""`iqa train` with scores beside the opinions: soft targets of what is fitted, and teachers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.errors import ExitCode
from iqa_cli.seen import read_seen, seen_path
from iqa_cli.training import loop
from iqa_cli.weights import read_card
from tests.cli.conftest import Iqa, Train
from tests.tinyweight import make_tiny_weight

SHORT = ["--set", "batch=4", "--set", "distorted=1", "--max-steps", "1"]


@pytest.fixture
def soft(iqa: Iqa, train_data: Path, tmp_path: Path) -> Path:
    """What `iqa score` says of the pictures to fit."""
    path = tmp_path / "soft.jsonl"
    pictures = sorted((train_data / "images").glob("train*.png"))
    assert iqa("score", *pictures, "--model", "mfenet", "-o", path).code == 0
    return path


def test_soft_targets_are_fitted_and_on_the_card(
    train: Train, soft: Path, train_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, real = [], loop.step_losses

    def look(config: Any, network: Any, fit: Any, *rest: Any) -> Any:
        targets.append([record.mos for record in fit])
        return real(config, network, fit, *rest)

    monkeypatch.setattr(loop, "step_losses", look)
    options = [*SHORT, "--soft", soft, "--set", "soft_share=0.25"]
    result = train(*options)
    assert result.code == 0, result.err
    assert "iqa: soft targets, 0.25 of each: SRCC " in result.err
    said = {}
    for line in soft.read_text().splitlines():
        row = json.loads(line)
        said[Path(row["path"]).name] = row["score"] / 100
    mixed = [0.75 * r.mos + 0.25 * said[r.name] for r in read_csv(train_data).part("train")]
    assert targets == [pytest.approx(mixed, abs=1e-9)]
    card = read_card(tmp_path / "run" / "mfenet.safetensors")
    (point,) = card.starting_points
    assert (point["branch"], point["weights"]) == ("soft targets", "soft.jsonl")
    assert point["origin"] == {"scored_by": ["mfenet"]}
    assert any(note.startswith("start of soft targets: what its scorer has seen") for note in card.notes)
    # Its percentiles are still those of people.
    assert "soft" not in card.output["scale"]
    resumed = train(*options, "--max-steps", "2", "--resume")
    assert resumed.code == 0, resumed.err
    # Another file, another scale or another share is another run; and so is none.
    (tmp_path / "other.jsonl").write_text(soft.read_text() + "\n")
    for changed in (
        ["--soft", tmp_path / "other.jsonl", "--set", "soft_share=0.25"],
        ["--soft", soft, "--soft-range", "1", "100", "--set", "soft_share=0.25"],
        ["--soft", soft, "--set", "soft_share=0.3"],
        [],
    ):
        refused = train(*SHORT, *changed)
        assert refused.code == ExitCode.USAGE
        assert "run holds another run: " in refused.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--soft", "soft.csv"], "--soft FILE and --set soft_share=... belong together"),
        (["--set", "soft_share=0.5"], "--soft FILE and --set soft_share=... belong together"),
        (["--soft-range", "0", "1"], "--soft-range is of the scores of --soft"),
        (
            ["--soft", "soft.csv", "--soft-range", "1", "0"],
            "--soft-range goes from the lowest to the highest",
        ),
        (["--soft", "s", "--set", "soft_share=1.5"], "soft_share must be at most 1"),
        (["--teacher", "t"], "--teacher WEIGHT and --unlabelled DIR belong together"),
        (["--teacher", "t", "--teacher", "t", "--unlabelled", "d"], "--teacher names a weight twice"),
        (["--set", "teacher_weight=0"], "teacher_weight must be above 0"),
    ],
)
def test_scores_that_cannot_be_meant_are_refused(
    train: Train, tmp_path: Path, options: list[str], message: str
) -> None:
    result = train(*options)
    assert result.code == ExitCode.USAGE, result.err
    assert message in result.err
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_file_that_lacks_a_picture_is_refused_before_anything_takes_long(
    train: Train, soft: Path, tmp_path: Path
) -> None:
    lines = [line for line in soft.read_text().splitlines() if "train07" not in line]
    soft.write_text("\n".join(lines) + "\n")
    result = train(*SHORT, "--soft", soft, "--set", "soft_share=0.5")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "has no score for 1 of 12 pictures to fit; the first: 'train07.png'" in result.err
    assert "decoding" not in result.err


def test_an_mfe_net_learns_from_two_teachers(
    train: Train, train_data: Path, tmp_path: Path, examples: Path
) -> None:
    unlabelled = tmp_path / "photos"
    unlabelled.mkdir()
    for i in range(4):
        shutil.copy(train_data / "images" / f"val{i:02}.png", unlabelled)
    other = make_tiny_weight(tmp_path, examples, "other", seed=3)
    options = ["--teacher", "mfenet", "--teacher", other, "--unlabelled", unlabelled, *SHORT]
    result = train(*options, "--set", "shares=equal", "--set", "teacher_weight=0.5")
    assert result.code == 0, result.err
    assert result.err.count("scores 4 unlabelled pictures") == 2
    assert len(json.loads((tmp_path / "run" / "teacher.json").read_text())["teachers"]) == 2
    weight = tmp_path / "run" / "mfenet.safetensors"
    card = read_card(weight)
    taught = [point["weights"] for point in card.starting_points if "teacher" in point["branch"]]
    assert taught == ["mfenet.safetensors", "other.safetensors"]
    assert len(read_seen(seen_path(weight)).pixels) == 22
    # In the other order they are the same run, which the file in its folder says too.
    turned = ["--teacher", other, "--teacher", "mfenet", *options[4:]]
    again = train(*turned, "--set", "shares=equal", "--set", "teacher_weight=0.5", "--max-steps", "2")
    assert again.code == 0, again.err
    assert again.err.count("are there already") == 2
    alone = train(*options[2:], "--set", "shares=equal", "--set", "teacher_weight=0.5")
    assert "run holds another run: starts --teacher (" in alone.err
