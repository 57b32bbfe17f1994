"""One line of progress on stderr, overwritten in place; drawn only where stderr is a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iqa_cli.cli.context import Environment
from iqa_cli.text import count

_ERASE = "\r\x1b[K"
_EVERY_SECONDS = 0.1


class Progress:
    """How far a run is. Rows of a table go to the same terminal, so it is erased before each of them.

    Args:
        env: Where stderr is, and whether it may be drawn on.
        total: Number of pictures; None where a list is still being read.
    """

    def __init__(self, env: Environment, total: int | None) -> None:
        self._env = env
        self._total = total
        self._shown = False
        self._done = 0
        self._drawn_at = float("-inf")
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Show a word on what is going on before the first picture."""
        self._draw(text)

    def begin(self) -> None:
        """The clock starts: from now on, time is spent on pictures."""
        self._started = time.monotonic()

    def advance(self) -> None:
        """One picture more."""
        self._done += 1

    def show(self) -> None:
        """Draw, unless it was drawn a moment ago and still stands."""
        now = time.monotonic()
        if self._shown and now - self._drawn_at < _EVERY_SECONDS:
            return
        self._drawn_at = now
        self._draw(self._line(now - self._started))

    def erase(self) -> None:
        """Leave the line empty for something else."""
        if self._shown:
            self._write(_ERASE)
            self._shown = False

    def _line(self, seconds: float) -> str:
        if self._total is None:
            text = count(self._done, "picture")
        else:
            text = f"{self._done:,} of {count(self._total, 'picture')}"
        if self._done and seconds > 0:
            rate = self._done / seconds
            text += f", {rate:.1f} a second" if rate >= 1 else f", {1 / rate:.1f} s each"
            if self._total is not None and self._done < self._total:
                text += f", {_clock(seconds / self._done * (self._total - self._done))} left"
        return text

    def _draw(self, text: str) -> None:
        if self._env.shows_progress:
            self._write(f"{_ERASE}{text[: max(10, self._env.columns - 1)]}")
            self._shown = True

    def _write(self, text: str) -> None:
        try:
            self._env.stderr.write(text)
            self._env.stderr.flush()
        except (OSError, ValueError):
            self._shown = False


@contextmanager
def counted(env: Environment, total: int, verb: str = "scored") -> Iterator[Callable[[], None]]:
    """Progress of what measures only when all is done: an interrupt says how far it came, and that nothing
    is measured.

    Args:
        env: As of `Progress`.
        total: Number of pictures.
        verb: What is done to them.

    Yields:
        What is to be called after each picture.
    """
    progress = Progress(env, total)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress.advance()
        progress.show()

    progress.begin()
    try:
        yield advance
    except KeyboardInterrupt:
        progress.erase()
        env.note(f"interrupted; {done:,} of {count(total, 'picture')} {verb}, nothing is measured")
        raise
    finally:
        progress.erase()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
