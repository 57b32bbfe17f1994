"""`iqa doctor`: what it finds in a good installation, and in one whose weight has gone wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iqa_cli import load
from iqa_cli.selftest import ANSWERS, TOLERANCE, known_answer, picture, record_answers
from tests.cli.conftest import Iqa
from tests.conftest import ROOT
from tests.tinyweight import make_tiny_weight

pytestmark = pytest.mark.usefixtures("own_weights")


@pytest.fixture
def own_weights(examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one tiny weight, and no other weights to be found."""
    make_tiny_weight(tmp_path, examples, "tiny")
    monkeypatch.setattr("iqa_cli.finding.search_folders", lambda: [tmp_path])
    return tmp_path


def _facts(iqa: Iqa, code: int = 0) -> dict[str, Any]:
    result = iqa("doctor", "--format", "json")
    assert result.code == code, result.err
    facts: dict[str, Any] = json.loads(result.out)
    return facts


def test_a_good_installation_is_all_well(iqa: Iqa) -> None:
    result = iqa("doctor")
    assert result.code == 0
    assert result.lines[-1] == "all is well"
    facts = _facts(iqa)
    assert facts["troubles"] == []
    assert facts["versions"]["iqa"]
    assert facts["devices"][0]["device"] == "cpu"
    assert all(facts["formats"][name] is None for name in ("JPEG", "PNG", "TIFF", "GIF", "PPM", "BMP"))
    assert facts["weights"][0]["known"] is None


def test_recorded_answers_are_met_again_and_another_answer_is_trouble(iqa: Iqa, own_weights: Path) -> None:
    assert iqa("doctor", "--record").code == 0
    row = _facts(iqa)["weights"][0]
    assert row["known"] == row["score"] == known_answer(own_weights / "tiny.safetensors")
    record_answers({own_weights / "tiny.safetensors": row["score"] - 1})
    facts = _facts(iqa, 4)
    assert facts["troubles"] == [f"tiny: {facts['weights'][0]['error']}"]
    assert f"known to score {row['score'] - 1:.2f}" in facts["troubles"][0]


def test_a_damaged_weight_is_named_and_the_rest_is_still_looked_at(iqa: Iqa, own_weights: Path) -> None:
    weight = own_weights / "tiny.safetensors"
    (own_weights / "cut.safetensors").write_bytes(weight.read_bytes()[:2000])
    facts = _facts(iqa, 4)
    assert [row["error"] is None for row in facts["weights"]] == [False, True]
    assert facts["troubles"][0].startswith("cut: ")
    result = iqa("doctor")
    assert result.code == 4
    assert sum(line.startswith("trouble") for line in result.lines) == 1


def test_no_weight_is_trouble(iqa: Iqa, own_weights: Path) -> None:
    for path in own_weights.iterdir():
        path.unlink()
    assert _facts(iqa, 4)["troubles"][0].startswith("there is no weight")


def test_answers_of_weights_that_have_gone_are_dropped_and_a_broken_file_is_one_line(
    iqa: Iqa, own_weights: Path
) -> None:
    weight, answers = own_weights / "tiny.safetensors", own_weights / ANSWERS
    answers.write_text('{"0000": 3}')
    record_answers({weight: 50.0})
    digest = hashlib.sha256(weight.read_bytes()).hexdigest()
    assert json.loads(answers.read_text()) == {digest: 50.0}
    answers.write_text("{")
    assert "known_answers.json: cannot be read" in _facts(iqa, 4)["troubles"][0]


def test_the_picture_is_the_same_wherever_it_is_made() -> None:
    made = picture()
    assert made.shape == (320, 448, 3)
    assert made.std() > 30
    # Of the picture that the answers beside the shipped weights were given to.
    assert hashlib.sha256(np.ascontiguousarray(made)).hexdigest()[:16] == "141e1cd4ce8b8ef7"


def test_the_shipped_weights_give_their_known_answers() -> None:
    paths = [path for path in (ROOT / "weights").glob("*.safetensors") if ".seen." not in path.name]
    assert paths
    for path in paths:
        known, found = known_answer(path), load(path).score(picture()).score
        assert known is not None, path.name
        assert found == pytest.approx(known, abs=TOLERANCE), path.name
