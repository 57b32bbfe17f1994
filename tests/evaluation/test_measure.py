"""Figures of a part and its subsets: those that are not defined cost nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from iqa_cli.evaluation.measure import Scored, measure


def pictures(subset: str | None, n: int, *, constant: bool = False, met: bool | None = None) -> list[Scored]:
    rng = np.random.default_rng(n)
    opinions = rng.uniform(0, 100, n)
    scores = np.full(n, 50.0) if constant else opinions + rng.normal(0, 10, n)
    return [
        Scored(float(score), float(opinion), f"{subset}{i}", subset, met, None if met is None else not met)
        for i, (score, opinion) in enumerate(zip(scores, opinions, strict=True))
    ]


def test_a_subset_without_a_correlation_is_a_row_with_a_reason() -> None:
    whole, rows = measure(
        [*pictures("big", 40), *pictures("flat", 9, constant=True), *pictures("small", 2)], 51
    )
    assert [(row.subset, row.n_used, row.n_total) for row in rows] == [
        ("big", 40, 40),
        ("flat", 9, 9),
        ("small", 2, 2),
    ]
    assert whole.srcc is not None
    assert rows[0].srcc == pytest.approx(0.9, abs=0.1)
    assert rows[0].why_not is None
    assert rows[0].srcc_ci is not None
    assert rows[0].srcc_ci[0] < rows[0].srcc < rows[0].srcc_ci[1]
    for row, reason in ((rows[1], "the same"), (rows[2], "at least 3 pictures")):
        assert (row.srcc, row.srcc_ci, row.krcc, row.plcc, row.plcc_fitted, row.rmse) == (None,) * 6
        assert row.why_not is not None
        assert reason in row.why_not


def test_one_subset_is_no_row_of_its_own() -> None:
    whole, rows = measure(pictures("one", 12), 12)
    assert rows == []
    assert whole.n_used == 12


def test_pictures_met_in_training_are_counted_by_row_and_unknown_is_not_none() -> None:
    whole, rows = measure([*pictures("a", 5, met=True), *pictures("b", 6, met=False)], 11)
    assert [(row.seen, row.seen_near) for row in (whole, *rows)] == [(5, 6), (5, 0), (0, 6)]
    unknown, _ = measure(pictures("a", 5), 5)
    assert (unknown.seen, unknown.seen_near) == (None, None)


def test_one_group_has_figures_and_no_interval() -> None:
    same = [Scored(p.score, p.opinion, "one") for p in pictures(None, 10)]
    whole, _ = measure(same, 10)
    assert whole.srcc is not None
    assert whole.srcc_ci is None
