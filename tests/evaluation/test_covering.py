"""The share of opinions that intervals hold, its own interval, and the width."""

from __future__ import annotations

import numpy as np
import pytest

from iqa_cli.evaluation.covering import covering
from iqa_cli.evaluation.measure import measure
from iqa_cli.evaluation.part import Column, Part


def test_share_and_width_count_pictures_with_bounds_only() -> None:
    low, high = np.array([10.0, 20, np.nan, 40, 0]), np.array([20.0, 40, 50, 60, 100])
    found = covering(low, high, np.array([20.0, 41, 30, 40, 50]), np.arange(5))
    assert found is not None
    assert (found.covered, found.width) == (0.75, 37.5)  # the ends belong to an interval
    assert covering(np.full(3, np.nan), np.full(3, np.nan), np.arange(3.0), np.arange(3)) is None


def test_the_interval_of_the_share_is_wilson_s_where_pictures_are_independent() -> None:
    inside = np.repeat([1.0, 0.0], [90, 10])
    found = covering(np.zeros(100), inside, np.full(100, 0.5), np.arange(100))
    assert found is not None
    # Of 90 in 100: statsmodels.stats.proportion.proportion_confint(90, 100, method="wilson").
    assert found.covered_ci == pytest.approx((0.8256, 0.9448), abs=0.001)


def test_pictures_of_a_group_make_it_no_surer() -> None:
    inside = np.repeat(np.random.default_rng(0).random(40) < 0.9, 10).astype(float)
    alone = covering(np.zeros(400), inside, np.full(400, 0.5), np.arange(400))
    grouped = covering(np.zeros(400), inside, np.full(400, 0.5), np.repeat(np.arange(40), 10))
    single = covering(np.zeros(400), inside, np.full(400, 0.5), np.zeros(400, dtype=np.int64))
    assert alone is not None
    assert grouped is not None
    assert single is not None
    assert alone.covered_ci is not None
    assert grouped.covered_ci is not None
    assert np.ptp(grouped.covered_ci) > 2.5 * np.ptp(alone.covered_ci)
    assert single.covered_ci is None
    all_inside = covering(np.zeros(20), np.ones(20), np.full(20, 0.5), np.arange(20))
    assert all_inside is not None
    assert all_inside.covered_ci is not None
    assert 0.8 < all_inside.covered_ci[0] < 0.9


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_it_holds_the_truth_as_stated(share: float) -> None:
    rng, hits, groups = np.random.default_rng(1), 0, np.repeat(np.arange(60), 3)
    for _ in range(400):
        # All three of a group, or one by one, with the same share.
        whole = rng.random(60) < 0.5
        inside = np.where(whole[groups], (rng.random(60) < share)[groups], rng.random(180) < share)
        found = covering(np.zeros(180), inside.astype(float), np.full(180, 0.5), groups)
        assert found is not None
        assert found.covered_ci is not None
        hits += found.covered_ci[0] <= share <= found.covered_ci[1]
    assert 0.91 < hits / 400 < 0.985


def test_rows_of_subsets_have_their_own_and_scorers_without_intervals_none() -> None:
    n = 30
    opinions = np.linspace(0, 100, n)
    part = Part(
        "made",
        "all",
        "",
        tuple(map(str, range(n))),
        opinions,
        np.arange(n),
        {"subset": ["a", "b"] * (n // 2)},
    )
    half = np.arange(n) % 2 * 1000.0
    bounds = (opinions - 5 + half, opinions + 15 + half)
    found = measure(part, Column("x", opinions + 1, bounds=bounds), resamples=20, by=["subset"])
    assert found.whole.covered == 0.5
    assert found.whole.width == pytest.approx(20)
    assert [row.covered for row in found.rows["subset"]] == [1.0, 0.0]
    plain = measure(part, Column("x", opinions + 1), resamples=20, by=["subset"])
    assert (plain.whole.covered, plain.whole.covered_ci, plain.whole.width) == (None, None, None)
