"""The pooling of crop scores against their formulas written out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqa_cli.calibration import Calibration
from iqa_cli.scoring.pooling import CropScores, pool

CURVE = Calibration("logistic", {"b1": 95.0, "b2": 5.0, "b3": 0.5, "b4": 0.15})
LINE = Calibration("linear", {"slope": 100.0, "intercept": 0.0})


def crops(raw: list[float], weight: list[float], background: list[int]) -> CropScores:
    return CropScores(np.array(raw), np.array(weight), np.array(background))


def test_score_is_the_calibrated_weighted_mean_and_spread_the_weighted_deviation() -> None:
    raw, weight = [0.2, 0.5, 0.9], [0.5, 0.25, 0.25]
    pooled = pool(crops(raw, weight, [0, 0, 0]), CURVE)
    mean = 0.5 * 0.2 + 0.25 * 0.5 + 0.25 * 0.9

    def curve(x: float) -> float:
        return 90 / (1 + math.exp(-(x - 0.5) / 0.15)) + 5

    points = [curve(x) for x in raw]
    middle = sum(w * p for w, p in zip(weight, points, strict=True))
    spread = math.sqrt(sum(w * (p - middle) ** 2 for w, p in zip(weight, points, strict=True)))
    assert pooled.raw == pytest.approx(mean)
    assert pooled.score == pytest.approx(curve(mean))
    assert pooled.spread == pytest.approx(spread)
    assert pooled.crops == 3


def test_the_worse_background_is_kept_whole() -> None:
    both = crops([0.8, 0.6, 0.3, 0.5], [0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1])
    pooled = pool(both, LINE)
    assert pooled.score == pytest.approx(40)
    assert pooled.raw == pytest.approx(0.4)
    assert pooled.spread == pytest.approx(10)
    assert pooled.crops == 2


def test_of_a_view_whose_best_crops_count_these_have_the_weight_of_all() -> None:
    raw = np.array([0.6, 0.1, 0.9, 0.2, 0.8])
    scores = CropScores(
        raw,
        np.array([0.6, 0.1, 0.1, 0.1, 0.1]),
        np.zeros(5, dtype=np.int64),
        best=np.array([1, 0.5, 0.5, 0.5, 0.5]),
    )
    pooled = pool(scores, LINE)
    assert pooled.raw == pytest.approx(0.6 * 0.6 + 0.4 * (0.9 + 0.8) / 2)
    # How far the crops are apart is told of all.
    assert pooled.spread == pool(replace(scores, best=np.ones(5)), LINE).spread
    alone = replace(scores, best=np.array([1, 0.01, 0.01, 0.01, 0.01]))
    assert pool(alone, LINE).raw == pytest.approx(0.6 * 0.6 + 0.4 * 0.9), "one at least"


def test_one_crop_has_no_spread() -> None:
    assert pool(crops([0.7], [1.0], [0]), CURVE).spread == 0


@pytest.mark.parametrize("raw", [[], [float("nan")], [0.5, float("inf")]])
def test_what_gives_no_score_is_an_error(raw: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no crops|not a finite number"):
        pool(crops(raw, [1.0] * len(raw), [0] * len(raw)), LINE)


@given(st.lists(st.floats(-3, 4), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_bounded_and_independent_of_the_order_of_crops(raw: list[float], random: object) -> None:
    weight = [1 / len(raw)] * len(raw)
    pooled = pool(crops(raw, weight, [0] * len(raw)), CURVE)
    assert 5 <= pooled.score <= 95
    assert 0 <= pooled.spread <= 45
    shuffled = list(raw)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = pool(crops(shuffled, weight, [0] * len(raw)), CURVE)
    assert again.score == pytest.approx(pooled.score)
    assert again.spread == pytest.approx(pooled.spread, abs=1e-6)
