"""Axes hold their values, and their ticks are round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iqa_cli.report.axes import Axis

_VALUES = st.one_of(
    st.floats(-1e308, 1e308, allow_nan=False, allow_infinity=False), st.floats(-100, 100), st.just(0.0)
)


@given(arrays(float, st.integers(0, 20), elements=_VALUES), st.booleans())
def test_all_values_are_inside_in_their_order(values: np.ndarray, may_bend: bool) -> None:
    axis = Axis.of(values, 10, 110, may_bend=may_bend)
    places = axis(np.sort(values))
    assert np.all((places >= 10) & (places <= 110))
    assert np.all(np.diff(places) >= 0)
    ticks = axis.ticks()
    assert ticks == sorted(ticks)
    assert all(axis.low <= tick <= axis.high for tick in ticks)
    assert np.isfinite(axis.along(9)).all()


def test_upwards() -> None:
    axis = Axis.of(np.array([0.0, 100.0]), 300, 10)
    assert axis.at(0) > axis.at(50) > axis.at(100)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 100.0, [0, 20, 40, 60, 80, 100]),
        (-3.0, 4.0, [-2, 0, 2, 4]),
        (0.61, 0.69, [0.62, 0.64, 0.66, 0.68]),
    ],
)
def test_ticks(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low, high, 0, 1).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize("sign", [1, -1])
def test_variances_get_a_bent_axis_on_which_they_are_apart(sign: int) -> None:
    """As scores of the Laplacian, which reach from nothing to some ten thousands."""
    values = sign * np.concatenate([[0.0], np.geomspace(1, 20_000, 200), [3e6]])
    assert Axis.of(values, 0, 1).bend is None
    axis = Axis.of(values, 0, 1, may_bend=True)
    assert axis.bend is not None
    places = axis(values)
    assert np.quantile(places, 0.75) - np.quantile(places, 0.25) > 0.2
    assert len(axis.ticks()) >= 3


def test_points_of_0_to_100_do_not() -> None:
    values = np.random.default_rng(0).normal(60, 10, 500)
    assert Axis.of(values, 0, 1, may_bend=True).bend is None


def test_the_same_throughout() -> None:
    axis = Axis.of(np.array([7.0, 7.0]), 0, 1)
    assert axis.at(7.0) == pytest.approx(0.5)
