"""The logistic fit: it recovers what is known, survives what is odd, and says when it failed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from iqa_cli.evaluation import logistic
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.evaluation.logistic import fit, logistic4


@pytest.mark.parametrize("parameters", [(90.0, 10.0, 40.0, 8.0), (0.1, 0.9, -3.0, 0.2), (5.0, 1.0, 2e4, 3e3)])
def test_known_parameters_are_recovered_rising_or_falling(parameters: tuple[float, ...]) -> None:
    b1, b2, b3, b4 = parameters
    x = b3 + b4 * np.random.default_rng(0).normal(0, 2, 300)
    noise = np.random.default_rng(1).normal(0, 0.01 * abs(b1 - b2), 300)
    found = fit(x, logistic4(x, *parameters) + noise)
    assert found is not None
    assert found.converged
    assert found.b1 == pytest.approx(b1, abs=0.02 * abs(b1 - b2))
    assert found.b2 == pytest.approx(b2, abs=0.02 * abs(b1 - b2))
    assert found.b3 == pytest.approx(b3, abs=0.05 * b4)
    assert found.b4 == pytest.approx(b4, rel=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_search_finds_a_smaller_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=200)
    y = np.tanh(x - 0.5) + rng.normal(0, 0.5, 200)
    found = fit(x, y)
    assert found is not None
    error = float(np.sum((found(x) - y) ** 2))
    start = (y.max(), y.min(), np.median(x), np.std(x))
    other, _ = optimize.curve_fit(logistic4, x, y, p0=start, maxfev=20_000)
    assert error <= float(np.sum((logistic4(x, *other) - y) ** 2)) * (1 + 1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_straight_line_an_exponential_and_a_step_are_fitted(sign: int) -> None:
    x = np.linspace(0, 10, 100)
    for y in (x, np.exp(x / 3), (x > 4).astype(float)):
        found = agreement(sign * x, y)
        assert found.logistic is not None
        assert found.logistic.converged
        assert found.plcc_fitted is not None
        assert found.plcc_fitted > 0.9995
        assert np.sign(found.srcc) == sign


def test_constant_values_have_no_fit() -> None:
    x = np.arange(10.0)
    for a, b in ((np.ones(10), x), (x, np.ones(10))):
        found = fit(a, b)
        assert found is not None
        assert not found.converged


def test_a_fit_that_does_not_end_says_so_and_gives_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "_EVALUATIONS", 1)
    x = np.random.default_rng(0).normal(size=100)
    found = agreement(x, np.tanh(3 * x))
    assert found.logistic is not None
    assert not found.logistic.converged
    assert (found.plcc_fitted, found.rmse) == (None, None)
    assert found.srcc == pytest.approx(1)


def test_outlying_scores_do_not_throw_the_fit() -> None:
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 100, 200)
    x = y + rng.normal(0, 5, 200)
    x[0] = 1e6
    found = fit(x, y)
    assert found is not None
    assert np.all(np.isfinite(found(x)))


def test_flattery_of_independent_pictures_is_that_of_four_parameters() -> None:
    factors = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=400)
        y = np.tanh(2 * x) + rng.normal(0, 0.5, 400)
        found = fit(x, y)
        assert found is not None
        factors.append(found.flattery(x, y, np.arange(400)))
    assert np.mean(factors) == pytest.approx(np.sqrt(1 + 4 / 400), abs=1e-3)
    # Copies of a picture are one picture: the same of four times as many.
    assert found is not None
    assert found.flattery(np.tile(x, 4), np.tile(y, 4), np.tile(np.arange(400), 4)) == pytest.approx(
        factors[-1]
    )
