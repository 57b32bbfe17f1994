"""The pipeline with pictures and a network made for the test: order, batches, memory, failures, its end."""

from __future__ import annotations

import gc
import itertools
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from iqa_cli.images.crops import Crop
from iqa_cli.scoring.parts import Known, Lane, Part, Refusal, Size
from iqa_cli.scoring.pipeline import Outcome, Pipeline
from iqa_cli.scoring.pooling import CropScores


def crop(value: int, weight: float = 1.0) -> Crop:
    return Crop("tiles", 0, weight, np.full((2, 2, 3), value % 256, dtype=np.uint8))


def looks(item: int) -> Iterator[Size | tuple[int, Crop]]:
    """Picture `item` has `item % 5` crops, all of value `item`; number 13 is broken after its second crop."""
    yield Size(item, 2 * item)
    for number in range(item % 5):
        if item == 13 and number == 2:
            raise ValueError("broken half-way")
        yield 0, crop(item)


class Network:
    """Says the mean of each crop, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops))
        return crops.reshape(len(crops), -1).mean(axis=1).astype(np.float32)


def summary(outcome: Outcome[int]) -> tuple[int, int | None, list[float]]:
    (result,) = outcome.results
    raws = result.raw.tolist() if isinstance(result, CropScores) else []
    return outcome.item, outcome.width, raws


@pytest.mark.parametrize("decoders", [1, 2, 7])
@pytest.mark.parametrize("batch_size", [1, 3, 16, 1000])
def test_outcomes_come_in_order_each_with_its_own_scores(decoders: int, batch_size: int) -> None:
    pipeline = Pipeline(looks, [Lane(Network(), batch_size)], decoders=decoders)
    outcomes = list(pipeline.run(range(60)))
    assert [outcome.item for outcome in outcomes] == list(range(60))
    for item, outcome in enumerate(outcomes):
        if item == 13:
            assert isinstance(outcome.results[0], ValueError)
        else:
            assert summary(outcome) == (item, item, [float(item)] * (item % 5))


class Beside(Network):
    """Computes when the rows are waited for, and remembers how many batches were begun and not waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.most = 0, 0

    def begin(self, crops: np.ndarray) -> Callable[[], np.ndarray]:
        self.open += 1
        self.most = max(self.most, self.open)
        kept = crops.copy()

        def wait() -> np.ndarray:
            self.open -= 1
            return self(kept)

        return wait


@pytest.mark.parametrize("batch_size", [1, 3, 16, 1000])
def test_a_network_beside_the_process_gets_the_next_batch_before_it_is_waited_for(batch_size: int) -> None:
    network, alone = Beside(), Network()
    lanes = [Lane(network, batch_size, network.begin)]
    found = [summary(outcome) for outcome in Pipeline(looks, lanes, decoders=2).run(range(60))]
    wanted = [
        summary(outcome) for outcome in Pipeline(looks, [Lane(alone, batch_size)], decoders=2).run(range(60))
    ]
    assert found == wanted
    assert network.batches == alone.batches
    assert network.open == 0
    assert network.most == (1 if batch_size == 1000 else 2)


def test_what_a_network_beside_the_process_raises_when_it_is_waited_for_ends_the_run() -> None:
    def begin(crops: np.ndarray) -> Callable[[], np.ndarray]:
        def wait() -> np.ndarray:
            raise RuntimeError("the device is gone")

        return wait

    pipeline = Pipeline(looks, [Lane(Network(), 4, begin)], decoders=2)
    with pytest.raises(RuntimeError, match="gone"):
        list(pipeline.run(range(20)))


def test_a_slow_list_does_not_keep_a_begun_batch_waiting() -> None:
    more = threading.Event()

    def items() -> Iterator[int]:
        yield 4
        assert more.wait(20)
        yield 1

    network = Beside()
    outcomes = Pipeline(looks, [Lane(network, 4, network.begin)], decoders=1).run(items())
    assert summary(next(outcomes)) == (4, 4, [4.0] * 4)
    more.set()
    assert [outcome.item for outcome in outcomes] == [1]


def test_crops_of_different_pictures_share_batches_the_same_way_every_time() -> None:
    def uneven(item: int) -> Iterator[Size | tuple[int, Crop]]:
        time.sleep(0.002 * ((item * 7) % 5))  # threads overtake each other
        yield from looks(item)

    seen = set()
    for decoders in (1, 2, 5, 5):
        network = Network()
        list(Pipeline(uneven, [Lane(network, 8)], decoders=decoders).run(range(40)))
        seen.add(tuple(network.batches))
    assert len(seen) == 1
    (batches,) = seen
    assert set(batches[:-1]) == {8}


def test_inputs_are_taken_lazily_and_never_far_ahead() -> None:
    taken = []

    def endless() -> Iterator[int]:
        for number in itertools.count(1):
            taken.append(number)
            yield number * 5 + 1  # one crop each

    outcomes = Pipeline(looks, [Lane(Network(), 4)], decoders=2).run(endless())
    for _ in range(100):
        next(outcomes)
    assert len(taken) < 130
    outcomes.close()  # type: ignore[attr-defined]


def test_a_picture_of_very_many_crops_waits_for_the_network() -> None:
    """So memory does not grow with the size of a picture."""
    made = 0
    ahead = []

    def giant(item: int) -> Iterator[Size | tuple[int, Crop]]:
        nonlocal made
        yield Size(1, 1)
        for _ in range(2000):
            made += 1
            yield 0, crop(1, 1 / 2000)

    scored = 0

    def slow(crops: np.ndarray) -> np.ndarray:
        nonlocal scored
        time.sleep(0.0005)
        ahead.append(made - scored)
        scored += len(crops)
        return np.zeros(len(crops), dtype=np.float32)

    (outcome,) = Pipeline(giant, [Lane(slow, 8)], decoders=2).run([0])
    (result,) = outcome.results
    assert isinstance(result, CropScores)
    assert result.raw.shape == (2000,)
    assert max(ahead) <= 8 + 8 + 2


def test_a_part_filled_batch_holds_up_a_limited_number_of_pictures_that_need_no_network() -> None:
    """So a million pictures that are known already do not wait in memory behind one that is new."""

    def first_is_new(item: int) -> Iterator[Part]:
        if item:
            yield Known(0, item)
        else:
            yield Size(2, 2)
            yield 0, crop(7)

    taken: list[int] = []
    endless = (taken.append(number) or number for number in itertools.count())  # type: ignore[func-returns-value]
    outcomes = Pipeline(first_is_new, [Lane(Network(), 8)], decoders=2).run(endless)
    assert summary(next(outcomes)) == (0, 2, [7.0])
    assert len(taken) < 1200
    for item in range(1, 3000):
        assert next(outcomes).results == [Known(0, item)]
    outcomes.close()  # type: ignore[attr-defined]


def test_a_failure_that_nobody_keeps_is_gone() -> None:
    """Without waiting for the collector of circles, which is late in a process with torch."""

    class Broken(Exception):
        pass

    def broken(item: int) -> Iterator[Part]:
        yield Size(2, 2)
        raise Broken

    failures = []
    gc.disable()
    try:
        for outcome in Pipeline(broken, [Lane(Network(), 2)], decoders=1).run(range(50)):
            assert isinstance(outcome.results[0], Broken)
            failures.append(weakref.ref(outcome.results[0]))
        del outcome
        assert sum(failure() is not None for failure in failures) <= 1
    finally:
        gc.enable()


def test_what_is_known_of_one_network_stands_beside_what_another_says() -> None:
    def half_known(item: int) -> Iterator[Part]:
        yield Known(1, "known")
        yield Size(2, 2)
        yield 0, crop(item)
        if item == 1:
            raise ValueError("broken half-way")

    lanes = [Lane(Network(), 2), Lane(Network(), 2)]
    intact, broken = Pipeline(half_known, lanes, decoders=1).run([0, 1])
    assert isinstance(intact.results[0], CropScores)
    assert isinstance(broken.results[0], ValueError)
    assert intact.results[1] == broken.results[1] == Known(1, "known")


def test_a_part_filled_batch_does_not_wait_for_inputs_that_take_long() -> None:
    ready: queue.Queue[int | None] = queue.Queue()
    outcomes = Pipeline(looks, [Lane(Network(), 100)], decoders=2).run(iter(ready.get, None))
    ready.put(3)
    started = time.monotonic()
    assert summary(next(outcomes)) == (3, 3, [3.0, 3.0, 3.0])
    assert time.monotonic() - started < 5
    ready.put(4)
    ready.put(None)
    assert [outcome.item for outcome in outcomes] == [4]


def test_a_slow_picture_does_not_cut_a_batch_short() -> None:
    network = Network()

    def slow(item: int) -> Iterator[Size | tuple[int, Crop]]:
        yield from looks(6)
        if item == 2:
            time.sleep(0.8)

    list(Pipeline(slow, [Lane(network, 4)], decoders=1).run(range(4)))
    assert network.batches == [4]


def test_failures_of_the_list_and_of_the_network_reach_the_caller() -> None:
    def broken_list() -> Iterator[int]:
        yield 1
        raise OSError("the list is gone")

    outcomes = Pipeline(looks, [Lane(Network(), 1)], decoders=2).run(broken_list())
    assert next(outcomes).item == 1
    with pytest.raises(OSError, match="the list is gone"):
        next(outcomes)

    def broken_network(crops: np.ndarray) -> np.ndarray:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        list(Pipeline(looks, [Lane(broken_network, 4)], decoders=2).run(range(50)))


def test_threads_end_with_the_run_also_when_it_is_given_up() -> None:
    _wait_for_decoders_to_end()  # those of the tests before
    before = threading.enumerate()
    list(Pipeline(looks, [Lane(Network(), 4)], decoders=4).run(range(20)))
    outcomes = Pipeline(looks, [Lane(Network(), 2)], decoders=4).run(itertools.count())
    next(outcomes)
    assert len(_decoders()) >= 4
    outcomes.close()  # type: ignore[attr-defined]
    _wait_for_decoders_to_end()
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def _decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("iqa-decode")]


def _wait_for_decoders_to_end() -> None:
    limit = time.monotonic() + 10
    while _decoders() and time.monotonic() < limit:
        time.sleep(0.01)


def test_nothing_in_nothing_out() -> None:
    assert list(Pipeline(looks, [Lane(Network(), 4)], decoders=2).run([])) == []


def _several(item: int) -> Iterator[Size | tuple[int, Crop] | Refusal]:
    """Lane 0 has the crops of `looks`, lane 1 twice as many; it refuses every seventh picture half-way."""
    yield Size(item, item)
    for number in range(item % 5):
        yield 0, crop(item)
        yield 1, crop(item)
        if item % 7 == 6 and number == 1:
            yield Refusal((1,), ValueError("not for this one"))
            return
        yield 1, crop(item)


@pytest.mark.parametrize("sizes", [(1, 1), (4, 4), (3, 16), (1000, 5)])
def test_every_lane_has_batches_of_its_own(sizes: tuple[int, int]) -> None:
    networks = Network(), Network()
    lanes = [Lane(network, size) for network, size in zip(networks, sizes, strict=True)]
    outcomes = list(Pipeline(_several, lanes, decoders=3).run(range(60)))
    assert [outcome.item for outcome in outcomes] == list(range(60))
    for item, outcome in enumerate(outcomes):
        first, second = outcome.results
        refused = item % 7 == 6 and item % 5 > 1
        assert isinstance(first, CropScores)
        assert len(first.raw) == (2 if refused else item % 5)
        assert isinstance(second, ValueError if refused else CropScores)
        if isinstance(second, CropScores):
            assert second.raw.tolist() == [float(item)] * (2 * (item % 5))
    for network, size in zip(networks, sizes, strict=True):
        assert set(network.batches[:-1]) <= {size}


def test_what_is_wrong_with_a_picture_is_so_for_every_lane() -> None:
    def broken(item: int) -> Iterator[Size | tuple[int, Crop] | Refusal]:
        yield 0, crop(1)
        yield Refusal((0,), KeyError("its own"))
        raise ValueError("damaged")

    (outcome,) = Pipeline(broken, [Lane(Network(), 4), Lane(Network(), 4)], decoders=1).run([0])
    assert [type(result) for result in outcome.results] == [KeyError, ValueError]


def test_lanes_need_a_batch() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        Lane(Network(), 0)
    with pytest.raises(ValueError, match="one lane"):
        Pipeline(looks, [], decoders=1)
