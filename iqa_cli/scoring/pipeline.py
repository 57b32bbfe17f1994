"""Decode ahead, fill batches across pictures, give results back in order: no torch in here, and no image
code.

    inputs -> decoding threads -> a short queue of crops for each picture -> batches -> networks -> outcomes
    in order

The crops of a picture are asked for one at a time and wait in a bounded queue, so that memory is a few
decoded pictures and a few batches, however large a picture and however long the list. Batches are filled in
the order of inputs and crops, never by which thread was faster: the same list gives the same batches, hence
the same bits. Each network has a lane with batches of its own, which are the same whether it runs alone or
beside others.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from iqa_cli.scoring.batches import Batches
from iqa_cli.scoring.parts import Known, Lane, Part, Refusal, Result, Size
from iqa_cli.scoring.pooling import CropScores

if TYPE_CHECKING:
    from iqa_cli.images.crops import Crop

T = TypeVar("T")

# How long a partly filled batch waits for the *list* of inputs to go on before it is scored as it is: a slow
# producer on stdin gets its rows in time. Decoding, however slow, never cuts a batch short.
IDLE_SECONDS = 0.5
# Pictures that may wait for one before them whose batch is not full: behind it may come any number that need
# no network, being broken or known. Batches of usual sizes never hold up so many.
_MOST_WAITING = 1024
# How often a blocked thread looks whether the run has been given up.
_POLL_SECONDS = 0.1


@dataclass
class Outcome(Generic[T]):
    """All that is known of one input when it leaves the pipeline.

    Attributes:
        item: The input.
        width, height: In pixels, as displayed; None where unknown.
        results: For each lane what its network said, what was known of it already, or why it could not be
            asked.
    """

    item: T
    width: int | None = None
    height: int | None = None
    results: list[Result] = field(default_factory=list)


@dataclass
class _End:
    failure: Exception | None = None


@dataclass
class _Collected:
    """What has been collected of a picture in one lane."""

    rows: list[npt.NDArray[np.float32]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    backgrounds: list[int] = field(default_factory=list)
    full_resolution: list[bool] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    failure: Exception | None = None
    known: Known | None = None

    def add(self, crop: Crop) -> None:
        self.weights.append(crop.weight)
        self.backgrounds.append(crop.background)
        self.full_resolution.append(crop.view in ("tiles", "native"))
        self.best.append(crop.best)

    def result(self) -> Result:
        if self.known is not None:
            return self.known
        if self.failure is not None:
            return self.failure
        rows = np.array(self.rows, dtype=np.float64).reshape(len(self.rows), -1 if self.rows else 1)
        return CropScores(
            rows[:, 0],
            np.array(self.weights, dtype=np.float64),
            np.array(self.backgrounds, dtype=np.int64),
            said=rows[:, 1:],
            full_resolution=np.array(self.full_resolution, dtype=np.bool_),
            best=np.array(self.best, dtype=np.float64),
        )


@dataclass
class _Job(Generic[T]):
    """A picture on its way: its queue of crops, then what has been collected of it."""

    outcome: Outcome[T]
    parts: queue.Queue[Part | _End]
    lanes: list[_Collected]
    ended: bool = False

    @property
    def done(self) -> bool:
        return self.ended and all(len(lane.rows) == len(lane.weights) for lane in self.lanes)

    def finish(self) -> Outcome[T]:
        self.outcome.results = [lane.result() for lane in self.lanes]
        return self.outcome


class _Stopped(Exception):
    """The consumer has gone; the thread ends."""


class Pipeline(Generic[T]):
    """Score a stream of inputs. Used once: iterate `run`.

    Args:
        look: Generator function of one input: what is known already, a `Size`, then its crops, each with the
            number of the lane it is for, and refusals of single lanes; it raises what is wrong with the whole
            picture. Called from decoding threads.
        lanes: The networks.
        decoders: Number of decoding threads, each with at most one decoded picture.
    """

    def __init__(
        self,
        look: Callable[[T], Iterator[Part]],
        lanes: Sequence[Lane],
        *,
        decoders: int,
    ) -> None:
        if decoders < 1 or not lanes:
            raise ValueError("there must be at least one decoder and one lane")
        self._look = look
        self._lanes = tuple(lanes)
        # Crops of a picture that wait; those of several lanes mostly share their pixels.
        self._ahead = max(4, *(lane.batch_size for lane in lanes))
        self._most_waiting = max(_MOST_WAITING, 2 * max(lane.batch_size for lane in lanes))
        self._decoders = decoders
        # Pictures in the order of the input, put there before they are decoded; None is the end of the input.
        self._jobs: queue.Queue[_Job[T] | Exception | None] = queue.Queue(maxsize=2 * decoders)
        self._input_lock = threading.Lock()
        self._exhausted = False
        self._stop = threading.Event()

    def run(self, items: Iterable[T]) -> Iterator[Outcome[T]]:
        """Outcomes in the order of `items`, which are consumed lazily (by a decoding thread).

        Raises:
            Exception: whatever iterating `items` or `predict` raises. A failure of one picture is in its
                outcome.
        """
        iterator = iter(items)
        for number in range(self._decoders):
            # Daemons: a thread that waits for a line on stdin must not keep the process alive.
            threading.Thread(
                target=self._decode, args=(iterator,), name=f"iqa-decode-{number}", daemon=True
            ).start()
        try:
            yield from self._collect()
        finally:
            self._stop.set()

    # -- the decoding threads

    def _decode(self, iterator: Iterator[T]) -> None:
        try:
            while (job := self._next_job(iterator)) is not None:
                self._decode_one(job)
        except _Stopped:
            pass

    def _next_job(self, iterator: Iterator[T]) -> _Job[T] | None:
        """Take the next input and its place in the order, both under one lock."""
        with self._input_lock:
            if self._exhausted:
                return None
            try:
                item = next(iterator)
            except StopIteration:
                self._exhausted = True
                self._put(self._jobs, None)
                return None
            except Exception as error:
                self._exhausted = True
                self._put(self._jobs, error)
                return None
            job = _Job(Outcome(item), queue.Queue(self._ahead), [_Collected() for _ in self._lanes])
            self._put(self._jobs, job)
            return job

    def _decode_one(self, job: _Job[T]) -> None:
        failure: Exception | None = None
        try:
            for part in self._look(job.outcome.item):
                self._put(job.parts, part)
        except _Stopped:
            raise
        except Exception as error:
            # One bad picture is one bad row, whatever is wrong with it; the caller says it in words.
            failure = error
        self._put(job.parts, _End(failure))
        # The traceback of a failure holds this frame. Were the failure held by it in turn, each would stay in
        # memory until Python looks for circles, which beside all of torch it hardly ever does.
        del failure, job

    def _put(self, target: queue.Queue, value: object) -> None:
        while not self._stop.is_set():
            try:
                target.put(value, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue
        raise _Stopped

    # -- the thread of the caller

    def _collect(self) -> Iterator[Outcome[T]]:
        waiting: deque[_Job[T]] = deque()
        batches = Batches(self._lanes)
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if batches:
                    batches.flush()
                    yield from _finished(waiting)
                continue
            if isinstance(job, Exception):
                raise job
            if job is None:
                break
            waiting.append(job)
            for number, crop in self._crops(job):
                if batches.add(number, crop.pixels, job.lanes[number].rows):
                    yield from _finished(waiting)
            if len(waiting) > self._most_waiting:
                batches.flush()
            yield from _finished(waiting)
        batches.flush()
        yield from _finished(waiting)

    def _crops(self, job: _Job[T]) -> Iterator[tuple[int, Crop]]:
        """The crops of a picture as they are decoded; a picture that fails half-way gives no more."""
        while not job.ended:
            try:
                # With a limit, since a wait without one cannot be interrupted on Windows.
                part = job.parts.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(part, Size):
                job.outcome.width, job.outcome.height = part.width, part.height
            elif isinstance(part, Known):
                job.lanes[part.lane].known = part
            elif isinstance(part, Refusal):
                for number in part.lanes:
                    job.lanes[number].failure = part.failure
            elif isinstance(part, _End):
                for lane in job.lanes:
                    lane.failure = lane.failure or part.failure
                job.ended = True
            else:
                number, crop = part
                job.lanes[number].add(crop)
                yield number, crop


def _finished(waiting: deque[_Job[T]]) -> Iterator[Outcome[T]]:
    while waiting and waiting[0].done:
        yield waiting.popleft().finish()
