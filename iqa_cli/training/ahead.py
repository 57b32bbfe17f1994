"""Batches that threads make while the step before them trains."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

P = TypeVar("P")
M = TypeVar("M")

#: Batches that are being made ahead of the one that trains.
AHEAD = 3


def made_ahead(
    plans: Iterable[list[P]], make: Callable[[P], M], threads: int
) -> Generator[tuple[list[P], list[M]], None, None]:
    """Make batches by several threads, `AHEAD` of the one that is used.

    Args:
        plans: What each batch is to hold.
        make: Makes one entry of it; called in threads.
        threads: Entries made at a time.

    Yields:
        The plan of a batch, and what was made of its entries, in order.
    """
    waiting: deque[tuple[list[P], list[Future[M]]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for plan in plans:
            waiting.append((plan, [pool.submit(make, entry) for entry in plan]))
            if len(waiting) > AHEAD:
                yield _collect(*waiting.popleft())
        while waiting:
            yield _collect(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(plan: list[P], made: list[Future[M]]) -> tuple[list[P], list[M]]:
    return plan, [future.result() for future in made]
