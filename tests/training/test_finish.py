"""From the best epoch to a weight: the calibration, the choice of the epoch."""

import json
from pathlib import Path

import numpy as np
import pytest

from iqa_cli.calibration import Calibration
from iqa_cli.training.finish import chosen_epoch, code_version, fit_calibration


def test_the_calibration_undoes_a_known_distortion_of_the_scale() -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0.1, 0.9, 300)
    mos = (85 - 12) / (1 + np.exp(-(raw - 0.5) / 0.15)) / 100 + 0.12
    found = Calibration.from_dict(fit_calibration(raw, mos))
    assert np.abs(found(raw) - 100 * mos).max() < 0.05


@pytest.mark.parametrize("scale", [1.0, 1e-6, 50.0])
def test_the_calibration_is_always_one_a_card_accepts(scale: float) -> None:
    rng = np.random.default_rng(1)
    raw, mos = scale * rng.normal(0.5, 0.2, 60), rng.uniform(0, 1, 60)
    points = Calibration.from_dict(fit_calibration(raw, mos))(np.sort(raw))
    assert (np.diff(points) >= 0).all()
    assert 0 <= points.min() <= points.max() <= 100


def test_the_epoch_on_the_card_is_the_best_of_the_log(tmp_path: Path) -> None:
    lines = [
        {"step": 1, "opinion": 0.2},
        {"step": 2, "epoch": 0, "srcc": 0.7},
        {"step": 4, "epoch": 1, "srcc": 0.6},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert chosen_epoch(tmp_path)["step"] == 2


def test_the_code_version_begins_with_the_package_s() -> None:
    from iqa_cli import __version__

    assert code_version().split(" ")[0] == __version__
