"""What is drawn, as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from iqa_cli.report.fitted import rank_differences, spread, tenths, view_of, worst
from tests.report.results import made_part, made_result


def test_residuals_are_those_of_the_rmse() -> None:
    result = made_result(made_part())
    view = view_of(result)
    assert view.residuals is not None
    assert np.sqrt(np.mean(view.residuals**2)) == pytest.approx(result.measured.whole.rmse)


def test_the_band_holds_95_percent_of_the_residuals() -> None:
    view = view_of(made_result(made_part(1000)))
    assert view.residuals is not None
    assert view.band is not None
    low, high = view.band
    assert np.mean((view.residuals >= low) & (view.residuals <= high)) == pytest.approx(0.95, abs=0.002)
    assert np.mean(view.residuals < low) == pytest.approx(0.025, abs=0.001)


def test_the_worst_are_the_greatest_residuals() -> None:
    part = made_part()
    scores = part.opinions.copy()
    scores[[17, 80]] = 100 - scores[[17, 80]]
    scores[3] = np.nan
    result = made_result(part, scores)
    view = view_of(result)
    found = worst(result, view, 5)
    assert view.residuals is not None
    assert np.array_equal(np.abs(view.residuals[found]), np.sort(np.abs(view.residuals))[::-1][:5])
    assert set(view.places[found[:2]]) == {17, 80}


def test_without_a_fit_ranks_decide() -> None:
    part = made_part(4, opinions=np.array([10.0, 20.0, 30.0, 40.0]), kinds={})
    result = made_result(part, np.array([1.0, 2.0, 4.0, 3.0]))
    view = view_of(result)
    assert view.residuals is None
    assert rank_differences(view).tolist() == [0, 0, -25, 25]
    assert set(worst(result, view, 2)) == {2, 3}


def test_what_is_drawn_of_many_spans_the_scores() -> None:
    view = view_of(made_result(made_part(5000, kinds={})))
    drawn = spread(view, 100)
    assert len(set(drawn)) == 100
    assert {view.scores[drawn].min(), view.scores[drawn].max()} == {view.scores.min(), view.scores.max()}
    # As many of the lower half as of the upper.
    assert abs(np.sum(view.scores[drawn] < np.median(view.scores)) - 50) <= 1


def test_tenths_hold_all_pictures() -> None:
    view = view_of(made_result(made_part(100)))
    assert view.residuals is not None
    assert np.mean([mean for _, _, mean in tenths(view)]) == pytest.approx(view.residuals.mean(), abs=1e-9)
    assert tenths(view_of(made_result(made_part(20)))) == []
