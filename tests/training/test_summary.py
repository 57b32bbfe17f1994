"""The table of several splits: median and spread, also where a figure is not defined."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from iqa_cli.training.summary import SplitResult, spread, summary_csv, summary_json, summary_table

SIZES = {"train": 70, "calib": 10, "test": 20}


def _results(*srccs: float | None, database: str = "live") -> list[SplitResult]:
    other = {"krcc": 0.6, "plcc": 0.7, "plcc_fitted": 0.75, "rmse": 8.123}
    return [SplitResult(i, 5 + i, database, SIZES, {"srcc": s, **other}) for i, s in enumerate(srccs)]


def test_the_spread_is_that_of_a_sample() -> None:
    assert spread([0.2, 0.8, 0.5, 0.4]) == {
        "median": pytest.approx(0.45),
        "std": pytest.approx(0.25),
        "min": 0.2,
        "max": 0.8,
        "n": 4,
    }
    assert spread([0.5])["std"] is None
    assert spread([])["median"] is None


def test_a_row_for_each_split_and_then_the_median() -> None:
    lines = [line.split() for line in summary_table(_results(0.9, 0.7, -0.8)).splitlines()]
    assert lines[0] == ["split", "seed", "database", "n", "SRCC", "KRCC", "PLCC", "fitted", "RMSE"]
    assert lines[1] == ["0", "5", "live", "20", "0.9000", "0.6000", "0.7000", "0.7500", "8.12"]
    assert lines[3][4] == "-0.8000"
    assert [line[:3] for line in lines[4:]] == [
        [w, "live", v]
        for w, v in (("median", "0.7000"), ("std", "0.9292"), ("min", "-0.8000"), ("max", "0.9000"))
    ]


def test_what_is_not_defined_is_left_out_and_counted() -> None:
    results = [*_results(0.9, None, 0.5), *_results(0.1, 0.2, 0.3, database="csiq")]
    content = json.loads(summary_json({"train": 0.7}, results))
    assert content["summary"]["live"]["srcc"]["median"] == pytest.approx(0.7)
    assert content["summary"]["live"]["srcc"]["n"] == 2
    assert content["summary"]["csiq"]["srcc"]["median"] == 0.2
    rows = list(csv.DictReader(io.StringIO(summary_csv(results))))
    assert [row["srcc"] for row in rows[:3]] == ["0.9", "", "0.5"]
    assert (rows[0]["fit"], rows[0]["choose"], rows[0]["test"]) == ("70", "10", "20")
    assert " - " in summary_table(results)


def test_a_median_over_some_of_the_splits_says_over_how_many() -> None:
    whole = summary_table(_results(0.9, 0.7)).splitlines()
    assert [line.split()[0] for line in whole[-4:]] == ["median", "std", "min", "max"]
    partly = [line.split() for line in summary_table(_results(0.9, None, 0.5)).splitlines()]
    assert partly[-1] == ["splits", "live", "2", "3", "3", "3", "3"]


def test_pictures_that_a_start_has_met_are_a_column() -> None:
    results = [replace(result, seen=seen) for result, seen in zip(_results(0.9, 0.7), (3, 0), strict=True)]
    lines = [line.split() for line in summary_table(results).splitlines()]
    assert [line[-1] for line in lines[:3]] == ["seen", "3", "0"]
    assert [row["seen"] for row in csv.DictReader(io.StringIO(summary_csv(results)))] == ["3", "0"]
    assert [row["seen"] for row in json.loads(summary_json({}, results))["splits"]] == [3, 0]
    assert "seen" not in summary_table(_results(0.9, 0.7))
