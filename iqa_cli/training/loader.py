"""Batches made ahead of the step, by several threads or processes; which batch it is depends on neither."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from iqa_cli.errors import IqaError
from iqa_cli.text import one_line
from iqa_cli.training.crops import Batch, CropSampler
from iqa_cli.training.devices import Machine

Batches: TypeAlias = Generator[Batch, None, None]


def batches(sampler: CropSampler, first: int, last: int, machine: Machine) -> Batches:
    """The batches of the steps `first` to `last` - 1 of a run, in order.

    Args:
        sampler: Makes a batch from the number of its epoch and step alone.
        first: Step of the run, over all epochs.
        last: Step before which it ends.
        machine: Its `threads` or `processes` make batches, `prefetch` ahead each.

    Raises:
        IqaError: A picture cannot be read, or a process of the loader was killed.
    """
    if machine.processes and can_fork():
        return _by_processes(sampler, first, last, machine)
    return _by_threads(sampler, first, last, machine)


def can_fork() -> bool:
    """Whether loader processes can be had: they inherit the decoded pictures instead of a copy."""
    return "fork" in multiprocessing.get_all_start_methods()


def makers(machine: Machine) -> tuple[int, str]:
    """Number of threads or processes that make batches at a time, and what they are called."""
    number, kind = machine.threads, "thread"
    if machine.processes and can_fork():
        number, kind = machine.processes, "process"
    plural = "" if number == 1 else "es" if kind == "process" else "s"
    return number, f"{number} {kind}{plural}"


def _by_threads(sampler: CropSampler, first: int, last: int, machine: Machine) -> Batches:
    waiting: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(machine.threads, thread_name_prefix="loader")
    try:
        following = first
        while True:
            while following < last and len(waiting) < machine.threads * machine.prefetch:
                waiting.append(pool.submit(sampler.at, following))
                following += 1
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Steps(Dataset[Batch | IqaError]):
    """The batches of a run by their step; an expected failure is a value, so that it stays one line."""

    def __init__(self, sampler: CropSampler) -> None:
        self.sampler = sampler

    def __getitem__(self, step: int) -> Batch | IqaError:
        try:
            return self.sampler.at(step)
        except IqaError as error:
            return error


def _by_processes(sampler: CropSampler, first: int, last: int, machine: Machine) -> Batches:
    loader = DataLoader(
        _Steps(sampler),
        batch_size=None,
        sampler=range(first, last),
        num_workers=machine.processes,
        prefetch_factor=machine.prefetch,
        collate_fn=_as_it_is,
        worker_init_fn=_begin_process,
        multiprocessing_context="fork",
        # A loader draws a seed for its workers; from the run's own generator it would change the dropout.
        generator=torch.Generator(),
    )
    try:
        for found in loader:
            if isinstance(found, IqaError):
                raise found
            yield found
    except RuntimeError as error:  # torch tells of a worker that was killed, or of full shared memory
        reason = (str(error).splitlines() or ["ended"])[0]
        raise IqaError(
            f"a process that makes batches failed: {one_line(reason)}",
            hint="take fewer of them, or threads; the same command resumes",
        ) from None


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin_process(_number: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the step, which then ends the loader
    cv2.setNumThreads(0)  # its pool of threads did not survive the fork


@dataclass
class Speed:
    """How fast batches are made and used, in images (crops, distorted copies included).

    Attributes:
        makers: Threads or processes that make batches at a time.
        images: Number of images used.
        making: Seconds that the makers took for these, added up over the makers.
        waiting: Seconds that steps waited for a batch.
        stepping: Seconds of the steps themselves.
    """

    makers: int = 1
    images: int = 0
    making: float = 0.0
    waiting: float = 0.0
    stepping: float = 0.0

    def add(self, batch: Batch, waiting: float, stepping: float) -> None:
        """Count one step."""
        self.images += len(batch.rgb)
        self.making += batch.seconds
        self.waiting += waiting
        self.stepping += stepping

    def loader(self) -> float:
        """Images a second that the makers could make, all of them always busy, beside the steps."""
        return self.makers * self.images / self.making if self.making else 0.0

    def step(self) -> float:
        """Images a second of the steps alone, if a batch were always there."""
        return self.images / self.stepping if self.stepping else 0.0

    def both(self) -> float:
        """Images a second of the run as it was."""
        total = self.waiting + self.stepping
        return self.images / total if total else 0.0

    def waited(self) -> float:
        """Share of the time in which a step waited for the loader, 0 to 1."""
        total = self.waiting + self.stepping
        return self.waiting / total if total else 0.0

    def line(self, makers: str) -> str:
        """Both rates beside each other, for a person."""
        return (
            f"loader {self.loader():.1f} images/s ({makers}), steps {self.step():.1f} images/s, together "
            f"{self.both():.1f}: {self.waited():.1%} of the time the steps waited for the loader"
        )

    def to_dict(self) -> dict[str, float]:
        """The figures for the log."""
        return {
            "loader_images_per_second": round(self.loader(), 1),
            "step_images_per_second": round(self.step(), 1),
            "images_per_second": round(self.both(), 1),
            "waited": round(self.waited(), 4),
        }


class TimedBatches:
    """The batches of a run, and how long each was waited for."""

    def __init__(self, sampler: CropSampler, first: int, last: int, machine: Machine) -> None:
        self._batches = batches(sampler, first, last, machine)
        self.waited = 0.0

    def next(self) -> Batch:
        """The next batch; `waited` then holds the seconds it took to come."""
        asked = time.monotonic()
        batch = next(self._batches)
        self.waited = time.monotonic() - asked
        return batch

    def close(self) -> None:
        """End the threads or processes."""
        self._batches.close()
