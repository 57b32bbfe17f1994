"""Several databases in one training: their shares of a batch, their losses, and a run over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import ndtr

from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import UsageError
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import build
from iqa_cli.training import loop
from iqa_cli.training.checkpoint import read_log
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.losses import ScoreMap, fidelity_loss
from iqa_cli.training.mixture import Part, check_parts, mixed_counts
from iqa_cli.training.order import Mixed
from tests.training.tinydata import make_data

NET = {"van": "tiny", "dan": "none", "head_width": 8}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> dict[str, tuple[ImageRecord, ...]]:
    data = read_csv(make_data(tmp_path_factory.mktemp("labels") / "data", examples))
    return {part: data.part(part) for part in ("train", "calib", "val")}


@pytest.fixture
def train(records: dict[str, tuple[ImageRecord, ...]], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Trains on an anchor, on the same pictures with MOS halved and raised, and on their order."""

    def call(folder: str = "run", max_steps: int | None = None, **settings: Any) -> dict[str, Any]:
        given = {"batch": 8, "distorted": 1, "epochs": 2, "size": 64, "warmup": 2, **settings}
        config = TrainConfig(network_config=NET, **given)
        fit, choose = records["train"], records["calib"]
        torch.manual_seed(0)
        network = build("mfenet", NET)
        return loop.train(
            config,
            network,
            fit,
            choose,
            SizePolicy(crop=64),
            tmp_path / folder,
            lambda line: None,
            max_steps,
            {"dataset": "anchor"},
            further=[
                Part("halved", "mos", [replace(r, mos=0.3 + r.mos / 2) for r in fit], choose),
                Part("ordered", "order", records["val"]),
            ],
        )

    return call


def test_each_database_has_its_share_of_a_batch() -> None:
    assert mixed_counts(16, [700, 200, 100], ["mos", "mos", "mos"], "size") == (11, 3, 2)
    assert mixed_counts(16, [700, 200, 100], ["mos", "mos", "order"], "equal") == (6, 5, 5)
    # However small it is, a database has what its loss needs.
    assert mixed_counts(8, [10_000, 10, 10], ["mos", "mos", "order"], "size") == (5, 1, 2)
    with pytest.raises(UsageError, match="too small for 3 databases"):
        mixed_counts(3, [5, 5, 5], ["mos", "mos", "order"], "equal")


def test_every_picture_is_drawn_before_any_is_drawn_again() -> None:
    order = Mixed((10, 4), (3, 2), seed=1)
    assert order.steps_per_epoch() == 2
    drawn = [order.chosen(*divmod(step, 2)) for step in range(10)]
    first = np.concatenate([chosen[:3] for chosen in drawn])
    second = np.concatenate([chosen[3:] for chosen in drawn])
    for part, size, low in ((first, 10, 0), (second, 4, 10)):
        for i in range(len(part) // size):
            assert sorted(part[i * size : (i + 1) * size]) == list(range(low, low + size))
    assert not np.array_equal(second[:4], second[4:8]) or not np.array_equal(second[4:8], second[8:12])


def test_processes_share_what_one_would_draw_in_larger_batches() -> None:
    alone = Mixed((10, 6), (4, 2), seed=1)
    both = [Mixed((10, 6), (2, 1), seed=1, rank=rank, ranks=2) for rank in (0, 1)]
    assert alone.steps_per_epoch() == both[0].steps_per_epoch()
    for step in range(5):
        together = np.concatenate([order.chosen(0, step) for order in both])
        assert sorted(together) == sorted(alone.chosen(0, step))


def test_the_fidelity_loss_is_its_formula() -> None:
    scores, opinions = torch.tensor([0.2, 0.9, 0.4]), torch.tensor([1.0, 2.0, 2.0])
    # Pairs of different opinions: (1, 0) and (2, 0).
    expected = np.mean([1 - math.sqrt(ndtr(5 * d / math.sqrt(2))) for d in (0.7, 0.2)])
    assert float(fidelity_loss(scores, opinions, torch.tensor(5.0))) == pytest.approx(expected, abs=1e-6)
    assert float(fidelity_loss(scores, torch.ones(3), torch.tensor(5.0))) == 0


def test_the_fidelity_loss_brings_a_wrong_order_right_and_has_a_gradient_far_away() -> None:
    scores = torch.tensor([0.9, 0.1], requires_grad=True)
    fidelity_loss(scores, torch.tensor([0.0, 1.0]), torch.tensor(3.0)).backward()
    assert scores.grad is not None
    assert scores.grad[0] > 0 > scores.grad[1]
    far = torch.tensor([50.0, -50.0], requires_grad=True)
    fidelity_loss(far, torch.tensor([0.0, 1.0]), torch.tensor(3.0)).backward()
    assert far.grad is not None
    assert torch.isfinite(far.grad).all()


def test_a_score_map_begins_as_nothing_and_never_turns_the_score_round() -> None:
    score_map = ScoreMap("mos")
    scores = torch.tensor([0.1, 0.5])
    assert torch.equal(score_map(scores), scores)
    optimiser = torch.optim.SGD(score_map.parameters(), 1.0)
    for _ in range(200):  # towards the opposite order
        optimiser.zero_grad()
        (score_map(scores) - torch.tensor([1.0, 0.0])).abs().mean().backward()
        optimiser.step()
    scale, _ = score_map.values()
    assert 0 < scale < 0.2
    (ordered,) = ScoreMap("order").values()
    assert ordered == pytest.approx(10)


def test_a_map_finds_the_scale_of_its_database(train: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    # In bfloat16 so small a network goes another way on every kind of processor.
    train(epochs=10, rate_new=0.03, precision="fp32")
    maps = [line["maps"] for line in read_log(tmp_path / "run") if "maps" in line]
    assert [set(entry) for entry in maps] == [{"halved", "ordered"}] * 10
    scale, offset = maps[-1]["halved"]
    assert scale < 0.9  # from 1 towards a half
    assert offset > 0.2  # from 0 towards 0.3
    others = [line["others"] for line in read_log(tmp_path / "run") if "others" in line]
    assert all(set(entry) == {"halved"} for entry in others)
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert header == (
        "epoch,step,opinion,auxiliary,ranking,order,srcc,plcc,srcc halved,images_per_second,waited"
    )


def test_a_mixture_that_was_interrupted_ends_as_the_unbroken_one(
    train: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    whole = train("whole")
    train("broken", max_steps=4)
    resumed = train("broken")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    ends = [torch.load(tmp_path / run / "last.pt", weights_only=True)["maps"] for run in ("whole", "broken")]
    assert set(ends[0]) == {"0.log_scale", "0.offset", "1.log_scale"}
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_another_mixture_is_another_run(train: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    train(max_steps=1)
    with pytest.raises(UsageError, match="holds another run: settings shares"):
        train(max_steps=1, shares="equal")


def test_databases_that_cannot_be_mixed_are_refused(records: dict[str, tuple[ImageRecord, ...]]) -> None:
    fit = records["train"]
    for further, message in (
        ([Part("a", "mos", fit), Part("a", "mos", fit)], "'a' is given twice"),
        ([Part("anchor", "mos", fit)], "'anchor' is given twice"),
        ([Part("a", "order", [replace(r, mos=0.5) for r in fit])], "all of the same opinion"),
        ([Part("a", "mos", fit, fit[:2])], "2 pictures to measure on are too few"),
    ):
        with pytest.raises(UsageError, match=message):
            check_parts("anchor", further)
