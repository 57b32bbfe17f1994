"""The best of each group, and when a lead is more than chance."""

from __future__ import annotations

import math

import pytest

from iqa_cli.culling.choosing import Keep, choose, uncertainty_of
from iqa_cli.prediction import Prediction


def record(path: str, score: float | None, half: float | None = None, side: int = 100) -> Prediction:
    """A record with an interval of `half` points on either side."""
    low, high = (None, None) if half is None or score is None else (score - half, score + half)
    error = None if score is not None else "broken"
    return Prediction(path, score, error, "m", low=low, high=high, width=side, height=side)


def test_best_margin_and_whether_it_is_sure() -> None:
    pictures = [record("a", 60, 3), record("b", 70, 4), record("alone", 10, 3), record("c", 68, 3)]
    verdicts = choose(pictures, [0, 0, 1, 0])
    assert [verdict.rank for verdict in verdicts] == [3, 1, None, 2]
    assert [verdict.keep for verdict in verdicts] == [False, True, True, False]
    assert [verdict.group for verdict in verdicts] == [1, 1, None, 1]
    assert [verdict.members for verdict in verdicts] == [3, 3, 1, 3]
    assert [verdict.margin for verdict in verdicts] == [-10, 2, None, -2]
    # Of the best the side below it counts, of the other that above it: sqrt(4^2 + 3^2).
    assert verdicts[1].uncertainty == pytest.approx(5)
    assert [verdict.sure for verdict in verdicts] == [True, False, None, False]


def test_the_sides_that_face_each_other_count() -> None:
    better = Prediction("a", 70, None, "m", low=64, high=71)
    other = Prediction("b", 60, None, "m", low=20, high=68)
    assert uncertainty_of(better, other) == pytest.approx(math.hypot(6, 8))


def test_close_keeps_all_that_are_not_surely_worse() -> None:
    pictures = [record("a", 60, 3), record("b", 70, 4), record("c", 68, 3), record("d", 50), record("e", 40)]
    kept = [verdict.keep for verdict in choose(pictures, [0, 0, 0, 1, 1], Keep.close)]
    assert kept == [False, True, True, True, True]  # without intervals nobody can tell


def test_a_reduced_copy_is_not_the_best_however_it_scores() -> None:
    pictures = [record("thumbnail", 90, 1, side=70), record("original", 60, 5), record("other", 50, 5)]
    thumbnail, original, other = choose(pictures, [0, 0, 0], Keep.close)
    assert [verdict.rank for verdict in (thumbnail, original, other)] == [3, 1, 2]
    assert (thumbnail.small, thumbnail.keep, thumbnail.margin, thumbnail.sure) == (True, False, 30, None)
    assert (original.margin, original.sure) == (10, True)
    alone, copy = choose(pictures[1::-1], [0, 0])
    assert (alone.rank, alone.margin, alone.sure) == (1, None, None)
    assert copy.rank == 2
    # Where sizes are not known, the scores decide.
    unknown = [record("a", 60, side=0), record("b", 70, side=0)]
    assert [verdict.rank for verdict in choose(unknown, [0, 0])] == [2, 1]


def test_of_equal_scores_the_larger_picture_is_kept_then_the_earlier() -> None:
    pictures = [record("small", 50.001, side=90), record("large", 49.999), record("again", 50)]
    assert [verdict.margin for verdict in choose(pictures, [0, 0, 0])] == [0, 0, 0]
    assert [verdict.rank for verdict in choose(pictures, [0, 0, 0])] == [3, 1, 2]


def test_a_picture_whose_size_is_not_known_is_not_small() -> None:
    pictures = [record("unknown", 90, side=0), record("large", 60), record("reduced", 95, side=70)]
    verdicts = choose(pictures, [0, 0, 0])
    assert [verdict.small for verdict in verdicts] == [False, False, True]
    assert [verdict.rank for verdict in verdicts] == [1, 2, 3]


def test_a_picture_without_a_score_belongs_to_no_group_and_is_never_dropped() -> None:
    pictures = [record("broken", None), record("a", 20), record("nan", math.nan), record("b", 30)]
    verdicts = choose(pictures, [0, 0, 0, 0])
    assert [verdict.group for verdict in verdicts] == [None, 1, None, 1]
    assert [verdict.members for verdict in verdicts] == [1, 2, 1, 2]
    assert [verdict.rank for verdict in verdicts] == [None, 2, None, 1]
    assert [verdict.keep for verdict in verdicts] == [None, False, None, True]
    # What is left of a group is alone.
    left = choose([*pictures[:3], record("c", 40), record("d", 50)], [0, 0, 0, 1, 1])
    assert [verdict.group for verdict in left] == [None, None, None, 1, 1]
    assert [verdict.keep for verdict in left[:3]] == [None, True, None]
    assert all(verdict.rank is None for verdict in left[:3])
    assert choose([], []) == []
