"""Correlations against independent computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_cli.evaluation.correlation import agreement, fit_logistic, logistic4


def _rank(values: list[float]) -> list[float]:
    """Mean ranks, counted literally."""
    return [
        sum(other < value for other in values) + (1 + sum(other == value for other in values)) / 2
        for value in values
    ]


def _pearson(x: list[float], y: list[float]) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return cov / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=30))
def test_coefficients_are_their_definitions_with_ties(pairs: list[tuple[int, int]]) -> None:
    x, y = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    if len(set(x)) < 2 or len(set(y)) < 2:
        with pytest.raises(ValueError, match="same"):
            agreement(x, y)
        return
    found = agreement(x, y)
    assert found.srcc == pytest.approx(_pearson(_rank(x), _rank(y)), abs=1e-9)
    assert found.plcc == pytest.approx(_pearson(x, y), abs=1e-9)
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i in range(len(x)) for j in range(i)]
    tied_x, tied_y = sum(a != 0 for a, _ in signs), sum(b != 0 for _, b in signs)
    tau = sum(a * b for a, b in signs) / (tied_x * tied_y) ** 0.5
    assert found.krcc == pytest.approx(tau, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_coefficients_under_monotone_maps_and_turned_about(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    found = agreement(x, y)
    for mapped in (x**3 + x, np.exp(x / 3), 1e-3 * x + 7):
        other = agreement(mapped, y)
        assert (other.srcc, other.krcc) == pytest.approx((found.srcc, found.krcc), abs=1e-12)
    exchanged, reversed_ = agreement(y, x), agreement(-x, y)
    for name in ("srcc", "krcc", "plcc"):
        assert getattr(exchanged, name) == pytest.approx(getattr(found, name), abs=1e-12)
        assert getattr(reversed_, name) == pytest.approx(-getattr(found, name), abs=1e-12)


def test_a_reversed_predictor_keeps_its_sign() -> None:
    y = np.linspace(0, 1, 40)
    found = agreement(-y, y)
    assert found.srcc == pytest.approx(-1)
    assert found.plcc == pytest.approx(-1)


def test_rank_correlations_ignore_a_monotone_map_and_the_fit_undoes_a_logistic_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = logistic4(x, 90.0, 10.0, 0.3, 0.5)
    found = agreement(x, y)
    assert found.srcc == pytest.approx(1)
    assert found.plcc < 0.99
    assert found.plcc_fitted == pytest.approx(1, abs=1e-6)
    assert found.rmse == pytest.approx(0, abs=1e-3)
    assert agreement(np.exp(x), y).srcc == pytest.approx(1)


def test_the_fit_survives_a_reversed_predictor() -> None:
    x = np.linspace(-2, 2, 80)
    y = logistic4(-x, 1.0, 0.0, 0.0, 0.4)
    mapped = fit_logistic(x, y)
    assert mapped is not None
    assert np.abs(mapped - y).max() < 1e-3


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1, 2], "at least 3"),
        ([1, 2, 3], [1, 2], "3 predictions for 2 opinions"),
        ([1, 2, float("nan")], [1, 2, 3], "finite"),
        ([5, 5, 5], [1, 2, 3], "same"),
    ],
)
def test_what_has_no_correlation_is_an_error(x: list[float], y: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agreement(x, y)


def test_three_or_four_pictures_have_correlations_and_no_fit() -> None:
    for n in (3, 4):
        found = agreement([1, 3, 2, 5][:n], [10, 20, 30, 40][:n])
        assert found.srcc == pytest.approx({3: 0.5, 4: 0.8}[n])
        assert (found.plcc_fitted, found.rmse) == (None, None)
    assert agreement([1, 3, 2, 5, 6], [10, 20, 30, 40, 50]).plcc_fitted is not None
