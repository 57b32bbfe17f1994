"""Ctrl-C between two steps of training, never inside of one.

In the middle of a step the weights may be those after it and the count of steps that before it; a checkpoint
of such a moment would not resume to the same result.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether SIGINT came; see `deferred_interrupt`."""

    def __init__(self) -> None:
        self.came = False

    def check(self) -> None:
        """KeyboardInterrupt where SIGINT has come: called where everything is consistent."""
        if self.came:
            self.came = False
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Within it, SIGINT waits for the next `check`, at the latest for the end.

    Outside of the main thread, where signals cannot be had, `check` never raises. A SIGINT that is ignored
    (`nohup`) stays so.
    """
    interrupt = Interrupt()

    def note(_signal: int, _frame: FrameType | None) -> None:
        interrupt.came = True

    usual = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not usual:
        yield interrupt
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt.check()
