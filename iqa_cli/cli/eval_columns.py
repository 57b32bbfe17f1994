"""Rows of figures as a table for a person, as Markdown, or as CSV: what `iqa eval --exploration` and
`--stability` print. JSON is left to them, since each has a structure of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from iqa_cli.spreadsheet import text_cell
from iqa_cli.text import printable


def aligned(cells: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Lines with columns of equal widths; the first row is the header.

    Args:
        cells: Rows of the same length, names made harmless already.
        left: So many columns are aligned to the left, all others to the right.
    """
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        padded = [
            f"{cell:<{width}}" if column < left else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def markdown(cells: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of a Markdown table; the first row is the header."""
    header, *rows = cells
    rule = [":--" if column < left else "--:" for column in range(len(header))]
    return [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (header, rule, *rows)
    ]


def csv_text(keys: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A header and rows; None is an empty cell, a float has its shortest exact form."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([[_csv_cell(cell) for cell in row] for row in rows])
    return text.getvalue()


def _csv_cell(cell: object) -> object:
    return text_cell(cell) if isinstance(cell, str) else "" if cell is None else cell


def number(value: float | None, places: int) -> str:
    """A figure; "-" where it is not defined."""
    if value is None:
        return "-"
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0 for what rounds to -0


def interval(bounds: tuple[float, float] | None, places: int) -> str:
    """An interval; "-" where there is none."""
    return "-" if bounds is None else f"{bounds[0]:.{places}f} to {bounds[1]:.{places}f}"


def page(title: str, lines: Sequence[str], notes: Sequence[str] = ()) -> bytes:
    """A title, a table and notes below it, each on lines of their own and harmless for a terminal."""
    return ("\n".join(printable(line) for line in (title, *lines, *notes)) + "\n").encode()
