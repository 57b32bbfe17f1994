"""The distortion of a picture, from what is said of its crops."""

from __future__ import annotations

import numpy as np
import pytest

from iqa_cli.scoring.naming import name_distortion

NAMES = ("blur", "noise")


def crop(pristine: float, blur: float, noise: float, blur_level: float = 3, noise_level: float = 3) -> list:
    return [pristine, blur, noise, blur_level, noise_level]


def named(crops: list, full: list[bool] | None = None) -> tuple[str | None, int | None]:
    return name_distortion(np.array(crops), np.array(full or [True] * len(crops)), NAMES)


def test_the_likeliest_type_is_named_with_its_level() -> None:
    assert named([crop(0.1, 0.8, 0.1, 2.2), crop(0.2, 0.7, 0.1, 1.6)]) == ("blur", 2)
    assert named([crop(0.1, 0.1, 0.8, 2, 4.6)]) == ("noise", 5)
    assert named([crop(0.9, 0.1, 0.0)]) == ("pristine", None)


def test_undistorted_counts_as_often_as_all_types_together() -> None:
    assert named([crop(0.34, 0.66, 0.0)]) == ("pristine", None)
    assert named([crop(0.32, 0.68, 0.0)]) == ("blur", 3)


def test_no_type_is_named_that_is_not_likely() -> None:
    three = (*NAMES, "haze")
    said = [[0.1, 0.4, 0.3, 0.2, 3, 3, 3]]
    assert name_distortion(np.array(said), np.ones(1, dtype=bool), three) == (None, None)
    said[0][1:4] = [0.5, 0.3, 0.1]
    assert name_distortion(np.array(said), np.ones(1, dtype=bool), three) == ("blur", 3)


def test_crops_that_disagree_give_no_type() -> None:
    said = np.array([[0, 0.6, 0.2, 0.2, 3, 3, 3], [0, 0.2, 0.6, 0.2, 3, 3, 3]])
    assert name_distortion(said, np.ones(2, dtype=bool), (*NAMES, "haze")) == (None, None)


def test_what_is_no_number_names_nothing() -> None:
    assert named([crop(float("nan"), 0.5, 0.5)]) == (None, None)
    assert named([crop(0.1, float("nan"), 0.5)]) == (None, None)


def test_crops_that_see_something_else_do_not_move_the_level() -> None:
    assert named([crop(0, 1, 0, 4), crop(0, 1, 0, 4), crop(0, 0, 1, 1)]) == ("blur", 4)


def test_reduced_views_count_only_where_there_is_nothing_else() -> None:
    reduced, native = crop(1, 0, 0), crop(0, 1, 0, 3)
    assert named([reduced, reduced, native], [False, False, True]) == ("blur", 3)
    assert named([reduced, reduced], [False, False]) == ("pristine", None)


def test_what_does_not_fit_the_names_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[N, 5\]"):
        name_distortion(np.zeros((2, 4)), np.ones(2, dtype=bool), NAMES)
    with pytest.raises(ValueError, match="N above 0"):
        name_distortion(np.zeros((0, 5)), np.ones(0, dtype=bool), NAMES)
