"""`iqa calibrate`: what it fits, what it leaves as it is, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from iqa_cli.errors import ExitCode
from iqa_cli.seen import hash_file, read_seen, seen_path
from iqa_cli.tensorfile import read_file
from iqa_cli.weights import read_card, verify_checksum
from tests.cli import evaldata
from tests.cli.conftest import Iqa, Result

PICTURES, OTHERS = 22, 8


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures of real photographs with opinions, most of them called calib."""
    root = tmp_path_factory.mktemp("labelled") / "data"
    return evaldata.make_data(root, PICTURES + OTHERS, split=lambda i: "calib" if i < PICTURES else "val")


@pytest.fixture
def calibrate(iqa: Iqa, weight: Path, labelled: Path) -> Callable[..., Result]:
    """The command for the tiny weight and these pictures, with further options."""

    def call(*options: object, root: Path = labelled) -> Result:
        return iqa("calibrate", weight, "--data", "csv", "--root", root, "--range", 1, 5, *options)

    return call


def _tensors(path: Path) -> bytes:
    content = read_file(path)[1]
    return bytes(content[8 + int.from_bytes(content[:8], "little") :])


def test_a_new_weight_gives_intervals_that_hold_the_opinions(
    iqa: Iqa, calibrate: Callable[..., Result], weight: Path, labelled: Path, tmp_path: Path
) -> None:
    target = tmp_path / "mine.safetensors"
    before = weight.read_bytes()
    result = calibrate("-o", target, "--format", "json")
    assert result.code == 0, result.err
    assert weight.read_bytes() == before
    assert verify_checksum(target)
    assert _tensors(target) == _tensors(weight)
    facts, card = json.loads(result.out), read_card(target)
    assert (card.name, facts["images"], facts["split"]) == ("mine", PICTURES, "calib")
    assert card.output["interval"] == facts["interval"]
    assert card.output["scale"] == "100 x MOS of csv, scaled to 0 to 1"
    assert card.interval is not None
    assert (card.interval.about["groups"], card.interval.about["fitted_to"]) == (PICTURES, "csv, part calib")
    assert card.training[-1]["command"].startswith("iqa calibrate")
    assert "percentiles are of these" in card.training[-1]["use"]
    # Few pictures fit no curve, and it is said.
    assert any("too few to fit a curve" in note for note in card.notes)
    pictures = sorted(labelled.glob("p*.png"))[:PICTURES]
    rows = json.loads(iqa("score", *pictures, "--model", target, "--format", "json").out)
    opinions = [100 * (1 + (i * 7 % 11) * 0.4 - 1) / 4 for i in range(PICTURES)]
    inside = [row["low"] <= mos <= row["high"] for row, mos in zip(rows, opinions, strict=True)]
    assert np.mean(inside) >= 0.85
    shown = " ".join(iqa("models", "show", target).out.decode().split())
    assert "interval 90 %" in shown
    assert "csv, part calib" in shown


def test_a_weight_that_looks_otherwise(
    iqa: Iqa, calibrate: Callable[..., Result], weight: Path, examples: Path, tmp_path: Path
) -> None:
    target = tmp_path / "even.safetensors"
    before = read_card(weight).policy()
    result = calibrate("-o", target, "--policy", "centre_sigma=0", "--policy", "native_crops=4")
    assert result.code == 0, result.err
    policy = read_card(target).policy()
    assert (policy.centre_sigma, policy.native_crops, policy.crop) == (0, 4, before.crop)
    assert "--policy centre_sigma=0" in read_card(target).training[-1]["command"]
    crops = [
        json.loads(iqa("score", examples / "dog.jpg", "--model", path, "--format", "json").out)[0]["crops"]
        for path in (weight, target)
    ]
    # Of two by three crops none is in the middle.
    assert crops == [7, 6]


def test_a_policy_that_is_none_is_refused(calibrate: Callable[..., Result]) -> None:
    for policy, words in (
        ("centre_sigma=0.01", "centre_sigma must be 0, or 0.1 or more"),
        ("crops=3", "unknown key crops"),
        ("backgrounds=3", "backgrounds must be two levels"),
        ("crop", "is not of the form KEY=VALUE"),
    ):
        result = calibrate("--policy", policy)
        assert result.code == ExitCode.USAGE
        assert words in result.err
    result = calibrate("--policy", "native_crops=4", "--interval-only")
    assert result.code == ExitCode.USAGE
    assert "give one of the two" in result.err


def test_without_a_target_nothing_is_written(calibrate: Callable[..., Result], weight: Path) -> None:
    before = {path: path.read_bytes() for path in weight.parent.iterdir()}
    result = calibrate()
    assert result.code == 0
    assert result.lines[0].startswith("mfenet on csv, part calib: 22 pictures")
    assert any(line.startswith("interval     90 %, by 22 groups") for line in result.lines)
    assert "nothing was written" in result.err
    assert {path: path.read_bytes() for path in weight.parent.iterdir()} == before


def test_in_place_the_interval_alone_changes_no_score_and_keeps_what_was_measured(
    iqa: Iqa, calibrate: Callable[..., Result], weight: Path, labelled: Path
) -> None:
    evaluated = ("eval", "--data", "csv", "--root", labelled, "--range", 1, 5, "--model", weight)
    first = calibrate("--in-place")
    assert first.code == 0, first.err
    assert iqa(*evaluated, "--record").code == 0
    evaldata.teach(weight, labelled / f"p{PICTURES}.png")
    old, tensors = read_card(weight), _tensors(weight)
    (scored,) = json.loads(iqa("score", labelled / "p01.png", "--model", weight, "--format", "json").out)
    assert calibrate("--interval-only", "--in-place").code == 0
    card = read_card(weight)
    assert (card.results, card.input) == (old.results, old.input)
    assert len(card.results) == 1
    fitted = card.output["interval"]
    assert card.output == {**old.output, "interval": fitted}
    (again,) = json.loads(iqa("score", labelled / "p01.png", "--model", weight, "--format", "json").out)
    assert (again["score"], again["spread"]) == (scored["score"], scored["spread"])
    assert _tensors(weight) == tensors
    # What it was calibrated on counts as met from now on.
    seen = read_seen(seen_path(weight))
    assert card.seen == {"file": seen_path(weight).name, "pictures": PICTURES + 1}
    assert len(seen) == PICTURES + 1
    assert seen.met(hash_file(labelled / "p00.png"))
    # Other scores: what was measured before does not hold for them.
    told = calibrate("--in-place").err
    assert read_card(weight).results == []
    assert "iqa eval --record" in told
    assert len(read_card(weight).training) == 1


def test_pictures_of_the_training_are_told_of(
    calibrate: Callable[..., Result], weight: Path, labelled: Path
) -> None:
    evaldata.teach(weight, labelled / "p02.png", labelled / "p03.png")
    result = calibrate("--in-place")
    said = "2 of 22 pictures that it was calibrated on were met in its training"
    assert said in result.err
    assert any(said in note for note in read_card(weight).notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--in-place", "-o", "x.safetensors"], "exclude each other"),
        (["-o", "x.pt"], "ends in .safetensors"),
        (["-o", "x.seen.safetensors"], "ends in .safetensors"),
        (["-o", "nowhere/x.safetensors"], "no such folder"),
        (["-o", "-.safetensors"], "cannot name a weight"),
        (["--interval-only"], "on another scale"),
        (["--split", "calb"], "no part 'calb'"),
    ],
)
def test_what_does_not_go_together_is_refused_before_scoring(
    calibrate: Callable[..., Result],
    weight: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setattr("iqa_cli.training.recalibrate.load_network", None)
    result = calibrate(*options)
    assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE)
    assert said in result.err.splitlines()[0]
    assert result.out == b""


def test_a_database_with_other_parts_must_be_told_which(
    calibrate: Callable[..., Result], tmp_path: Path, weight: Path
) -> None:
    root = evaldata.make_data(tmp_path / "other", 4, split=lambda i: "train" if i else "test")
    result = calibrate(root=root)
    assert (result.code, "no part calib" in result.err) == (ExitCode.USAGE, True)
    existing = weight.with_name("there.safetensors")
    shutil.copy(weight, existing)
    assert "is there already" in calibrate("-o", existing).err


def test_too_few_groups_write_no_interval(
    calibrate: Callable[..., Result], tmp_path: Path, weight: Path
) -> None:
    root = evaldata.make_data(tmp_path / "few", 24, group=lambda i: i % 6)
    result = calibrate("--in-place", root=root)
    assert result.code == 0, result.err
    assert "no interval: 6 groups" in result.err
    assert read_card(weight).interval is None
    before = weight.read_bytes()
    result = calibrate("--interval-only", "--in-place", root=root)
    assert (result.code, "6 groups" in result.err) == (ExitCode.NOT_AVAILABLE, True)
    assert weight.read_bytes() == before
