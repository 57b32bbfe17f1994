"""Pictures that no training photograph is like are told from photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from iqa_cli.caution import SIDE, by_view
from iqa_cli.looking import small_view
from iqa_cli.scene_distance import LEAST, fit_scenes, scenes, statistics

View = NDArray[np.uint8]


def _noise() -> View:
    return np.random.default_rng(0).integers(0, 256, (192, 256, 3)).astype(np.uint8)


def _gradient() -> View:
    rows, columns = np.mgrid[:192, :256]
    return np.stack([columns, rows, 255 - columns], axis=2).astype(np.uint8)


def _waves() -> View:
    columns = np.mgrid[:192, :256][1]
    return np.repeat(((np.sin(columns / 2) + 1) * 127).astype(np.uint8)[..., None], 3, axis=2)


def _lines_of_text() -> View:
    drawn = np.full((200, 200, 3), 230, np.uint8)
    drawn[::10] = 20
    return drawn


@pytest.mark.parametrize("make", [_noise, _gradient, _waves, _lines_of_text])
def test_patterns_are_far_from_photographs(make: object) -> None:
    assert callable(make)
    assert "far-from-training" in by_view(make())


def test_photographs_are_near_whichever_way_they_are_turned(examples: Path) -> None:
    for path in sorted(examples.glob("*.jpg")):
        view = small_view(path, SIDE)
        near = scenes().distance(view)
        assert near < scenes().limit, path.name
        assert scenes().distance(np.ascontiguousarray(view[:, ::-1])) == pytest.approx(near, abs=0.05)
        assert "far-from-training" not in by_view(view)


def test_a_view_too_small_to_tell_is_not_called_far() -> None:
    assert by_view(_noise()[: LEAST - 1]) == ()
    assert by_view(np.full((1, 1, 3), 128, np.uint8)) == ("flat",)
    assert by_view(np.full((600, 3, 3), 9, np.uint8)) == ("flat", "black")


def test_the_limit_leaves_the_share_that_was_asked_for_beyond_it() -> None:
    rng = np.random.default_rng(1)
    views = [rng.integers(0, rng.integers(40, 256), (48, 64, 3)).astype(np.uint8) for _ in range(400)]
    found = np.array([statistics(view) for view in views])
    fitted = fit_scenes(found, 0.05)
    beyond = sum(fitted.distance(view) > fitted.limit for view in views)
    assert beyond == pytest.approx(20, abs=1)
    # What all of these views are is nothing like photographs, and the other way round.
    assert fitted.distance(_gradient()) > 3 * fitted.limit
