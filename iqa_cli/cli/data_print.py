"""What the commands of `iqa data` print: rows, JSON, and progress on stderr as pictures are gone through."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.output import write
from iqa_cli.cli.progress import Progress
from iqa_cli.text import printable


def print_json(env: Environment, value: Any) -> None:
    """Print a value as JSON in ASCII: whatever a file is called, it is one that every program reads."""
    _write(env, json.dumps(value, indent=2, allow_nan=False) + "\n")


def print_tsv(env: Environment, rows: Sequence[Sequence[str]]) -> None:
    """Print tab-separated rows without a heading."""
    _write(env, "".join("\t".join(map(printable, row)) + "\n" for row in rows))


def print_lines(env: Environment, lines: Sequence[str]) -> None:
    """Print lines of text, each made harmless for a terminal."""
    _write(env, "".join(printable(line) + "\n" for line in lines))


def print_table(
    env: Environment,
    heading: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str] = (),
    place: str | None = None,
) -> None:
    """Print columns under a heading for a person, or put them into a file; those named in `right` are
    numbers.

    The last column is cut nowhere: it goes over the edge where the terminal is narrow.
    """
    from rich.console import Console
    from rich.text import Text

    texts = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(heading), *texts]) for column in range(len(heading))]
    text = io.StringIO()
    coloured = env.colour and env.stdout_is_terminal and not env.dumb and place in (None, "-")
    console = Console(
        file=text,
        force_terminal=coloured,
        no_color=not coloured,
        color_system="standard" if coloured else None,
        width=env.columns,
        highlight=False,
        legacy_windows=False,
    )
    for number, row in enumerate([list(heading), *texts]):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(heading, row, widths, strict=True)
        ]
        # Text, not markup: a folder may be called "[red]".
        console.print(Text("  ".join(cells).rstrip(), style="" if number else "bold"), soft_wrap=True)
    _write(env, text.getvalue(), place)


@contextmanager
def progress_on(env: Environment, total: int, noun: str = "picture") -> Iterator[Callable[[], None]]:
    """A line on stderr that counts to `total`; gives the function to call for each one done."""
    progress = Progress(env, total)
    progress.begin()

    def advance() -> None:
        progress.advance()
        progress.show()

    try:
        progress.show()
        yield advance
    finally:
        progress.erase()


def _write(env: Environment, text: str, place: str | None = None) -> None:
    encoding = env.stdout_encoding if place in (None, "-") else "utf-8"
    write(env, place, text.encode(encoding, "backslashreplace"))
