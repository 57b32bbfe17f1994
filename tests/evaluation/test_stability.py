"""How far scores move: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iqa_cli.evaluation.stability import Movement, movement

NAN = float("nan")


def test_movement_by_hand() -> None:
    before = np.array([50.0, 60, 70, 80])
    after = np.array([51.0, 57, 70, 82])
    found = movement("flip", ["a", "b", "c", "d"], before, after)
    # Sizes 0, 1, 2, 3: the 95th percentile lies at 0.95 x 3 of their places.
    assert found == Movement("flip", 4, 4, mean=1.5, p95=pytest.approx(2.85), max=3, bias=0, worst="b")


def test_pictures_without_a_score_are_told_and_do_not_count() -> None:
    found = movement("crop", ["a", "b", "c"], np.array([1.0, NAN, 3]), np.array([2.0, 2, NAN]))
    assert (found.n_used, found.n_total, found.max, found.worst) == (1, 3, 1, "a")
    assert movement("crop", ["a"], np.array([NAN]), np.array([1.0])) == Movement("crop", 0, 1)


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores before and 1 after"):
        movement("flip", ["a", "b"], np.zeros(2), np.zeros(1))
