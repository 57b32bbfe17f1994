"""`iqa eval --record`: the figures on the card, the tensors as they were, and what is not written to."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from iqa_cli.tensorfile import read_file
from iqa_cli.weights import load_state, read_card, save_weights, verify_checksum
from tests.cli.conftest import Iqa, MakeData
from tests.cli.evaldata import teach


def test_record_writes_the_figures_and_a_command_that_gives_them_again(
    iqa: Iqa, make_eval_data: MakeData, weight: Path
) -> None:
    root = make_eval_data(9, split=lambda i: "val", subset=lambda i: "ab"[i % 2])
    arguments = ["--root", root, "--model", weight, "--range", 1, 5]
    header, content = read_file(weight)
    before = {name: (i.dtype, i.shape, content[i.start : i.end]) for name, i in header.tensors.items()}
    found = json.loads(iqa("eval", "--dataset", "csv", *arguments, "--record", "--format", "json").out)
    header, content = read_file(weight)
    after = {name: (i.dtype, i.shape, content[i.start : i.end]) for name, i in header.tensors.items()}
    assert after == before
    assert {kind for kind, _, _ in after.values()} >= {"F16", "F32"}
    assert verify_checksum(weight)
    card = read_card(weight)
    (result,) = card.results
    assert card.headline_srcc == pytest.approx(found["srcc"], abs=1e-4)
    for key in ("srcc", "srcc_ci", "krcc", "plcc", "plcc_fitted", "rmse"):
        expected = found[key]
        assert result[key] == (None if expected is None else pytest.approx(expected, abs=1e-4))
    assert (result["dataset"], result["part"], result["n_used"], result["n_total"]) == ("csv", "val", 9, 9)
    assert result["split_hash"] == found["split_hash"]
    assert [row["subset"] for row in result["subsets"]] == ["a", "b"]
    assert result["seen"] is None
    assert len(result["date"]) == 10
    words = shlex.split(result["command"])
    assert "--record" not in words
    again = iqa(*words[1:], "--format", "json")
    assert json.loads(again.out) == found
    assert result["command"] in " ".join(iqa("models", "show", weight).out.decode().split())


def test_record_replaces_the_older_result_of_the_same_part_only(
    iqa: Iqa, make_eval_data: MakeData, weight: Path
) -> None:
    root = make_eval_data(9, split=lambda i: "val" if i < 5 else "test")
    arguments = ["eval", "--dataset", "csv", "--root", root, "--model", weight, "--record"]
    for split in ("val", "test", "val"):
        result = iqa(*arguments, "--split", split)
        assert result.code == 0
        assert f"recorded on the card of {weight}" in result.err
    assert "in place of an older result" in result.err
    assert [entry["part"] for entry in read_card(weight).results] == ["val", "test"]
    # What was met in training does not become the headline.
    teach(weight, root / "p08.png")
    assert iqa(*arguments, "--split", "test").code == 0
    assert [(entry["part"], entry["seen"]) for entry in read_card(weight).results] == [
        ("val", None),
        ("test", 1),
    ]


def test_a_weight_stored_in_full_precision_stays_so(iqa: Iqa, make_eval_data: MakeData, weight: Path) -> None:
    card, tensors = load_state(weight)
    save_weights(weight, {key: value * 1.0001 for key, value in tensors.items()}, card, half=False)
    expected = load_state(weight)[1]
    assert (
        iqa("eval", "--dataset", "csv", "--root", make_eval_data(5), "--model", weight, "--record").code == 0
    )
    assert len(read_card(weight).results) == 1
    for key, value in load_state(weight)[1].items():
        assert value.equal(expected[key])


@pytest.mark.parametrize("why", ["installed", "protected", "suffix"])
def test_record_refuses_a_file_that_is_not_to_be_written_before_scoring(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr("iqa_cli.scoring.scorer.load", None)
    root = make_eval_data(5)
    if why == "installed":
        folder = weight.parent / "site-packages" / "iqa_cli" / "_weights"
        folder.mkdir(parents=True)
        weight = Path(shutil.move(weight, folder))
    elif why == "protected":
        weight.chmod(0o444)
    else:
        weight = weight.rename(weight.with_suffix(".weights"))
    before = weight.read_bytes()
    result = iqa("eval", "--dataset", "csv", "--root", root, "--model", weight, "--record")
    assert (result.code, result.out) == (ExitCode.NOT_AVAILABLE, b"")
    said = {"installed": "installed package", "protected": "may not be written", "suffix": "should end in"}
    assert said[why] in result.err.splitlines()[0]
    assert weight.read_bytes() == before


def test_a_weight_that_changes_while_it_is_measured_is_not_recorded_in(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iqa_cli.cli.progress.Progress.advance", lambda _: os.utime(weight, ns=(1, 1)))
    result = iqa("eval", "--dataset", "csv", "--root", make_eval_data(5), "--model", weight, "--record")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "has changed while it was measured" in result.err
    assert result.lines[2].startswith("all")  # the figures are not lost
    assert read_card(weight).results == []


def test_a_link_to_a_weight_stays_a_link(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(weight)
    assert iqa("eval", "--dataset", "csv", "--root", make_eval_data(5), "--model", link, "--record").code == 0
    assert link.is_symlink()
    assert len(read_card(weight).results) == 1
