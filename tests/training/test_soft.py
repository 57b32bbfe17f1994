"""Soft targets: the mixture, whose scores are whose, and files that cannot be meant."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import DatasetError, IqaError, UsageError
from iqa_cli.training.soft import read_soft

MOS = (0.1, 0.4, 0.5, 0.8)
RECORDS = tuple(ImageRecord(Path(f"{i}.jpg"), f"a/{i}.jpg", mos, mos, str(i)) for i, mos in enumerate(MOS))
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a CSV of the pictures with these scores, by their full names."""

    def call(scores: Sequence[object], **columns: str) -> Path:
        path = tmp_path / "soft.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "score", *columns])
            writer.writerows([f"/data/a/{i}.jpg", score, *columns.values()] for i, score in enumerate(scores))
        return path

    return call


def _mixed(path: Path, share: float, scale: Sequence[float] = (0, 100), **rest: Any) -> list[float]:
    return [record.mos for record in read_soft(path, scale, share, "csv", RECORDS, **rest).records]


def test_a_target_is_the_mixture_of_opinion_and_score(write: Write) -> None:
    path = write([20, 30, 60, 70])
    assert _mixed(path, 1) == pytest.approx([0.2, 0.3, 0.6, 0.7])
    assert _mixed(path, 0.25) == pytest.approx([0.125, 0.375, 0.525, 0.775])
    # On a scale of 10 to 90; and a regression may lie a little outside of it.
    assert _mixed(path, 1, (10, 90)) == pytest.approx([0.125, 0.25, 0.625, 0.75])
    assert _mixed(write([-0.05, 0.3, 0.6, 1.02]), 1, (0, 1)) == pytest.approx([-0.05, 0.3, 0.6, 1.02])
    # All else of a picture stays as it was.
    for new, old in zip(read_soft(path, (0, 1), 0.5, "csv", RECORDS).records, RECORDS, strict=True):
        assert replace(new, mos=old.mos) == old


def test_what_the_file_says_of_itself_is_for_the_card(write: Write) -> None:
    told = read_soft(write([20, 30, 60, 50], model="mfe\x1b[2Jnet"), (0, 100), 0.5, "csv", RECORDS)
    assert told.point["weights"] == "soft.csv"
    assert len(told.point["sha256"]) == 64
    assert told.point["origin"] == {"scored_by": ["mfe\\x1b[2Jnet"]}
    figures = "SRCC 0.8000 and a mean difference of 15.0 points to the opinions of 4 pictures"
    assert told.line == f"soft targets, 0.5 of each: {figures}"
    assert told.point["what"] == f"scores, 0 to 100, that are 0.5 of each target; {figures}"
    silent = read_soft(write([20, 30, 60, 50]), (0, 100), 0.5, "csv", RECORDS).point
    assert silent["origin"] == "origin not documented"


def test_an_object_of_names_and_scores_names_no_scorer(tmp_path: Path) -> None:
    path = tmp_path / "soft.json"
    path.write_text(json.dumps({record.name: f"{30 + 10 * i}.5" for i, record in enumerate(RECORDS)}))
    told = read_soft(path, (0, 100), 1.0, "csv", RECORDS)
    assert [record.mos for record in told.records] == pytest.approx([0.305, 0.405, 0.505, 0.605])
    assert told.point["origin"] == "origin not documented"


def test_scores_of_other_pictures_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "soft.jsonl"
    names = [*(record.name for record in RECORDS), "b/0.jpg"]
    path.write_text("".join(json.dumps({"path": n, "score": 10 * i}) + "\n" for i, n in enumerate(names)))
    assert _mixed(path, 1, others=["b/0.jpg"]) == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("scores", "scale", "message"),
    [
        ([20, 30, "", 70], (0, 100), r"has no score for 1 of 4 pictures to fit; the first: 'a/2\.jpg'"),
        ([20, 30, 40], (0, 100), r"has no score for 1 of 4 pictures to fit; the first: 'a/3\.jpg'"),
        ([0.2, 0.3, 0.6, 0.7], (0, 100), "all but the same on a scale of 0 to 100"),
        ([50, 50, 50, 50], (0, 100), "all but the same"),
        ([20, 30, 60, 70], (0, 1), r"20 of 'a/0\.jpg' is far outside of 0 to 1"),
        ([20, 30, 60, -11], (0, 100), r"-11 of 'a/3\.jpg' is far outside of 0 to 100"),
    ],
)
def test_scores_that_cannot_be_targets_are_one_line(
    write: Write, scores: list[object], scale: tuple[float, float], message: str
) -> None:
    with pytest.raises((DatasetError, UsageError), match=message) as caught:
        read_soft(write(scores), scale, 0.5, "csv", RECORDS)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there_or_of_other_pictures_is_one_line(tmp_path: Path, write: Write) -> None:
    with pytest.raises(IqaError, match="cannot read"):
        read_soft(tmp_path / "none.csv", (0, 100), 0.5, "csv", RECORDS)
    strangers = tuple(replace(record, name=f"z{record.name[2:]}") for record in RECORDS)
    with pytest.raises(DatasetError, match="has no picture of csv, part fit"):
        read_soft(write([20, 30, 60, 70]), (0, 100), 0.5, "csv", strangers)
