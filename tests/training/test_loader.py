"""Batches made ahead of the step, pictures beyond the memory, and the figures of both."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from iqa_cli.errors import ImageError, IqaError
from iqa_cli.training.crops import Batch, CropSampler
from iqa_cli.training.devices import Machine
from iqa_cli.training.loader import Speed, batches, can_fork, makers
from iqa_cli.training.order import Shuffled
from iqa_cli.training.pictures import Pictures, decode

PHOTOS = ("dog.jpg", "cliffs.jpg", "alpaca.jpg", "palace.jpg")


@pytest.fixture(scope="module")
def paths(examples: Path) -> list[Path]:
    return [examples / name for name in PHOTOS]


@pytest.fixture(scope="module")
def sampler(paths: list[Path]) -> CropSampler:
    return CropSampler(Pictures(paths), 64, 2, 1, seed=3, reduced=0.5)


def _same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.rgb, other.rgb) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("index", "level", "pair")
    )


@pytest.mark.parametrize("machine", [Machine(threads=3), Machine(processes=2)], ids=["threads", "processes"])
def test_the_batches_are_the_same_whoever_makes_them(sampler: CropSampler, machine: Machine) -> None:
    expected = [*sampler.epoch(0, 1), *sampler.epoch(1), *sampler.epoch(2)]
    state = torch.get_rng_state()
    made = list(batches(sampler, 1, 6, machine))
    assert [_same(a, b) for a, b in zip(made, expected, strict=True)] == [True] * 5
    assert all(batch.seconds > 0 for batch in made)
    assert torch.equal(torch.get_rng_state(), state)  # or dropout would depend on the loader


def test_an_end_in_the_middle_leaves_no_thread(sampler: CropSampler) -> None:
    before = set(threading.enumerate())
    under_way = batches(sampler, 0, 1000, Machine(threads=2))
    next(under_way)
    under_way.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("machine", [Machine(threads=2), Machine(processes=1)], ids=["threads", "processes"])
def test_a_picture_that_breaks_later_is_one_line(paths: list[Path], machine: Machine, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(paths[0].read_bytes()[:2000])
    # With several threads the picture past the limit may be looked at while the first is kept.
    with pytest.raises(ImageError, match=r"broken\.jpg: ") as caught:
        list(batches(CropSampler(Pictures([paths[0], broken], limit=1), 64, 2), 0, 3, machine))
    assert "\n" not in caught.value.message


@pytest.mark.skipif(not can_fork(), reason="no processes to kill")
def test_a_killed_process_of_the_loader_is_one_line(sampler: CropSampler) -> None:
    class Killed(CropSampler):
        def at(self, step: int) -> Batch:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

    with pytest.raises(IqaError, match="a process that makes batches failed: ") as caught:
        list(batches(Killed(sampler.images, 64, 2), 0, 2, Machine(processes=1)))
    assert "\n" not in caught.value.message


def test_pictures_beyond_the_limit_are_decoded_when_they_are_drawn(paths: list[Path]) -> None:
    seen: list[tuple[int, int]] = []
    everything = Pictures(paths)
    some = Pictures(paths, everything[0].nbytes, 1, lambda done, total: seen.append((done, total)))
    assert (everything.kept(), some.kept()) == (4, 1)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(np.array_equal(some[i], decode(path)) for i, path in enumerate(paths))
    assert [image.shape for image in some[1:]] == [image.shape for image in everything[1:]]
    made = [CropSampler(pictures, 64, 4, 2, seed=1).at(0) for pictures in (everything, some)]
    assert _same(*made)


def test_processes_that_train_together_divide_the_pictures_of_a_step() -> None:
    alone = Shuffled(20, 6, 5)
    both = [Shuffled(20, 6, 5, rank=rank, ranks=2) for rank in (0, 1)]
    for epoch, step in ((0, 0), (0, 2), (4, 1)):
        shares = [order.chosen(epoch, step).tolist() for order in both]
        assert shares[0] + shares[1] == alone.chosen(epoch, step).tolist()
    assert both[1].steps_per_epoch() == alone.steps_per_epoch() == 3


def test_each_process_makes_its_share_of_the_distorted_copies(paths: list[Path]) -> None:
    pictures = Pictures(paths)
    shares = [CropSampler(pictures, 64, 4, 3, seed=1, rank=rank, ranks=2).at(0) for rank in (0, 1)]
    assert [len(share.rgb) for share in shares] == [2 + 2, 2 + 1]
    assert not torch.equal(shares[0].rgb[:2], shares[1].rgb[:2])


def test_speed_is_per_maker_and_without_waiting() -> None:
    speed = Speed(makers=4)
    batch = Batch(torch.zeros(10, 3, 2, 2), *[np.zeros(10, dtype=np.int64)] * 3, seconds=2.0)
    speed.add(batch, waiting=0.5, stepping=1.0)
    speed.add(batch, waiting=0.0, stepping=1.0)
    assert (speed.loader(), speed.step()) == (4 * 20 / 4, 20 / 2)
    assert speed.both() == pytest.approx(20 / 2.5)
    assert speed.waited() == pytest.approx(0.2)
    assert speed.line("4 threads") == (
        "loader 20.0 images/s (4 threads), steps 10.0 images/s, together 8.0: 20.0% of the time the steps "
        "waited for the loader"
    )
    assert makers(Machine(threads=4)) == (4, "4 threads")


def test_a_machine_without_a_maker_is_refused() -> None:
    for wrong in ({"threads": 0}, {"prefetch": 0}, {"processes": -1}, {"memory": -1}):
        with pytest.raises(ValueError, match="at least 1"):
            Machine(**wrong)
