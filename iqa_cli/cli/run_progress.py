"""How far a long run is: on a terminal a bar with the time left, and lines above it; elsewhere only lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from iqa_cli.cli.context import Environment
from iqa_cli.text import printable

#: What is counted in each phase that `iqa_cli.training.runlog.Progress` tells of.
_UNITS = dict.fromkeys(("decoding", "scoring", "validating", "measuring"), "pictures") | {"training": "steps"}


class RunProgress:
    """Takes lines and progress; see `run_progress`."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def note(self, line: str) -> None:
        """A line for a person."""
        self._env.note(line)

    def update(self, phase: str, done: int, total: int, text: str = "") -> None:
        """Tell how far a phase is, and a few figures."""


class _Drawn(RunProgress):
    """The same on a terminal."""

    def __init__(self, env: Environment, bar: Any) -> None:
        super().__init__(env)
        self._bar = bar
        self._task = bar.add_task("", total=None, unit="", text="", visible=False)
        self._phase = ""

    def note(self, line: str) -> None:
        self._bar.console.print(f"iqa: {printable(line)}", markup=False, soft_wrap=True)

    def update(self, phase: str, done: int, total: int, text: str = "") -> None:
        if phase != self._phase:
            # The time left is reckoned from the speed of this phase, a resumed one from where it goes on.
            unit = _UNITS.get(phase, "")
            self._bar.reset(
                self._task, total=total, completed=done, description=phase, unit=unit, text="", visible=True
            )
            self._phase = phase
        self._bar.update(self._task, completed=done, total=total, text=printable(text))


@contextmanager
def run_progress(env: Environment) -> Iterator[RunProgress]:
    """A place for lines and progress of a run; without a terminal on stderr there are only the lines."""
    if not env.shows_progress:
        yield RunProgress(env)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(
        file=env.stderr, force_terminal=True, no_color=not env.colour, width=env.columns, highlight=False
    )
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Drawn(env, bar)
