"""The card and its calibration map: what a score means must survive, or be refused."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_cli.card import LADDER, Calibration, Card, percentile_of, word_for
from iqa_cli.errors import WeightsError
from iqa_cli.images.policy import SizePolicy

OUTPUT: dict[str, Any] = {
    "range": [0, 100],
    "direction": "higher is better",
    "scale": "100 x MOS of BIQ2021 (0 to 1)",
    "calibration": {"kind": "linear", "slope": 100, "intercept": 0},
    "percentiles": {"1": 10.0, "50": 55.0, "99": 90.0, "5": 20.0},
    "ladder": LADDER,
}


def make_card(**changes: Any) -> Card:
    values: dict[str, Any] = {
        "name": "tiny",
        "network": "mfenet",
        "config": {},
        "input": {},
        "output": OUTPUT,
    }
    return Card(**copy.deepcopy({**values, **changes}))


def with_output(**changes: Any) -> dict[str, Any]:
    return {"output": {**OUTPUT, **changes}}


finite = st.floats(-20, 20, allow_nan=False)
points = st.floats(0, 100, allow_nan=False)


@st.composite
def calibrations(draw: st.DrawFn) -> Calibration:
    kind = draw(st.sampled_from(["isotonic", "logistic", "linear"]))
    if kind == "isotonic":
        count = draw(st.integers(2, 12))
        steps = draw(st.lists(st.floats(1e-6, 3), min_size=count, max_size=count))
        x = [float(v) for v in np.cumsum([draw(finite), *steps[1:]])]
        y = sorted(draw(st.lists(points, min_size=count, max_size=count)))
        return Calibration("isotonic", {"x": x, "y": y})
    if kind == "logistic":
        low, high = sorted(draw(st.lists(points, min_size=2, max_size=2, unique=True)))
        width = draw(st.floats(1e-6, 10)) * draw(st.sampled_from([-1, 1]))
        return Calibration("logistic", {"b1": high, "b2": low, "b3": draw(finite), "b4": width})
    slope = draw(st.floats(1e-6, 1e4))
    return Calibration("linear", {"slope": slope, "intercept": draw(st.floats(-1e3, 1e3))})


@settings(max_examples=200, deadline=None)
@given(calibrations(), st.lists(st.floats(allow_nan=False), min_size=2, max_size=40))
def test_calibration_never_falls_and_stays_in_range(calibration: Calibration, raw: list[float]) -> None:
    score = calibration(np.sort(np.array(raw)))
    assert score.dtype == np.float64
    assert ((score >= 0) & (score <= 100)).all()
    # Rounding may part two scores of a flat stretch by less than anything that is ever printed.
    assert (np.diff(score) >= -1e-9).all()


@settings(max_examples=50, deadline=None)
@given(calibrations())
def test_calibration_survives_a_card(calibration: Calibration) -> None:
    card = make_card(**with_output(calibration=calibration.to_dict()))
    again = Card.from_json(card.to_json()).calibration
    raw = np.linspace(-2, 3, 41)
    np.testing.assert_array_equal(again(raw), calibration(raw))


def test_calibration_values_by_hand() -> None:
    logistic = Calibration("logistic", {"b1": 90.0, "b2": 10.0, "b3": 0.5, "b4": -0.1})
    for raw in (-0.3, 0.2, 0.5, 0.77, 1.4):
        wanted = (90 - 10) / (1 + math.exp(-(raw - 0.5) / abs(-0.1))) + 10
        assert logistic(raw) == pytest.approx(wanted, abs=1e-9)
    isotonic = Calibration("isotonic", {"x": [0.0, 0.5, 1.0], "y": [5.0, 45.0, 95.0]})
    np.testing.assert_allclose(isotonic([[-9, 0.25], [0.75, 9]]), [[5, 25], [70, 95]])
    linear = Calibration("linear", {"slope": 100, "intercept": -1})
    np.testing.assert_allclose(linear([-0.2, 0.5, 1.2]), [0, 49, 100])
    assert logistic(np.inf) == 90
    assert logistic(-np.inf) == 10
    assert np.isnan(linear(np.nan))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, "object"),
        ({}, "kind"),
        ({"kind": ["linear"]}, "kind"),
        ({"kind": "cubic"}, "isotonic, logistic, linear"),
        ({"kind": "linear", "slope": 1}, "takes slope, intercept"),
        ({"kind": "linear", "slope": 1, "intercept": 0, "more": 1}, "takes slope, intercept"),
        ({"kind": "linear", "slope": -1, "intercept": 0}, "slope"),
        ({"kind": "linear", "slope": True, "intercept": 0}, "slope"),
        ({"kind": "linear", "slope": float("nan"), "intercept": 0}, "slope"),
        ({"kind": "linear", "slope": 10**400, "intercept": 0}, "absurd"),
        ({"kind": "logistic", "b1": 10, "b2": 90, "b3": 0.5, "b4": 0.1}, "b2 < b1"),
        ({"kind": "logistic", "b1": 120, "b2": 0, "b3": 0.5, "b4": 0.1}, "<= 100"),
        ({"kind": "logistic", "b1": 90, "b2": 0, "b3": 0.5, "b4": 0}, "b4"),
        ({"kind": "logistic", "b1": "90", "b2": 0, "b3": 0.5, "b4": 0.1}, "b1"),
        ({"kind": "isotonic", "x": [0, 1], "y": [0]}, "2 and 1"),
        ({"kind": "isotonic", "x": [], "y": []}, "two or more"),
        ({"kind": "isotonic", "x": [0, 0], "y": [0, 1]}, "rise"),
        ({"kind": "isotonic", "x": [0, 1], "y": [5, 4]}, "fall"),
        ({"kind": "isotonic", "x": [0, 1], "y": [0, 101]}, "within 0 to 100"),
        ({"kind": "isotonic", "x": "01", "y": [0, 1]}, "list of numbers"),
        ({"kind": "isotonic", "x": [0, None], "y": [0, 1]}, "list of numbers"),
        ({"kind": "isotonic", "x": [0, float("inf")], "y": [0, 1]}, "list of numbers"),
    ],
)
def test_calibration_refuses(values: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Calibration.from_dict(values)
    assert "\n" not in str(caught.value)


def test_card_survives_json_with_every_field() -> None:
    card = make_card(
        training=[{"dataset": "BIQ2021", "n": 9600, "split_sha256": "ab" * 32}],
        starting_points=[{"part": "dan", "origin": "ImageNet", "licence": "origin not documented"}],
        results=[{"srcc": 0.8421, "srcc_interval": [0.83, 0.85], "command": "iqa eval biq2021 --part val"}],
        licence={"weights": "Apache-2.0", "data": "ünknöwn"},
        date="2026-11-21",
        code_version="0.1.0",
        notes=["first", "second"],
        seen={"file": "tiny.seen.safetensors", "n": 3},
    )
    text = card.to_json()
    assert "\n" not in text
    assert json.loads(text)["card_version"] == 1
    assert Card.from_json(text) == card
    assert card.headline_srcc == pytest.approx(0.8421)


def test_card_ignores_fields_of_a_later_program() -> None:
    values = {**make_card().to_dict(), "colour": "green"}
    assert Card.from_dict(values) == make_card()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\x1b[31m"}, "name"),
        ({"name": 3}, "name"),
        ({"network": None}, "network"),
        ({"config": []}, "config"),
        ({"config": {"a": {1, 2}}}, "config.a"),
        ({"config": {"a": float("nan")}}, "config.a"),
        ({"config": {3: "a"}}, "config"),
        ({"input": "224"}, "input"),
        ({"training": {}}, "training"),
        ({"results": ["0.8"]}, "results"),
        ({"notes": [1]}, "notes"),
        ({"notes": ["\ud800"]}, "notes"),
        ({"seen": []}, "seen"),
        ({"date": 2026}, "date"),
        ({"output": {}}, "output lacks"),
        (with_output(range=[0, 1]), "range"),
        (with_output(range=[0, True]), "range"),
        (with_output(direction="lower is better"), "direction"),
        (with_output(scale=None), "scale"),
        (with_output(calibration={"kind": "none"}), "calibration"),
        (with_output(percentiles=[1, 2]), "percentiles"),
        (with_output(percentiles={"50": 60, "60": 50}), "percentiles"),
        (with_output(percentiles={"101": 60}), "percentile"),
        (with_output(percentiles={"-1": 60}), "percentile"),
        (with_output(percentiles={"50": 160}), "score from 0 to 100"),
        (with_output(ladder=[]), "ladder"),
        (with_output(ladder=[[20, "poor"], [80, "good"]]), "ladder"),
        (with_output(ladder=[[80, 5]]), "ladder"),
        (with_output(ladder=[80, "good"]), "ladder"),
    ],
)
def test_card_refuses(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        make_card(**changes)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "object"),
        ("NaN", "not JSON"),
        ('{"card_version": 2}', "newer than this program"),
        ('{"card_version": "1"}', "card_version"),
        ('{"card_version": true}', "card_version"),
        ('{"card_version": 1}', "lacks name, network, config, input, output"),
    ],
)
def test_card_text_refuses(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Card.from_json(text)


def test_a_deeply_nested_card_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(100):
        nested = {"a": nested}
    with pytest.raises(ValueError, match="config is nested too deeply"):
        make_card(config=nested)


def test_a_card_changed_to_nonsense_is_not_written() -> None:
    card = make_card()
    card.results.append({"srcc": float("nan")})
    with pytest.raises(ValueError, match=r"results\.srcc"):
        card.to_json()


@pytest.mark.parametrize(
    "policy", [{"crop": "224"}, {"crop": 0}, {"colour": 1}, {"kernel": ["box"]}, {"backgrounds": 3}]
)
def test_a_card_with_a_senseless_size_policy_cannot_be_used(policy: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="the card of tiny: input: ") as caught:
        make_card(input=policy).policy()
    assert caught.value.message.isprintable()
    assert make_card(input=SizePolicy(native_weight=0.25).to_dict()).policy().native_weight == 0.25


def test_percentiles() -> None:
    card = make_card()
    assert percentile_of(55, card) == 50
    assert percentile_of(15, card) == pytest.approx(3)
    assert percentile_of(37.5, card) == pytest.approx(27.5)
    assert percentile_of(0, card) == 1
    assert percentile_of(100, card) == 99
    assert percentile_of(float("nan"), card) is None
    assert percentile_of(50, make_card(**with_output(percentiles={}))) is None
    flat = make_card(**with_output(percentiles={"1": 40, "5": 40, "50": 60}))
    assert percentile_of(40, flat) == 3


@settings(max_examples=60, deadline=None)
@given(st.lists(points, min_size=1, max_size=20), points, points)
def test_a_better_score_never_has_a_lower_percentile(scores: list[float], one: float, other: float) -> None:
    table = {str(index): score for index, score in enumerate(sorted(scores))}
    card = make_card(**with_output(percentiles=table))
    low, high = (percentile_of(score, card) for score in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert low <= high + 1e-9


def test_words() -> None:
    card = make_card()
    words = [word_for(score, card) for score in (100, 80, 79.99, 60, 40, 20, 19.9, 0)]
    assert words == ["excellent", "excellent", "good", "good", "fair", "poor", "bad", "bad"]
    two = make_card(**with_output(ladder=[[50, "keep"], [10, "drop"]]))
    assert [word_for(score, two) for score in (50, 10, 3)] == ["keep", "drop", "drop"]
    with pytest.raises(ValueError):
        word_for(float("nan"), card)


@pytest.mark.parametrize("results", [[], [{}], [{"srcc": "0.8"}], [{"srcc": 10**400}], [{"srcc": True}]])
def test_headline_is_a_number_or_nothing(results: list[dict[str, Any]]) -> None:
    assert make_card(results=results).headline_srcc is None
