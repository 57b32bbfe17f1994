"""Intervals of scores against worlds whose errors are known: what they cover, where they are wide, and what
groups do to them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from iqa_cli.evaluation.conformal import LEAST_GROUPS, Known, Mask, fit_interval, interval_score
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.folds import Ints, conformal_quantile, group_folds


def draw_world(
    rng: np.random.Generator, groups: int, members: int = 1, alike: float = 0.0
) -> tuple[Known, Floats, Ints]:
    """Scores and opinions: errors are skewed, three times as large in the middle of the scale as at its
    ends, and twice as large where crops disagree. Of a group's errors the share `alike` is the same."""
    codes = np.repeat(np.arange(groups), members)
    score, spread = rng.uniform(15, 85, groups * members), rng.uniform(0, 15, groups * members)
    scale = (1 + 2 * np.exp(-(((score - 50) / 15) ** 2))) * (1 + spread / 15)
    own, shared = rng.gamma(2, 1, groups * members) - 2, (rng.gamma(2, 1, groups) - 2)[codes]
    error = 2 * scale * np.where(rng.random(groups * members) < alike, shared, own)
    features = {"spread": spread, "crops": np.full(len(score), 5.0), "side": np.full(len(score), 512.0)}
    return Known(score, features), np.clip(score + error, 0, 100), codes


def given(known: Known) -> Callable[[Mask], Known]:
    """What is known where the calibration map is given."""
    return lambda _: known


def _covered(known: Known, opinions: Floats, groups: Ints, new: tuple[Known, Floats, Ints]) -> Floats:
    """[m] whether the opinions of new pictures are covered, and their widths."""
    found = fit_interval(given(known), opinions, groups)
    assert found is not None
    low, high = found.bounds(new[0].score, new[0].features)
    return np.stack([(low <= new[1]) & (new[1] <= high), high - low])


@pytest.mark.parametrize(("groups", "members"), [(LEAST_GROUPS, 1), (60, 1), (40, 4)])
def test_new_pictures_are_covered_as_stated(groups: int, members: int) -> None:
    rng = np.random.default_rng(groups + members)
    new = draw_world(rng, 2000)
    covered = [_covered(*draw_world(rng, groups, members, alike=0.8), new)[0].mean() for _ in range(16)]
    # Conformal: at least as stated on average over draws, and at most one group in n + 1 more.
    error = np.std(covered) / math.sqrt(len(covered))
    assert 0.9 - 2.5 * error - 0.01 < np.mean(covered) < 0.9 + 1 / (groups + 1) + 2.5 * error + 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "members"), [(LEAST_GROUPS, 1), (50, 3), (200, 1)])
def test_new_pictures_are_covered_as_stated_in_many_draws(groups: int, members: int) -> None:
    rng = np.random.default_rng(groups)
    new = draw_world(rng, 5000)
    covered = [_covered(*draw_world(rng, groups, members, alike=0.8), new)[0].mean() for _ in range(60)]
    # Wider than need be where the proportion of the sides is guessed from a handful.
    assert 0.885 < np.mean(covered) < 0.91 + 1 / (groups + 1)


def test_the_width_follows_the_errors_so_that_every_kind_of_picture_is_covered() -> None:
    rng = np.random.default_rng(3)
    new = draw_world(rng, 20_000)
    inside, width = _covered(*draw_world(rng, 500), new)
    middle, vague = np.abs(new[0].score - 50) < 8, new[0].features["spread"] > 10
    ends, clear = np.abs(new[0].score - 50) > 28, new[0].features["spread"] < 5
    for kind in (middle, ends, vague, clear):
        assert 0.85 < inside[kind.astype(bool)].mean() < 0.95
    assert width[middle].mean() > 2 * width[ends].mean()
    assert width[vague].mean() > 1.3 * width[clear].mean()


def test_opinions_are_covered_that_all_lie_on_one_side_of_the_scores() -> None:
    rng = np.random.default_rng(4)
    known, opinions, groups = draw_world(rng, 100)
    low = Known(known.score - 15, known.features)
    found = fit_interval(given(low), opinions, groups)
    assert found is not None
    bounds = found.bounds(low.score, low.features)
    assert 0.88 < np.mean((bounds[0] <= opinions) & (opinions <= bounds[1])) < 0.97
    assert found.above > 3 * found.below


def test_the_map_that_has_seen_a_picture_says_nothing_of_its_error() -> None:
    # A map that repeats the opinions it was fitted to has no error there, and large ones elsewhere.
    rng = np.random.default_rng(5)
    known, opinions, groups = draw_world(rng, 100)
    fresh = Known(rng.uniform(15, 85, len(opinions)), known.features)
    found = fit_interval(
        lambda used: Known(np.where(used, opinions, fresh.score), known.features), opinions, groups
    )
    assert found is not None
    new, score = rng.uniform(15, 85, 3000), rng.uniform(15, 85, 3000)
    low, high = found.bounds(score, {name: np.resize(v, 3000) for name, v in known.features.items()})
    assert np.mean((low <= new) & (new <= high)) > 0.8


def test_what_is_said_of_the_fit_is_what_left_out_folds_gave() -> None:
    rng = np.random.default_rng(6)
    known, opinions, groups = draw_world(rng, 300)
    found = fit_interval(given(known), opinions, groups)
    assert found is not None
    assert (found.about["images"], found.about["groups"], found.coverage) == (300, 300, 0.9)
    new = draw_world(rng, 20_000)
    low, high = found.bounds(new[0].score, new[0].features)
    said = found.about["cross_validated"]
    assert said["coverage"] == pytest.approx(np.mean((low <= new[1]) & (new[1] <= high)), abs=0.05)
    assert said["width"] == pytest.approx(np.mean(high - low), rel=0.15)
    # What is the same for all labelled pictures cannot count.
    assert set(found.powers) <= {"spread"}


def test_few_groups_give_no_interval_however_many_pictures() -> None:
    known, opinions, groups = draw_world(np.random.default_rng(7), LEAST_GROUPS - 1, 10)
    assert fit_interval(given(known), opinions, groups) is None
    # Nor does a coverage that so many groups cannot tell.
    known, opinions, groups = draw_world(np.random.default_rng(7), LEAST_GROUPS)
    assert fit_interval(given(known), opinions, groups, coverage=0.97) is None


def test_scores_that_are_all_the_same_or_exact_give_an_interval() -> None:
    known, opinions, groups = draw_world(np.random.default_rng(8), 40)
    for score in (np.full(40, 50.0), opinions):
        exact = Known(score, known.features)
        found = fit_interval(given(exact), opinions, groups)
        assert found is not None
        low, high = found.bounds(score, known.features)
        assert np.mean((low <= opinions) & (opinions <= high)) >= 0.9


def test_the_conformal_quantile_is_the_order_statistic_of_the_theory() -> None:
    values = np.random.default_rng(9).permutation(np.arange(1.0, 20.0))
    assert conformal_quantile(values, np.arange(19), 0.9) == 18  # the ceil(20 x 0.9)-th of 19
    assert conformal_quantile(values, np.arange(19), 0.95) == 19
    assert conformal_quantile(values, np.arange(19), 0.96) == math.inf
    # A large group counts as one: its hundred small values do not drown the others.
    many = np.concatenate([values, np.zeros(100)])
    groups = np.concatenate([np.arange(19), np.full(100, 19)])
    assert conformal_quantile(many, groups, 0.9) == 18


def test_folds_keep_groups_whole_and_are_drawn_the_same_again() -> None:
    groups = np.random.default_rng(10).integers(0, 57, 300)
    folds = group_folds(groups)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    sizes = [len(set(groups[folds == fold])) for fold in range(10)]
    assert max(sizes) - min(sizes) <= 1
    assert (folds == group_folds(groups + 5)).all()


def test_the_interval_score_is_width_and_twenty_times_the_miss_at_90_percent() -> None:
    score = interval_score(np.array([10.0, 10, 10]), np.array([30.0, 30, 30]), np.array([20.0, 9, 32]), 0.9)
    assert score == pytest.approx([20, 40, 60])
