"""The interval on a card: its formula, its bounds, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from iqa_cli.interval import Interval, Power

PLAIN: dict[str, Any] = {
    "coverage": 0.9,
    "scores": [20.0, 60.0, 80.0],
    "scale": [4.0, 9.0, 3.0],
    "below": 2.0,
    "above": 1.0,
    "powers": {"spread": {"least": 1.0, "middle": 3.0, "most": 20.0, "power": 0.5}},
}


def test_bounds_are_multiples_of_the_scale_at_the_score_and_the_spread() -> None:
    found = Interval.from_dict(PLAIN)
    # Half-way between the logarithms of 4 and 9 is that of 6.
    assert found.of(40, 3, 5, 100, 100) == pytest.approx((40 - 2 * 6, 40 + 6))
    assert found.of(40, 15, 5, None, None) == pytest.approx((40 - 2 * 6 * 2, 40 + 6 * 2))
    # Beyond what the labelled pictures had, it stays as it is at their ends.
    assert found.of(95, 3, 5, 9, 9) == pytest.approx((95 - 2 * 3, 95 + 3))
    assert found.of(40, 500, 5, 9, 9) == found.of(40, 20, 5, 9, 9)
    assert found.of(40, 0, 5, 9, 9) == found.of(40, 1, 5, 9, 9)


def test_bounds_hold_the_score_and_stay_on_the_scale() -> None:
    found = Interval.from_dict({**PLAIN, "below": 40.0, "above": 0.0})
    scores = np.linspace(0, 100, 21)
    low, high = found.bounds(scores, {"spread": np.linspace(0, 40, 21)})
    for below, above in ((0, low), (low, scores), (scores, high), (high, 100)):
        assert np.all(np.asarray(below) <= above)
    assert np.isnan(found.bounds([math.nan], {"spread": [1.0]})).all()


def test_where_the_size_counts_it_must_be_known() -> None:
    powers = {"side": Power(100, 400, 4000, -0.5).__dict__}
    found = Interval.from_dict({**PLAIN, "powers": powers})
    assert found.of(60, 3, 5, None, 400) is None
    small, large = found.of(60, 3, 5, 200, 200), found.of(60, 3, 5, 1600, 1600)
    assert small is not None
    assert large is not None
    assert small[0] < large[0]
    assert found.of(60, 3, 5, 100, 400) == small  # the geometric mean of the sides


def test_it_comes_back_from_json_with_what_is_said_about_it() -> None:
    values = {**PLAIN, "images": 656, "cross_validated": {"coverage": 0.9, "width": 20.0}}
    found = Interval.from_dict(json.loads(json.dumps(values)))
    assert found.to_dict() == values
    assert found.about["images"] == 656


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"coverage": 1.0}, "coverage"),
        ({"coverage": None}, "coverage"),
        ({"scores": [60.0, 20.0, 80.0]}, "rise"),
        ({"scores": [20.0, 80.0]}, "as many"),
        ({"scores": [], "scale": []}, "as many"),
        ({"scores": "20"}, "scores should be a list"),
        ({"scale": [4.0, 0.0, 3.0]}, "above 0"),
        ({"scale": [4.0, math.nan, 3.0]}, "scale"),
        ({"scale": [4.0, True, 3.0]}, "scale"),
        ({"below": -1.0}, "below"),
        ({"above": math.inf}, "above"),
        ({"powers": {"\x1b[31m": PLAIN["powers"]["spread"]}}, "none of spread"),
        ({"powers": {"spread": {"least": 1.0}}}, "spread"),
        ({"powers": {"spread": {**PLAIN["powers"]["spread"], "least": 5.0}}}, "least <= middle"),
        ({"powers": {"spread": {**PLAIN["powers"]["spread"], "power": "1"}}}, "spread"),
        ({"powers": []}, "powers"),
    ],
)
def test_what_cannot_be_an_interval_is_refused_in_one_harmless_line(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as failure:
        Interval.from_dict({**PLAIN, **wrong})
    assert str(failure.value).isprintable()
    with pytest.raises(ValueError, match="lacks"):
        Interval.from_dict({name: PLAIN[name] for name in list(PLAIN)[:3]})
