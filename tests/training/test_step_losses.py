"""The losses of a step: what a network brings itself, and pictures that a teacher scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import Batch
from iqa_cli.training.losses import StepLosses

MOS = torch.tensor([0.1, 0.3, 0.5, 0.7])


class Plain(nn.Module):
    """The score is the mean of the crop times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward_with_auxiliary(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        return self.weight * rgb.mean((1, 2, 3)), rgb.new_tensor(0.25)


class Own(Plain):
    """Brings all that a network can."""

    def forward_with_opinions(self, rgb: Tensor, mos: Tensor) -> tuple[Tensor, Tensor]:
        self.told = mos.tolist()
        return self.weight * rgb.mean((1, 2, 3)), rgb.new_tensor(0.5)

    def opinion_loss(self, scores: Tensor, mos: Tensor) -> Tensor:
        return 10 * (scores - mos).square().mean()

    def distillation_loss(self, scores: Tensor, taught: Tensor) -> Tensor:
        return 100 * (scores - taught).square().mean()


def batch(index: list[int], pair: list[int] | None = None) -> Batch:
    """Crops whose means are 0.0, 0.1, 0.2, ... of pictures `index`."""
    rgb = torch.arange(len(index))[:, None, None, None] * 0.1 * torch.ones(1, 3, 4, 4)
    pairs = np.array(pair or [-1] * len(index))
    return Batch(rgb, np.array(index), (pairs >= 0).astype(np.int64), pairs)


def losses(network: nn.Module, **arguments: Any) -> StepLosses:
    config = TrainConfig(precision="fp32", rank_weight=0.5, rank_margin=0.04)
    return StepLosses(config, network, MOS, torch.float32, **arguments)


def test_without_anything_of_its_own_a_network_gets_l1_and_its_auxiliary_loss() -> None:
    step = losses(Plain())
    found = [float(v.detach()) for v in step(batch([0, 2, 2], [-1, -1, 1]))]
    assert step.names == ("opinion", "auxiliary", "ranking")
    assert found == pytest.approx([(0.1 + 0.4) / 2, 0.25, 0.5 * (0.04 + 0.1)])


def test_a_network_is_told_the_opinions_of_undistorted_crops() -> None:
    network = Own()
    step = losses(network)
    found = [float(v.detach()) for v in step(batch([0, 2, 2], [-1, -1, 1]))]
    assert network.told[:2] == pytest.approx([0.1, 0.5])
    assert np.isnan(network.told[2])
    assert found[:2] == pytest.approx([10 * (0.1**2 + 0.4**2) / 2, 0.5])


def test_a_teacher_s_scores_enter_the_distillation_alone() -> None:
    network = Own()
    step = losses(network, teacher_mask=torch.tensor([False, True, False, True]))
    found = dict(zip(step.names, [float(v.detach()) for v in step(batch([0, 1, 2, 3]))], strict=True))
    assert found["opinion"] == pytest.approx(10 * ((0.0 - 0.1) ** 2 + (0.2 - 0.5) ** 2) / 2)
    assert found["distillation"] == pytest.approx(100 * ((0.1 - 0.3) ** 2 + (0.3 - 0.7) ** 2) / 2)
    assert np.isnan(network.told).tolist() == [False, True, False, True]


def test_a_plain_network_is_distilled_by_l1() -> None:
    step = losses(Plain(), teacher_mask=torch.tensor([False, True, False, True]))
    assert step.names[-1] == "distillation"
    assert float(step(batch([0, 1, 2, 3]))[-1].detach()) == pytest.approx((0.2 + 0.4) / 2)


def test_the_weight_of_a_teacher_goes_over_the_loss_of_the_network() -> None:
    config = TrainConfig(precision="fp32", teacher_weight=0.25)
    mask = torch.tensor([False, True, False, True])
    step = StepLosses(config, Own(), MOS, torch.float32, teacher_mask=mask)
    found = dict(zip(step.names, [float(v.detach()) for v in step(batch([0, 1, 2, 3]))], strict=True))
    assert found["distillation"] == pytest.approx(25 * ((0.1 - 0.3) ** 2 + (0.3 - 0.7) ** 2) / 2)
    assert found["opinion"] == pytest.approx(10 * ((0.0 - 0.1) ** 2 + (0.2 - 0.5) ** 2) / 2)


@pytest.mark.parametrize(("index", "none"), [([1, 3], "opinion"), ([0, 2], "distillation")])
def test_a_step_without_pictures_of_a_kind_has_no_loss_of_it(index: list[int], none: str) -> None:
    for kinds, part in (((), None), (("mos",), torch.tensor([0, 0, 0, 0]))):
        network = Own()
        mask = torch.tensor([False, True, False, True])
        step = losses(network, teacher_mask=mask, kinds=kinds, part=part)
        values = step(batch(index))
        assert float(dict(zip(step.names, values, strict=True))[none].detach()) == 0
        torch.stack(values).sum().backward()
        assert network.weight.grad is not None
        assert torch.isfinite(network.weight.grad)


def test_opinions_of_another_database_are_not_matched_and_keep_their_own_map() -> None:
    network = Own()
    step = losses(network, kinds=("mos",), part=torch.tensor([0, 1, 0, 1]))
    with torch.no_grad():
        step.maps[0].offset.add_(0.2)
    opinion = float(step(batch([0, 1, 2, 3]))[0].detach())
    assert np.isnan(network.told).tolist() == [False, True, False, True]
    anchor = 10 * (0.1**2 + 0.3**2) / 2
    other = 10 * ((0.1 + 0.2 - 0.3) ** 2 + (0.3 + 0.2 - 0.7) ** 2) / 2
    assert opinion == pytest.approx(anchor / 2 + other / 2)


def _correlated(network: nn.Module, weight: float = 2.0, **arguments: Any) -> tuple[StepLosses, Any]:
    config = TrainConfig(precision="fp32", correlation_weight=weight)
    step = StepLosses(config, network, MOS, torch.float32, **arguments)
    return step, lambda *crops: dict(zip(step.names, step(batch(*crops)), strict=True))


def test_the_correlation_loss_is_one_minus_the_plcc_of_the_undistorted_crops() -> None:
    step, at = _correlated(Plain())
    assert step.names == ("opinion", "auxiliary", "ranking", "correlation")
    # The scores are 0, 0.1, 0.2, 0.3; the distorted copy is none of them.
    order = [2, 0, 3, 1]
    expected = 2 * (1 - np.corrcoef([0, 0.1, 0.2, 0.3], MOS[order])[0, 1])
    assert float(at([*order, 2], [-1, -1, -1, -1, 0])["correlation"].detach()) == pytest.approx(
        expected, rel=1e-3
    )
    assert float(at([0, 1, 2, 3])["correlation"].detach()) == pytest.approx(0, abs=1e-3)
    assert float(at([3, 2, 1, 0])["correlation"].detach()) == pytest.approx(4, abs=1e-3)


def test_where_there_is_no_correlation_there_is_no_loss_and_a_finite_gradient() -> None:
    for index in ([1, 2], [2, 2, 2]):
        network = Plain()
        _, at = _correlated(network)
        loss = at(index)["correlation"]
        loss.backward()
        assert float(loss.detach()) == 0
        assert network.weight.grad == 0
    network = Plain()
    with torch.no_grad():
        network.weight.zero_()  # the same score of all crops
    _, at = _correlated(network)
    loss = at([0, 1, 2, 3])["correlation"]
    loss.backward()
    assert float(loss.detach()) == pytest.approx(2)
    assert network.weight.grad is not None
    assert torch.isfinite(network.weight.grad)


def test_each_scale_is_correlated_by_itself_and_an_order_or_a_teacher_not_at_all() -> None:
    # Scores 0, 0.1, ... rise with the opinions of the anchor and fall with those of the other database.
    index, part = [0, 1, 2, 3, 2, 1], torch.tensor([0, 1, 1, 1])
    for kind, expected in (("mos", 2 * 5 / 6 * (1 - float(np.corrcoef(range(1, 6), MOS[index[1:]])[0, 1]))),):
        _, at = _correlated(Plain(), kinds=(kind,), part=part)
        assert float(at(index)["correlation"].detach()) == pytest.approx(expected, rel=1e-3)
    _, at = _correlated(Plain(), kinds=("order",), part=part)
    assert float(at(index)["correlation"].detach()) == 0
    _, at = _correlated(Plain(), teacher_mask=torch.tensor([False, False, False, True]))
    assert float(at([0, 1, 2, 3, 3])["correlation"].detach()) == pytest.approx(0, abs=1e-3)
