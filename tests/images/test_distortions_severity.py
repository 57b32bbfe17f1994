"""Distortions grow with their level, by full-reference metrics of scikit-image on real photographs.

PSNR and SSIM are taken on the three channels of RGB, so that they see a change of colour; CIEDE2000 is the
difference of colour that people see.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iqa_cli.images.distortions import DISTORTIONS
from tests.images.distortion_severity import METRICS, NEED_COLOUR, PRISTINE, centre, held_out, ladders


@pytest.fixture(scope="module")
def crops(examples: Path) -> list[np.ndarray]:
    return [centre(examples / f"{name}.jpg", 128) for name in ("alpaca", "college", "lunch", "palace")]


@pytest.mark.parametrize("name", DISTORTIONS)
def test_each_level_is_further_from_the_picture(crops: list[np.ndarray], name: str) -> None:
    found = ladders(name, crops)
    assert (np.diff(found[:, :, 0], axis=1) < 0).all(), found[:, :, 0]
    for metric, values in zip(METRICS, found.mean(0).T, strict=True):
        assert (np.diff(values) < 0).all(), (metric, values)
    # The first level is one that a metric sees, and not yet the end.
    assert found[:, 0, 0].max() < 42
    assert found[:, 0, 0].mean() > found[:, -1, 0].mean() + 4


@pytest.mark.slow
@pytest.mark.skipif(not PRISTINE.is_dir(), reason="the pristine photographs are not here")
@pytest.mark.parametrize("name", DISTORTIONS)
def test_each_level_is_further_from_every_held_out_photograph(name: str) -> None:
    paths = held_out()
    assert len(paths) > 50
    found = ladders(name, [centre(path, 128) for path in paths])
    assert len(found) == len(paths) or (name in NEED_COLOUR and len(found) > 50)
    for metric, values in zip(METRICS, found.mean(0).T, strict=True):
        assert (np.diff(values) < 0).all(), (metric, values)
    assert (np.diff(found[:, :, 0], axis=1) < 0).all()
    assert np.isfinite(found[:, :, 0]).all()
