"""The interval of the error: what it must not depend on, and where there is none. What it covers is in
test_coverage.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from iqa_cli.evaluation.error_interval import error_interval
from iqa_cli.evaluation.logistic import Logistic, fit
from iqa_cli.evaluation.resample import Sample


def sample_of(groups: int, members: int = 1, shared: float = 0.0, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    of_group = np.repeat(np.arange(groups), members)
    y = rng.normal(50, 15, len(of_group))
    own, alike = rng.normal(size=len(y)), rng.normal(size=groups)[of_group]
    x = y + 10 * (np.sqrt(1 - shared) * own + np.sqrt(shared) * alike)
    return Sample(x, y, of_group, fit(x, y))


def test_of_many_independent_pictures_it_is_that_of_a_variance() -> None:
    sample = sample_of(2000)
    low, high = error_interval(sample) or (0, 0)
    left = sample.y - sample.after_fit()
    # The textbook's, of a regression with four parameters.
    squares, freedom = float(left @ left), len(left) - 4
    assert low == pytest.approx(np.sqrt(squares / stats.chi2.ppf(0.975, freedom)), rel=0.005)
    assert high == pytest.approx(np.sqrt(squares / stats.chi2.ppf(0.025, freedom)), rel=0.005)


def test_copies_of_a_picture_say_no_more_than_one() -> None:
    one = sample_of(60)
    four = Sample(np.repeat(one.x, 4), np.repeat(one.y, 4), np.repeat(one.groups, 4), one.logistic)
    assert error_interval(four) == pytest.approx(error_interval(one), rel=1e-6)
    naive = Sample(four.x, four.y, np.arange(240), one.logistic)
    assert np.ptp(error_interval(naive) or ()) < 0.7 * np.ptp(error_interval(one) or ())


def test_mistakes_that_groups_share_make_it_wider() -> None:
    apart, alike = (error_interval(sample_of(20, 20, shared, seed=1)) for shared in (0.0, 0.8))
    assert apart is not None
    assert alike is not None
    assert alike[1] / alike[0] > 1.3 * apart[1] / apart[0]


def test_it_is_in_the_units_of_the_opinions_whatever_groups_are_called() -> None:
    sample = sample_of(12, 5, 0.5)
    scaled = 3 * sample.y + 7
    other = Sample(sample.x, scaled, 90 - 2 * sample.groups, fit(sample.x, scaled))
    expected = 3 * np.array(error_interval(sample))
    assert error_interval(other) == pytest.approx(tuple(expected), rel=1e-3)


def test_there_is_none_where_it_would_say_nothing() -> None:
    assert error_interval(sample_of(4, 50, 0.5)) is None
    # Five pictures and a curve of four parameters.
    assert error_interval(sample_of(5, 1)) is None
    x = np.linspace(0, 1, 30)
    exact = Logistic(1.0, 0.0, 0.5, 0.2, converged=True)
    assert error_interval(Sample(x, exact(x), np.arange(30), exact)) == (0, 0)
