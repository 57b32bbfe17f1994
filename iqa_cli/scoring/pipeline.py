"""Decode ahead, fill batches across pictures, give results back in order: no torch in here, and no image
code.

    inputs -> decoding threads -> a short queue of crops for each picture -> batches -> network -> outcomes in
    order

The crops of a picture are asked for one at a time and wait in a bounded queue, so that memory is a few
decoded pictures and a few batches, however large a picture and however long the list. Batches are filled in
the order of inputs and crops, never by which thread was faster: the same list gives the same batches, hence
the same bits.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from iqa_cli.scoring.pooling import CropScores

if TYPE_CHECKING:
    from iqa_cli.images.crops import Crop

T = TypeVar("T")
Predict = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

# How long a partly filled batch waits for the *list* of inputs to go on before it is scored as it is: a slow
# producer on stdin gets its rows in time. Decoding, however slow, never cuts a batch short.
IDLE_SECONDS = 0.5
# How often a blocked thread looks whether the run has been given up.
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Size:
    """What a decoder says of a picture before its crops: its size in pixels, as displayed."""

    width: int
    height: int


@dataclass
class Outcome(Generic[T]):
    """All that is known of one input when it leaves the pipeline; `failure` excludes `scores`."""

    item: T
    width: int | None = None
    height: int | None = None
    scores: CropScores | None = None
    failure: Exception | None = None


@dataclass
class _End:
    failure: Exception | None = None


@dataclass
class _Job(Generic[T]):
    """A picture on its way: its queue of crops, then what has been collected of it."""

    outcome: Outcome[T]
    crops: queue.Queue[Size | Crop | _End]
    rows: list[npt.NDArray[np.float32]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    backgrounds: list[int] = field(default_factory=list)
    full_resolution: list[bool] = field(default_factory=list)
    ended: bool = False

    @property
    def done(self) -> bool:
        return self.ended and len(self.rows) == len(self.weights)

    def finish(self) -> Outcome[T]:
        if self.outcome.failure is None:
            rows = np.array(self.rows, dtype=np.float64).reshape(len(self.rows), -1 if self.rows else 1)
            self.outcome.scores = CropScores(
                rows[:, 0],
                np.array(self.weights, dtype=np.float64),
                np.array(self.backgrounds, dtype=np.int64),
                said=rows[:, 1:],
                full_resolution=np.array(self.full_resolution, dtype=np.bool_),
            )
        return self.outcome


class _Stopped(Exception):
    """The consumer has gone; the thread ends."""


class Pipeline(Generic[T]):
    """Score a stream of inputs. Used once: iterate `run`.

    Args:
        look: Generator function of one input: first a `Size`, then its crops; it raises what is wrong with
            the picture. Called from decoding threads.
        predict: uint8 [N, S, S, 3] to float [N, K], called from the thread that iterates: the raw score, then
            what else the network says of a crop.
        batch_size: Crops in a batch.
        decoders: Number of decoding threads, each with at most one decoded picture.
    """

    def __init__(
        self, look: Callable[[T], Iterator[Size | Crop]], predict: Predict, *, batch_size: int, decoders: int
    ) -> None:
        if batch_size < 1 or decoders < 1:
            raise ValueError("batch_size and decoders must be at least 1")
        self._look = look
        self._predict = predict
        self._batch_size = batch_size
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
            job = _Job(Outcome(item), queue.Queue(maxsize=max(4, self._batch_size)))
            self._put(self._jobs, job)
            return job

    def _decode_one(self, job: _Job[T]) -> None:
        failure: Exception | None = None
        try:
            for part in self._look(job.outcome.item):
                self._put(job.crops, part)
        except _Stopped:
            raise
        except Exception as error:
            # One bad picture is one bad row, whatever is wrong with it; the caller says it in words.
            failure = error
        self._put(job.crops, _End(failure))

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
        batch: list[tuple[_Job[T], Crop]] = []
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if batch:
                    self._flush(batch)
                    yield from _finished(waiting)
                continue
            if isinstance(job, Exception):
                raise job
            if job is None:
                break
            waiting.append(job)
            for crop in self._crops(job):
                batch.append((job, crop))
                if len(batch) == self._batch_size:
                    self._flush(batch)
                    yield from _finished(waiting)
            yield from _finished(waiting)
        if batch:
            self._flush(batch)
        yield from _finished(waiting)

    def _crops(self, job: _Job[T]) -> Iterator[Crop]:
        """The crops of a picture as they are decoded; a picture that fails half-way gives no more."""
        while not job.ended:
            try:
                # With a limit, since a wait without one cannot be interrupted on Windows.
                part = job.crops.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(part, Size):
                job.outcome.width, job.outcome.height = part.width, part.height
            elif isinstance(part, _End):
                job.outcome.failure = part.failure
                job.ended = True
            else:
                job.weights.append(part.weight)
                job.backgrounds.append(part.background)
                job.full_resolution.append(part.view in ("tiles", "native"))
                yield part

    def _flush(self, batch: list[tuple[_Job[T], Crop]]) -> None:
        rows = self._predict(np.stack([crop.pixels for _, crop in batch]))
        for (job, _), row in zip(batch, rows, strict=True):
            job.rows.append(row)
        batch.clear()


def _finished(waiting: deque[_Job[T]]) -> Iterator[Outcome[T]]:
    while waiting and waiting[0].done:
        yield waiting.popleft().finish()
