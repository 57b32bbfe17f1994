"""`iqa refit`: a weight that names distortions, with the scores that it had."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from iqa_cli.seen import hash_file, read_seen, seen_path, write_seen
from iqa_cli.weights import load_network, read_card, save_weights, shipped_state, verify_checksum
from tests.cli.conftest import Iqa
from tests.networks.test_filling import make_branched
from tests.training.tinydan import make_pristine


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_branched(tmp_path_factory.mktemp("branched"))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    return make_pristine(tmp_path_factory.mktemp("pristine") / "p", examples, train=4, val=1)


def test_it_names_and_scores_as_before(iqa: Iqa, branched: Path, pristine: Path, examples: Path) -> None:
    before = branched.read_bytes()
    target = branched.with_name("named.safetensors")
    options = ("--pristine", pristine, "--crops", 2, "--size", 64, "--threads", 1)
    result = iqa("refit", branched, *options, "-o", target)
    assert result.code == 0, result.err
    assert b"named: type right in 0." in result.out
    assert branched.read_bytes() == before
    assert verify_checksum(target)
    card = read_card(target)
    assert card.config["distortion_head"] == "ordinal"
    entry = card.training[-1]
    assert (entry["images"], entry["use"]) == (4, "the head that names distortions")
    assert entry["crops"] == 2 * 5 * 28
    assert entry["command"].startswith("iqa refit")
    photo = examples / "dog.jpg"
    rows = [
        json.loads(iqa("score", photo, "--model", w, "--format", "json").out)[0] for w in (branched, target)
    ]
    assert rows[0]["raw"] == rows[1]["raw"]
    assert rows[0]["distortion"] is None
    assert set(rows[1]) >= {"distortion", "distortion_level"}
    # In place, by the name it has: the entry is replaced, not added to.
    again = iqa("refit", target, *options, "--seed", 1, "--in-place")
    assert again.code == 0, again.err
    assert read_card(target).training[-1]["settings"]["seed"] == 1
    assert len(read_card(target).training) == len(card.training)


def test_what_it_has_met_is_kept(iqa: Iqa, branched: Path, pristine: Path, tmp_path: Path) -> None:
    known, target = tmp_path / "known.safetensors", tmp_path / "further.safetensors"
    number = write_seen(seen_path(known), [hash_file(pristine / "images" / "p0.png")])
    card, network = load_network(branched)
    met = {"file": seen_path(known).name, "pictures": number}
    save_weights(known, shipped_state(network), replace(card, seen=met))
    result = iqa("refit", known, "--pristine", pristine, "--crops", 2, "--size", 64, "-o", target)
    assert result.code == 0, result.err
    seen = read_seen(seen_path(target))
    assert [seen.met(hash_file(pristine / "images" / f"p{i}.png")) for i in range(5)] == 4 * [True] + [False]
    assert read_card(target).seen == {"file": "further.seen.safetensors", "pictures": 4}


def test_without_a_target_nothing_is_written(iqa: Iqa, branched: Path, pristine: Path) -> None:
    there = sorted(branched.parent.iterdir())
    result = iqa("refit", branched, "--pristine", pristine, "--crops", 2, "--size", 64)
    assert result.code == 0, result.err
    assert "nothing was written" in result.err
    assert sorted(branched.parent.iterdir()) == there


def test_what_cannot_be_refitted_is_one_line(iqa: Iqa, weight: Path, branched: Path, pristine: Path) -> None:
    for given, message in (
        ((weight, "--pristine", pristine), "has no distortion branch"),
        ((branched, "--pristine", weight.parent), "sources.csv"),
        ((branched, "--pristine", pristine, "--in-place", "-o", "x.safetensors"), "exclude each other"),
        ((branched, "--pristine", pristine, "-o", "x.pt"), "ends in .safetensors"),
        ((branched, "--pristine", pristine, "--crops", 1), "crops"),
    ):
        result = iqa("refit", *given)
        assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE), given
        assert message in result.err
        assert "Traceback" not in result.err


def test_a_photograph_that_is_cut_short_is_named(
    iqa: Iqa, branched: Path, pristine: Path, tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(pristine, tmp_path / "damaged"))
    photo = damaged / "images" / "p1.png"
    photo.write_bytes(photo.read_bytes()[:2000])
    result = iqa("refit", branched, "--pristine", damaged, "--crops", 2, "-o", tmp_path / "x.safetensors")
    assert result.code == ExitCode.SOME_FAILED
    assert "p1.png" in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.glob("x.*"))
