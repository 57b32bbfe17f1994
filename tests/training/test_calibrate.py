"""The calibration of a finished network: fitted to many pictures, not to a handful; never a step, flat or
falling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iqa_cli.calibration import Calibration
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.training.calibrate import MIN_TO_FIT, choose_calibration, fit_calibration, fit_isotonic

PLAIN = {"kind": "linear", "slope": 100.0, "intercept": 0.0}
START = {"kind": "logistic", "b1": 100.0, "b2": 12.5, "b3": 0.587, "b4": 0.19}


def _pictures(rng: np.random.Generator, number: int) -> tuple[Floats, Floats]:
    """Outputs and opinions of a network that is right but for noise and a somewhat narrow scale."""
    mos = np.clip(rng.normal(0.55, 0.17, number), 0.02, 0.98)
    return 0.53 + 0.8 * (mos - 0.55) + rng.normal(0, 0.08, number), mos


def test_the_calibration_undoes_a_known_distortion_of_the_scale() -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0.1, 0.9, 300)
    mos = (85 - 12) / (1 + np.exp(-(raw - 0.5) / 0.15)) / 100 + 0.12
    values, remark = fit_calibration(raw, mos)
    assert remark is None
    assert np.abs(Calibration.from_dict(values)(raw) - 100 * mos).max() < 0.05


@pytest.mark.parametrize("number", [MIN_TO_FIT, 300])
def test_many_pictures_get_the_curve_of_least_squares_whatever_the_start(number: int) -> None:
    raw, mos = _pictures(np.random.default_rng(4), number)
    values, remark = fit_calibration(raw, mos)
    assert (values["kind"], remark) == ("logistic", None)
    assert fit_calibration(raw, mos, START) == (values, None)
    # Least squares: a little aside in any direction the error is larger.
    best = np.sum((Calibration.from_dict(values)(raw) - 100 * mos) ** 2)
    for name in ("b3", "b4"):
        for factor in (0.97, 1.03):
            aside = Calibration.from_dict({**values, name: factor * values[name]})(raw)
            assert np.sum((aside - 100 * mos) ** 2) > best


@pytest.mark.parametrize("number", [3, 6, 12, MIN_TO_FIT - 1])
def test_a_handful_of_pictures_costs_no_correlation_on_others(number: int) -> None:
    rng = np.random.default_rng(number)
    raw, mos = _pictures(rng, 2000)
    plain = np.corrcoef(raw, mos)[0, 1]
    for _ in range(20):
        for start in (None, START):
            values, remark = fit_calibration(*_pictures(rng, number), start)
            assert remark is not None
            assert f"{number} pictures are too few" in remark
            points = Calibration.from_dict(values)(raw)
            assert np.corrcoef(points, mos)[0, 1] > plain - 0.02
            assert (np.diff(Calibration.from_dict(values)(np.linspace(0.05, 0.95, 50))) > 0).all()


def test_of_few_pictures_the_smaller_error_decides_whether_the_start_s_map_stays() -> None:
    raw = np.linspace(0.2, 0.8, 6)
    fits: Floats = Calibration.from_dict(START)(raw) / 100
    values, remark = fit_calibration(raw, fits, START)
    assert values == START
    assert remark is not None
    assert remark.endswith("taken is that of the start")
    values, remark = fit_calibration(raw, raw, START)
    assert values == PLAIN
    assert remark is not None
    assert remark.endswith("taken is 100 x raw")


@pytest.mark.parametrize(
    "start",
    [
        {"kind": "logistic", "b1": 79.0, "b2": 40.0, "b3": 0.55, "b4": 0.017},  # a step
        {"kind": "linear", "slope": 1e-3, "intercept": 55.0},  # flat
    ],
)
def test_a_start_s_map_that_tells_nothing_apart_is_not_handed_on(start: dict[str, Any]) -> None:
    raw = np.array([0.2, 0.3, 0.5, 0.6, 0.7, 0.8])
    mos = np.array([0.4, 0.4, 0.4, 0.79, 0.79, 0.79])
    assert fit_calibration(raw, mos, start)[0] == PLAIN


def test_a_curve_that_is_a_step_or_flat_is_not_taken() -> None:
    rng = np.random.default_rng(2)
    raw = rng.uniform(0.1, 0.9, 200)
    step, remark = fit_calibration(raw, np.where(raw > 0.5, 0.8, 0.2))
    assert step == PLAIN
    assert remark is not None
    assert "is a step or flat" in remark
    mos = rng.uniform(0, 1, 200)
    nothing, remark = fit_calibration(np.tile(raw, 2), np.concatenate([mos, 1 - mos]))
    assert nothing == PLAIN
    assert remark is not None
    falling, remark = fit_calibration(raw, 1 - raw)
    assert falling == PLAIN
    assert remark is not None


@pytest.mark.parametrize("scale", [1.0, 1e-6, 50.0])
@pytest.mark.parametrize("number", [4, 60])
def test_the_calibration_is_always_one_a_card_accepts(scale: float, number: int) -> None:
    rng = np.random.default_rng(1)
    raw, mos = scale * rng.normal(0.5, 0.2, number), rng.uniform(0, 1, number)
    points = Calibration.from_dict(fit_calibration(raw, mos)[0])(np.sort(raw))
    assert (np.diff(points) >= 0).all()
    assert 0 <= points.min() <= points.max() <= 100


@pytest.mark.parametrize("number", [6, 200])
@pytest.mark.parametrize(("factor", "shift"), [(0.05, -0.6), (0.05, 1.9), (8.0, -3.0)])
def test_outputs_outside_of_0_to_1_are_still_told_apart(number: int, factor: float, shift: float) -> None:
    rng = np.random.default_rng(3)
    raw, mos = rng.normal(0.5, 0.2, number), rng.uniform(0.2, 0.9, number)
    raw = factor * raw + shift
    values, _ = fit_calibration(raw, np.concatenate([mos[: number // 2], 1 - mos[: number // 2]]))
    points = Calibration.from_dict(values)(np.sort(raw))
    assert len(np.unique(points)) > 0.8 * number
    assert points.mean() == pytest.approx(50, abs=12)
    assert values.get("slope", 0) <= 100


def test_outputs_that_are_all_the_same_are_a_map_all_the_same() -> None:
    for mos in (np.full(5, 0.4), np.linspace(0.2, 0.8, 5)):
        for raw in (np.full(5, 0.3), np.full(5, -2.0), np.linspace(-5, 9, 5)):
            values, remark = fit_calibration(raw, mos)
            assert remark is not None
            assert Calibration.from_dict(values).parameters["slope"] >= 1


def test_a_scale_that_no_logistic_follows_gets_an_isotonic_map_and_others_keep_the_curve() -> None:
    rng = np.random.default_rng(11)
    raw = rng.uniform(0, 1, 400)
    # Two plateaus: an S-curve with one bend cannot follow both.
    stairs = 0.1 + 0.35 * (raw > 0.3) + 0.4 * (raw > 0.7)
    groups = np.arange(400) // 2
    chosen = choose_calibration(raw, np.clip(stairs + rng.normal(0, 0.05, 400), 0, 1), groups)
    assert chosen.values["kind"] == "isotonic"
    assert chosen.rmse["isotonic"] < 0.8 * chosen.rmse["logistic"]
    points = Calibration.from_dict(chosen.values)(np.array([0.15, 0.5, 0.85]))
    assert points == pytest.approx([10, 45, 85], abs=4)
    raw, mos = _pictures(rng, 400)
    plain = choose_calibration(raw, mos, groups)
    assert plain.values == fit_calibration(raw, mos)[0]
    assert plain.remark is None
    # What is said of the error is of pictures that were left out.
    points = Calibration.from_dict(plain.values)(raw)
    assert plain.rmse["logistic"] == pytest.approx(np.sqrt(np.mean((points - 100 * mos) ** 2)), rel=0.05)


def test_the_isotonic_map_is_least_squares_between_its_ends_and_tells_all_outputs_apart() -> None:
    rng = np.random.default_rng(12)
    raw, mos = _pictures(rng, 150)
    raw[:20] = raw[20:40]  # outputs of several pictures may be the same
    values = fit_isotonic(raw, mos)
    calibration = Calibration.from_dict(values)
    points = calibration(np.sort(raw))
    assert (np.diff(points[np.diff(np.sort(raw), prepend=-1) > 0]) > 0).all()
    # Any logistic that rises is a rising map; the steps themselves have the smallest error of all.
    curve = Calibration.from_dict(fit_calibration(raw, mos)[0])
    assert np.mean((calibration(raw) - 100 * mos) ** 2) < 1.02 * np.mean((curve(raw) - 100 * mos) ** 2)
    assert values["y"][0] == 0
    assert values["y"][-1] == 100


def test_the_isotonic_map_has_no_steps() -> None:
    """Where opinions happen to fall, one regression gives many pictures one score, and beside it leaps."""
    rng = np.random.default_rng(14)
    raw, mos = _pictures(rng, 600)
    calibration = Calibration.from_dict(fit_isotonic(raw, mos))
    outputs = np.linspace(*np.quantile(raw, [0.05, 0.95]), 200)
    rise = np.diff(calibration(outputs))
    assert rise.min() > 0.1 * rise.mean()
    assert rise.max() < 5 * rise.mean()


def test_few_groups_compare_no_curves() -> None:
    raw, mos = _pictures(np.random.default_rng(13), 200)
    assert choose_calibration(raw, mos, np.arange(200) % (MIN_TO_FIT - 1)).rmse == {}
    few = choose_calibration(raw[:20], mos[:20], np.arange(20), START)
    assert (few.values, few.remark) == fit_calibration(raw[:20], mos[:20], START)
