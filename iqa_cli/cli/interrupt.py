"""Ctrl-C: the first one ends the run in good order, a second one ends it at once; `kill`, `timeout` and a
terminal that is closed end it as the first one does. And what surrounds a run in which networks compute."""

from __future__ import annotations

import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from iqa_cli.cli.context import Environment
from iqa_cli.errors import ExitCode


@contextmanager
def second_interrupt_exits() -> Iterator[None]:
    """Within it, a second SIGINT ends the process without waiting for anything, and SIGTERM and SIGHUP are as
    a first one: the rows of hours stand under their name, and no half a file is left beside it.

    Python raises KeyboardInterrupt only between two steps of its own: a batch in the network or a large
    picture being decoded holds it up. The wakeup descriptor is written at the moment of the signal, and a
    thread that waits there counts. The first SIGINT is left to Python. Outside of the main thread, where
    signals cannot be had, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="iqa-interrupt", daemon=True).start()
    try:
        with _endings_as_interrupts():
            yield
    finally:
        signal.set_wakeup_fd(previous)
        writer.close()


@contextmanager
def computing(env: Environment) -> Iterator[None]:
    """`second_interrupt_exits`; and what libraries warn of, which is for programmers, is shown to them."""
    with second_interrupt_exits(), warnings.catch_warnings():
        if not env.debug:
            warnings.simplefilter("ignore")
        yield


@contextmanager
def _endings_as_interrupts() -> Iterator[None]:
    """Within it, what asks a process to end is a SIGINT, unless either is ignored (`nohup`, `command &` in a
    script) or has been given another meaning."""
    ends = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        ends = []
    taken = [number for number in ends if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


def _watch(reader: socket.socket) -> None:
    seen = 0
    with reader:
        while received := reader.recv(16):
            seen += received.count(signal.SIGINT)
            if seen >= 2:
                os._exit(ExitCode.INTERRUPTED)
