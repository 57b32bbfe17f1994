"""The D-, L- and P-test: known answers, slow literal counts, and what must not change a figure."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iqa_cli.evaluation.exploration import (
    GAP,
    Explored,
    Ladders,
    differences,
    discriminability,
    explore,
    listwise,
    pairwise,
)

LEVELS = (1, 2, 3, 4, 5)
FIGURES = ("d", "l_srcc", "l_krcc", "p")


def ladders(pristine: object, distorted: object, levels: tuple[int, ...] = LEVELS) -> Ladders:
    made = np.asarray(distorted, dtype=np.float64)
    types = tuple(f"type {number}" for number in range(made.shape[1]))
    return Ladders(types, levels, np.asarray(pristine, dtype=np.float64), made)


def random(
    seed: int, m: int = 6, t: int = 2, k: int = 5, *, signal: float = 0.5, ties: bool = False
) -> Ladders:
    """Scores that fall with the level by `signal` a level, of photographs that differ."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=m)
    pristine = base + rng.normal(size=m)
    distorted = base[:, None, None] - signal * np.arange(1, k + 1) + rng.normal(size=(m, t, k))
    if ties:
        pristine, distorted = np.round(pristine), np.round(distorted)
    return ladders(pristine, distorted, LEVELS[:k])


def test_a_scorer_that_knows_the_level_is_perfect_and_one_that_is_reversed_is_worst() -> None:
    distorted = np.broadcast_to(-np.array(LEVELS, dtype=float), (4, 3, 5))
    whole, by_type = explore(ladders(np.zeros(4), distorted))
    assert [row.row for row in by_type] == ["type 0", "type 1", "type 2"]
    for row in (whole, *by_type):
        assert [getattr(row, figure) for figure in FIGURES] == [1, 1, 1, 1]
        assert [getattr(row, f"{figure}_ci") for figure in FIGURES] == [(1, 1)] * 4
        assert row.threshold == -0.5
    reversed_, _ = explore(ladders(np.zeros(4), -distorted))
    assert (reversed_.l_srcc, reversed_.l_krcc, reversed_.p) == (-1, -1, 0)
    assert reversed_.d == 0.5
    assert reversed_.threshold is None


def test_noise_is_at_chance() -> None:
    rng = np.random.default_rng(0)
    whole, _ = explore(ladders(rng.normal(size=300), rng.normal(size=(300, 2, 5))), resamples=0)
    # Four standard errors: 1 / sqrt(4 * 600) of an SRCC of five, and less of a share of many pairs.
    assert whole.l_srcc == pytest.approx(0, abs=0.09)
    assert whole.l_krcc == pytest.approx(0, abs=0.09)
    assert whole.p == pytest.approx(0.5, abs=0.08)
    assert 0.5 <= whole.d < 0.58


def test_a_constant_score_orders_nothing() -> None:
    whole, _ = explore(ladders(np.ones(3), np.ones((3, 2, 5))))
    assert (whole.d, whole.l_srcc, whole.l_krcc, whole.p) == (0.5, 0, 0, 0)
    assert whole.threshold is None


@pytest.mark.parametrize("seed", range(6))
def test_d_is_the_best_of_all_thresholds_by_brute_force(seed: int) -> None:
    made = random(seed, ties=seed % 2 == 1)
    every = np.unique(np.concatenate([made.pristine, made.distorted.ravel()]))

    def rate(threshold: float) -> float:
        return ((made.pristine > threshold).mean() + (made.distorted <= threshold).mean()) / 2

    d, threshold = discriminability(made)
    assert d == pytest.approx(max(0.5, *map(rate, every)), abs=1e-12)
    assert threshold is not None
    assert rate(threshold) == pytest.approx(d, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_l_is_scipys_correlation_of_every_ladder(ties: bool) -> None:
    made = random(3, ties=ties)
    srcc, krcc = listwise(made)
    for i, j in product(range(6), range(2)):
        q = made.distorted[i, j]
        constant = np.ptp(q) == 0
        assert srcc[i, j] == pytest.approx(0 if constant else stats.spearmanr(q, -np.arange(5)).statistic)
        assert krcc[i, j] == pytest.approx(0 if constant else stats.kendalltau(q, -np.arange(5)).statistic)


@pytest.mark.parametrize(("gap", "ties"), [(1, False), (2, True), (GAP, False), (GAP, True)])
def test_p_is_a_count_of_pairs_one_by_one(gap: int, ties: bool) -> None:
    made = random(5, ties=ties)
    pictures = [
        (i, j, level, float(score))
        for i, j in product(range(6), range(2))
        for level, score in zip((0, *LEVELS), [made.pristine[i], *made.distorted[i, j]], strict=True)
    ]
    pairs = [(a, b) for a, b in product(pictures, pictures) if a[1] == b[1] and b[2] - a[2] >= gap]
    whole, _ = explore(made, gap=gap, resamples=0)
    assert whole.n_pairs == len(pairs)
    assert whole.p == pytest.approx(np.mean([a[3] > b[3] for a, b in pairs]), abs=1e-12)


def test_levels_apart_are_counted_by_their_numbers_not_by_their_places() -> None:
    few = ladders([3.0], [[[2.0, 1.0]]], (1, 5))
    assert pairwise(few)[1] == 2  # pristine or 1 against 5, not pristine against 1
    near, _ = explore(ladders([3.0], [[[2.0, 1.0]]], (1, 2)))
    assert near.p is None
    assert near.n_pairs == 0


def test_one_level_has_no_order_and_two_photographs_no_interval() -> None:
    one_level, _ = explore(random(1, k=1))
    assert (one_level.l_srcc, one_level.l_krcc, one_level.p) == (None, None, None)
    assert one_level.d_ci is not None
    alone, by_type = explore(random(1, m=2))
    assert [getattr(alone, f"{figure}_ci") for figure in FIGURES] == [None] * 4
    assert len(by_type) == 2


@given(seed=st.integers(0, 10_000), ties=st.booleans(), scale=st.floats(0.1, 3))
def test_only_the_order_of_scores_counts(seed: int, ties: bool, scale: float) -> None:
    made = random(seed, ties=ties)
    mapped = ladders(np.exp(scale * made.pristine), np.exp(scale * made.distorted))
    for one, other in zip(figures(made), figures(mapped), strict=True):
        assert one == pytest.approx(other, abs=1e-12)


@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_the_order_of_photographs_and_types_does_not_count_and_figures_are_in_range(
    seed: int, ties: bool
) -> None:
    made = random(seed, ties=ties)
    turned = ladders(made.pristine[::-1], made.distorted[::-1, ::-1])
    d, l_srcc, l_krcc, p = figures(made)
    assert figures(turned) == pytest.approx((d, l_srcc, l_krcc, p), abs=1e-12)
    assert 0.5 <= d <= 1
    assert -1 <= min(l_srcc, l_krcc) <= max(l_srcc, l_krcc) <= 1
    assert 0 <= p <= 1


@given(seed=st.integers(0, 10_000))
def test_reversed_scores_reverse_l_and_p(seed: int) -> None:
    made = random(seed)
    _, l_srcc, l_krcc, p = figures(made)
    _, *others = figures(ladders(-made.pristine, -made.distorted))
    assert others == pytest.approx([-l_srcc, -l_krcc, 1 - p], abs=1e-12)


def figures(made: Ladders) -> tuple[float, float, float, float]:
    whole, _ = explore(made, resamples=0)
    assert whole.l_srcc is not None
    assert whole.l_krcc is not None
    assert whole.p is not None
    return whole.d, whole.l_srcc, whole.l_krcc, whole.p


def test_intervals_hold_the_figure_and_are_the_same_again() -> None:
    made = random(2, m=20)
    first, _ = explore(made, seed=4)
    assert first == explore(made, seed=4)[0]
    for figure in FIGURES:
        low, high = getattr(first, f"{figure}_ci")
        assert low < getattr(first, figure) < high


def test_intervals_are_of_photographs_not_of_pictures() -> None:
    """Types that say the same of a photograph make no interval narrower."""
    made = random(2, m=20, t=1)
    repeated = ladders(made.pristine, np.repeat(made.distorted, 6, axis=1))
    one, many = explore(made)[0], explore(repeated)[0]
    assert many.l_srcc_ci == pytest.approx(one.l_srcc_ci)
    assert many.p_ci == pytest.approx(one.p_ci)


@pytest.mark.slow
def test_intervals_cover_in_a_simulation_of_1000() -> None:
    def draw(seed: int, m: int) -> Explored:
        return explore(random(seed, m=m), resamples=500 if m < 1000 else 0)[0]

    truth = draw(0, 6000)
    drawn = [draw(seed, 40) for seed in range(1, 1001)]
    for figure, least in (("l_srcc", 0.92), ("l_krcc", 0.92), ("p", 0.92), ("d", 0.88)):
        true = getattr(truth, figure)
        bounds = [getattr(one, f"{figure}_ci") for one in drawn]
        assert least <= np.mean([low <= true <= high for low, high in bounds]) <= 0.98


@pytest.mark.parametrize(
    ("pristine", "distorted", "levels", "message"),
    [
        ([1.0], [[[1.0, 2.0]]], (1, 2, 3), "where \\[1, 1, 3\\] are needed"),
        ([1.0], [[[np.nan, 2.0]]], (1, 2), "finite"),
        ([1.0], [[[1.0, 2.0]]], (2, 2), "levels must grow"),
        ([], np.zeros((0, 1, 2)), (1, 2), "no distorted pictures"),
    ],
)
def test_what_is_no_set_of_ladders_is_refused(
    pristine: object, distorted: object, levels: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ladders(pristine, distorted, levels)


def test_differences_are_of_the_same_photographs_and_corrected() -> None:
    rng = np.random.default_rng(3)
    good = random(0, m=30, signal=0.8)
    alike = ladders(good.pristine, good.distorted + 1e-3 * rng.normal(size=good.distorted.shape))
    scorers = {"good": good, "alike": alike, "noise": random(7, m=30, signal=0)}
    found = {name: explore(made)[0] for name, made in scorers.items()}
    made = {(entry.figure, entry.first, entry.second): entry for entry in differences(found)}
    assert len(made) == 9
    for (figure, first, second), entry in made.items():
        expected = getattr(found[first], figure) - getattr(found[second], figure)
        assert entry.difference == pytest.approx(expected)
        assert entry.p_holm >= entry.p
    assert made["l_srcc", "good", "noise"].p_holm < 0.001
    assert made["l_srcc", "good", "alike"].p_holm > 0.05
    same = differences({"one": found["good"], "other": found["good"]})
    assert [entry.p_holm for entry in same] == [1, 1, 1]


def test_two_photographs_have_no_differences() -> None:
    found = {name: explore(random(seed, m=2))[0] for name, seed in (("one", 0), ("other", 1))}
    assert differences(found) == []


@pytest.mark.slow
def test_differences_keep_their_level_under_the_null() -> None:
    """Two scorers of the same kind, with noise of their own: at 5 %, about 5 % of the comparisons differ."""
    ps: dict[str, list[float]] = {"d": [], "l_srcc": [], "p": []}
    for seed in range(1000):
        pair = {name: explore(random(2 * seed + k, m=40), resamples=500)[0] for k, name in enumerate("ab")}
        for entry in differences(pair):
            ps[entry.figure].append(entry.p)
    for found in ps.values():
        assert len(found) == 1000
        assert np.mean(np.array(found) < 0.05) < 0.08
