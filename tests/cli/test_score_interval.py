"""The interval of a score in rows and in the table: from the card, and nowhere else."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from iqa_cli import load
from iqa_cli.interval import Interval, Power
from iqa_cli.weights import load_state, save_weights
from tests.cli.conftest import Iqa, MakeData

INTERVAL = Interval(
    0.9, (20.0, 80.0), (8.0, 2.0), 2.0, 1.5, {"spread": Power(0.0, 2.0, 30.0, 0.4)}, {"images": 100}
)


@pytest.fixture
def bounded(weight: Path) -> Path:
    """A weight whose card has an interval."""
    card, tensors = load_state(weight)
    save_weights(weight, tensors, replace(card, output={**card.output, "interval": INTERVAL.to_dict()}))
    return weight


def test_rows_have_the_bounds_that_the_card_s_formula_gives(iqa: Iqa, bounded: Path, examples: Path) -> None:
    pictures = [examples / "dog.jpg", examples / "cliffs.jpg"]
    rows = json.loads(iqa("score", *pictures, "--model", bounded, "--format", "json").out)
    table = list(
        csv.DictReader(
            io.StringIO(iqa("score", *pictures, "--model", bounded, "--format", "csv").out.decode())
        )
    )
    for row, cells, picture in zip(rows, table, pictures, strict=True):
        expected = INTERVAL.of(row["score"], row["spread"], row["crops"], row["width"], row["height"])
        assert (row["low"], row["high"]) == pytest.approx(expected, abs=0.001)
        assert row["low"] < row["score"] < row["high"]
        assert row["intervals"] == {"mfenet": [row["low"], row["high"]]}
        assert (float(cells["low"]), float(cells["high"])) == (row["low"], row["high"])
        alone = load(bounded, device="cpu").score(picture)
        assert (alone.low, alone.high) == pytest.approx((row["low"], row["high"]), abs=0.02)


@pytest.mark.parametrize("mode", ["--native", "--fast"])
def test_a_mode_that_was_not_calibrated_has_no_interval(
    iqa: Iqa, bounded: Path, examples: Path, mode: str
) -> None:
    row = json.loads(iqa("score", examples / "dog.jpg", "--model", bounded, mode, "--format", "jsonl").out)
    assert row["score"] is not None
    assert (row["low"], row["high"]) == (None, None)


def test_without_an_interval_the_fields_are_null_and_the_table_has_no_column(
    iqa: Iqa, weight: Path, bounded: Path, examples: Path
) -> None:
    plain = iqa("score", examples / "dog.jpg", "nope.jpg", "--model", "mfenet", "--format", "json")
    assert [(row["low"], row["high"]) for row in json.loads(plain.out)] == [(None, None)] * 2
    without, shown = (
        iqa("score", examples / "dog.jpg", "nope.jpg", "--model", model, "--format", "table").lines
        for model in ("mfenet", bounded)
    )
    assert "90 %" not in without[0]
    assert "90 %" in shown[0]
    place = shown[0].index("90 %")
    low, _, high = shown[1][place:].split()[:3]
    assert 0 <= int(low) <= int(high) <= 100
    assert "failed" in shown[2]


def test_a_card_with_an_impossible_interval_is_no_card(iqa: Iqa, bounded: Path, examples: Path) -> None:
    content = bounded.read_bytes()
    bounded.with_name("SHA256SUMS").unlink()
    bounded.write_bytes(content.replace(b'\\"coverage\\": 0.9', b'\\"coverage\\": 9.0'))
    result = iqa("score", examples / "dog.jpg", "--model", bounded)
    assert (result.code, result.out) == (4, b"")
    assert "interval: coverage" in result.err


def test_eval_tells_what_the_intervals_cover_and_how_wide_they_are(
    iqa: Iqa, bounded: Path, make_eval_data: MakeData
) -> None:
    root = make_eval_data(8, split=lambda i: "val", subset=lambda i: "ab"[i % 2])
    arguments = ("eval", "--data", "csv", "--root", root, "--range", 1, 5, "--model", bounded)
    found = json.loads(iqa(*arguments, "--format", "json").out)
    rows = json.loads(iqa("score", *sorted(root.glob("*.png")), "--model", bounded, "--format", "json").out)
    opinions = [25 * (i * 7 % 11) * 0.4 for i in range(8)]
    inside = [row["low"] <= mos <= row["high"] for row, mos in zip(rows, opinions, strict=True)]
    assert found["covered"] == pytest.approx(sum(inside) / 8)
    assert found["width"] == pytest.approx(sum(row["high"] - row["low"] for row in rows) / 8, abs=0.01)
    assert found["covered_ci"][0] <= found["covered"] <= found["covered_ci"][1]
    assert [row["covered"] for row in found["subsets"]] == [sum(inside[::2]) / 4, sum(inside[1::2]) / 4]
    table = iqa(*arguments, "--baseline", "laplacian", "--format", "table")
    heading = next(line for line in table.lines if "covered" in line).split()
    weight, baseline = (next(line for line in table.lines if line.startswith(n)) for n in ("mfenet", "lapl"))
    assert heading[-3:] == ["covered", "width", "seen"]
    assert f"{found['covered']:.3f}" in weight
    assert baseline.split()[-3:-1] == ["-", "-"]
    assert "share of the opinions within the intervals" in table.out.decode()
