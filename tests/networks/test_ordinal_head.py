"""The statistics of a picture and the head that reads them: what they are of real photographs, and what is
said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.images.distortions import distort
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.ordinal_head import SEEN, OrdinalHead
from iqa_cli.networks.picture_stats import BINS, LAGS, LUMA_BINS, OCTAVES, STATISTICS, picture_statistics
from iqa_cli.networks.said import Said
from iqa_cli.training.crops import to_tensor

NAMES = ("blur", "noise", "jpeg")
SMALL: dict[str, Any] = {
    "van": "tiny",
    "head_width": 8,
    "distortions": NAMES,
    "distortion_head": "ordinal",
}
#: Where groups of statistics begin.
_MEANS = LUMA_BINS + 5 * BINS
_GRADIENTS = _MEANS + 2 * 7 + 2 * 3 + 3 + 2 * 2
_CORRELATIONS = _GRADIENTS + 7 * (3 * OCTAVES - 2)


@pytest.fixture(scope="module")
def photograph(examples: Path) -> np.ndarray:
    """288 pixels of a real one."""
    with Image.open(examples / "dog.jpg") as photo:
        return np.ascontiguousarray(np.asarray(photo.convert("RGB"))[40:328, 60:348])


def _statistics(*pictures: np.ndarray) -> np.ndarray:
    return picture_statistics(to_tensor(np.stack(pictures))).numpy()


def test_what_the_statistics_say_of_a_photograph(photograph: np.ndarray) -> None:
    rgb = photograph / 255
    (found,) = _statistics(photograph)
    assert found.shape == (STATISTICS,)
    # Every pixel counts once in each histogram.
    assert found[:LUMA_BINS].sum() == pytest.approx(1, abs=1e-4)
    assert found[LUMA_BINS : LUMA_BINS + BINS].sum() == pytest.approx(1, abs=1e-4)
    every_fourth = rgb[1::4, 1::4]
    assert found[_MEANS : _MEANS + 3] == pytest.approx(every_fourth.mean((0, 1)), abs=1e-5)
    assert found[_MEANS + 7 : _MEANS + 10] == pytest.approx(every_fourth.std((0, 1)), abs=1e-3)
    luma = rgb @ [0.299, 0.587, 0.114]
    steps = np.abs(np.diff(luma, axis=1))
    assert found[_GRADIENTS] == pytest.approx(np.log(steps.mean() + 1e-4), abs=1e-4)
    assert found[_GRADIENTS + 2] == pytest.approx((steps < 0.5 / 255).mean(), abs=1e-4)
    first = np.diff(luma, axis=1)
    lag = (first[:, 3:] * first[:, :-3]).mean() / (first**2).mean()
    assert found[_CORRELATIONS + LAGS.index(3)] == pytest.approx(lag, abs=1e-3)


@pytest.mark.parametrize(("kind", "sign"), [("brighten", 1), ("darken", -1)])
def test_brighter_is_brighter_and_blurred_is_smooth(photograph: np.ndarray, kind: str, sign: int) -> None:
    rng = np.random.default_rng(0)
    plain, other = _statistics(photograph, distort(photograph, kind, 4, rng))
    assert sign * (other[_MEANS + 3] - plain[_MEANS + 3]) > 0.03
    blurred = _statistics(distort(photograph, "gaussian_blur", 4, rng))[0]
    assert blurred[_GRADIENTS] < plain[_GRADIENTS] - 0.5
    assert blurred[_CORRELATIONS] > plain[_CORRELATIONS] + 0.2


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_of_one_colour_gives_finite_numbers(level: int) -> None:
    found = _statistics(np.full((64, 80, 3), level, np.uint8))
    assert np.isfinite(found).all()
    assert found[0, _GRADIENTS] == pytest.approx(np.log(1e-4), abs=1e-3)


def test_how_a_batch_lies_in_memory_changes_nothing(photograph: np.ndarray) -> None:
    rgb = to_tensor(np.stack([photograph, photograph[::-1]]))
    other = rgb.contiguous(memory_format=torch.contiguous_format)
    assert torch.allclose(picture_statistics(rgb), picture_statistics(other), atol=1e-4)


def test_levels_lie_on_a_line_and_their_shares_add_up() -> None:
    head = OrdinalHead(NAMES)
    with torch.no_grad():
        head.levels.weight.zero_()[:, 0] = 1
        head.thresholds.copy_(torch.tensor([-3.0, -1.0, 1.0, 3.0]))
        seen = torch.zeros(7, SEEN)
        seen[:, 0] = torch.tensor([-6.0, -2.0, 0.0, 2.0, 6.0, -1e9, 1e9])
        types, levels = head.from_seen(seen)
    assert types.shape == (7, 4)
    assert levels.shape == (7, 3, 5)
    assert levels.isfinite().all()
    assert torch.allclose(levels.exp().sum(2), torch.ones(7, 3), atol=1e-4)
    assert levels[:, 0].argmax(1).tolist() == [0, 1, 2, 3, 4, 0, 4]
    # What lies far outside is no surer than what lies at the end of the scale.
    assert torch.equal(levels[0], levels[5])


def test_it_names_while_it_scores_and_changes_no_score() -> None:
    torch.manual_seed(0)
    network = MFENet(MFENetConfig(**SMALL)).eval()
    again = MFENet(MFENetConfig.from_dict(network.config.to_dict()))
    assert isinstance(again.dan.head, OrdinalHead)
    plain = MFENet(MFENetConfig(**{**SMALL, "distortions": (), "distortion_head": "nominal"})).eval()
    plain.load_state_dict(network.state_dict(), strict=False)
    rgb = torch.rand(2, 3, 64, 80)
    with torch.no_grad():
        raw, types, levels = Said(network)(rgb)
        assert torch.equal(raw, plain(rgb))
    assert torch.allclose(types.sum(1), torch.ones(2), atol=1e-5)
    assert ((levels >= 1) & (levels <= 5)).all()
    assert not any(parameter.requires_grad for parameter in network.dan.head.parameters())


def test_cards_of_other_heads_stay_as_they_were() -> None:
    assert "distortion_head" not in MFENetConfig(van="tiny", distortions=NAMES).to_dict()
    with pytest.raises(ValueError, match="reads all stages"):
        MFENetConfig(**SMALL, distortion_stages="last")
    with pytest.raises(ValueError, match="distortion_head must be one of nominal, ordinal"):
        MFENetConfig(**{**SMALL, "distortion_head": "cardinal"})
