"""Resamples against pictures laid out, influence values against the jackknife, intervals one by another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from iqa_cli.evaluation.bootstrap import Method, influence_error, intervals, method_for, p_value
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.evaluation.influence import concordance
from iqa_cli.evaluation.resample import FIGURES, Sample, resampled

METHODS: tuple[Method, ...] = ("bootstrap", "analytic")


def sample_of(n: int, groups: int, *, ties: bool, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    y = rng.normal(50, 15, n)
    x = y + rng.normal(0, 15, n)
    if ties:
        x, y = np.round(x, -1), np.round(y, -1)
    return Sample(x, y, rng.integers(groups, size=n), agreement(x, y).logistic)


def values_of(sample: Sample, pictures: np.ndarray) -> dict[str, float]:
    """The figures of some pictures, by SciPy; the curve is that of the whole sample."""
    x, y, mapped = sample.x[pictures], sample.y[pictures], sample.after_fit()[pictures]
    return {
        "srcc": stats.spearmanr(x, y).statistic,
        "krcc": stats.kendalltau(x, y).statistic,
        "plcc": stats.pearsonr(x, y).statistic,
        "plcc_fitted": stats.pearsonr(mapped, y).statistic,
        "rmse": np.sqrt(np.mean((mapped - y) ** 2)),
    }


@pytest.mark.parametrize("ties", [False, True])
def test_a_resample_is_that_of_the_drawn_groups_laid_out(ties: bool) -> None:
    sample = sample_of(90, 20, ties=ties)
    found = resampled(sample, FIGURES, resamples=5, seed=3)
    members = [np.flatnonzero(sample.groups == group) for group in np.unique(sample.groups)]
    rng = np.random.default_rng(3)
    for number, chosen in enumerate(rng.integers(len(members), size=(5, len(members)))):
        expected = values_of(sample, np.concatenate([members[group] for group in chosen]))
        for name in FIGURES:
            assert found[name][number] == pytest.approx(expected[name], abs=1e-6), name


def test_resamples_without_a_figure_are_not_defined() -> None:
    # Two groups, each of one score: a third of the resamples or more hold one score only.
    sample = Sample(np.array([1.0, 1, 2, 2]), np.array([1.0, 2, 3, 5]), np.array([0, 0, 1, 1]))
    drawn = resampled(sample, ["srcc", "krcc", "plcc"], resamples=50, seed=0)
    for values in drawn.values():
        assert 10 < np.count_nonzero(np.isnan(values)) < 40
        assert np.nanmin(values) > 0
    with pytest.raises(ValueError, match="no fitted"):
        resampled(sample, ["rmse"], resamples=2, seed=0)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=70))
def test_concordance_counts_pairs_with_ties(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    literal = [np.sum(np.sign(x[i] - x) * np.sign(y[i] - y)) for i in range(len(x))]
    assert concordance(x, y).tolist() == literal


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", FIGURES)
def test_influence_is_what_the_jackknife_finds(name: str, ties: bool) -> None:
    sample = sample_of(400, 400, ties=ties)
    everything = np.arange(400)
    whole = values_of(sample, everything)[name]
    left_out = [values_of(sample, np.delete(everything, i))[name] for i in range(0, 400, 10)]
    # Leaving one out moves a figure by its influence over n, but for terms of second order.
    moved = 400 * (whole - np.array(left_out))
    influence = sample.influence(name)
    assert influence.mean() == pytest.approx(0, abs=1e-9 * np.abs(influence).max())
    assert np.corrcoef(influence[::10], moved)[0, 1] > 0.999
    assert np.std(influence[::10]) == pytest.approx(np.std(moved), rel=0.03)


@pytest.mark.parametrize(("n", "groups"), [(1500, 60), (3000, 3000)])
def test_analytic_intervals_are_those_of_the_bootstrap(n: int, groups: int) -> None:
    rng = np.random.default_rng(2)
    of_group = np.arange(n) % groups
    # Groups differ in how good they are, and in how they are misjudged: pictures are not independent.
    y = rng.normal(size=n) + rng.normal(size=groups)[of_group]
    x = y + rng.normal(size=n) + rng.normal(size=groups)[of_group]
    found = agreement(x, y)
    sample = Sample(x, y, of_group, found.logistic)
    values = {name: getattr(found, name) for name in FIGURES}
    drawn = intervals(sample, values, method="bootstrap")
    analytic = intervals(sample, values, method="analytic")
    for name in FIGURES:
        width = drawn[name][1] - drawn[name][0]
        assert analytic[name] == pytest.approx(drawn[name], abs=0.12 * width), name


def test_copies_of_a_picture_say_no_more_than_one() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=60)
    x = y + rng.normal(size=60)
    x4, y4, groups = np.repeat(x, 4), np.repeat(y, 4), np.repeat(np.arange(60), 4)
    for method in METHODS:
        one, four, naive = (
            intervals(Sample(*arrays), {"plcc": stats.pearsonr(x, y).statistic}, method=method)["plcc"]
            for arrays in ((x, y, np.arange(60)), (x4, y4, groups), (x4, y4, np.arange(240)))
        )
        assert four == pytest.approx(one, abs=1e-9)
        assert naive[1] - naive[0] < 0.6 * (one[1] - one[0])


def test_an_interval_needs_groups_to_resample() -> None:
    x, y = np.array([1.0, 2, 3]), np.array([1.0, 3, 2])
    for groups in ([0, 0, 0], [0, 0, 1]):
        with pytest.raises(ValueError, match="at least 3 groups"):
            intervals(Sample(x, y, np.array(groups)), {"srcc": 0.5})
    low, high = intervals(Sample(x, y, np.arange(3)), {"srcc": 0.5})["srcc"]
    assert -1 <= low <= high <= 1


def test_large_samples_are_measured_analytically() -> None:
    assert method_for(20_000) == "bootstrap"
    assert method_for(20_001) == "analytic"


def test_an_exact_predictor_has_an_interval_of_no_width() -> None:
    y = np.linspace(0, 1, 50)
    for method in METHODS:
        found = intervals(Sample(y, y, np.arange(50)), {"srcc": 1.0, "plcc": 1.0}, method=method)
        assert found["srcc"] == pytest.approx((1, 1))
        assert found["plcc"] == pytest.approx((1, 1))


def test_p_is_that_of_the_normal_differences_it_is_given() -> None:
    rng = np.random.default_rng(0)
    for shift in (1.0, 2.0, 5.0):
        drawn = shift + rng.normal(size=4000)
        p = p_value(drawn, 10**6)
        assert p is not None
        assert stats.norm.isf(p / 2) == pytest.approx(shift, abs=0.1)
    assert p_value(np.zeros(100), 50) == 1.0
    assert p_value(np.ones(100), 50) == 0.0
    assert p_value(np.full(3, np.nan), 50) is None


def test_the_standard_error_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(size=80)
    centred = values - values.mean()
    assert influence_error(centred, np.arange(80)) == pytest.approx(stats.sem(values))
