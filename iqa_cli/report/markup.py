"""Pieces of HTML: text made harmless, numbers, tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from iqa_cli.text import one_line


def text(name: str) -> str:
    """Text from outside for an element or a quoted attribute: control characters are shown as escapes, the
    middle of very long names is left out."""
    return html.escape(one_line(name), quote=True)


def number(value: float | None, places: int) -> str:
    """A figure; "-" where it is not defined."""
    if value is None:
        return "-"
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0 for what rounds to -0


def score(value: float) -> str:
    """A score in units that may be any, with four significant digits."""
    return f"{value:.4g}" if abs(value) < 1000 or abs(value) >= 1e9 else f"{value:,.0f}"


def bounds(interval: tuple[float, float], places: int) -> str:
    """An interval in words."""
    return f"{number(interval[0], places)} to {number(interval[1], places)}"


def figure(
    value: float | None,
    interval: tuple[float, float] | None,
    places: int,
    ends: int,
    *,
    bold: bool = False,
) -> str:
    """A figure with its interval below."""
    shown = f"<b>{number(value, places)}</b>" if bold else number(value, places)
    return shown if interval is None else f"{shown} <small>{bounds(interval, ends)}</small>"


@dataclass(frozen=True)
class Heading:
    """A column of a table.

    Attributes:
        title: What stands at its head; HTML.
        kind: "name" to the left, "number" to the right, "wide" takes what room is left.
    """

    title: str
    kind: str = "number"


def table(caption: str, columns: Sequence[Heading], rows: Sequence[Sequence[str]], style: str) -> str:
    """A table whose first column heads its rows.

    On a narrow screen the style sheet lays rows out as blocks, at which browsers forget that this is a table;
    so each element also says what it is.

    Args:
        caption: HTML.
        columns: Heads of the columns.
        rows: HTML of the cells.
        style: Class of the table.
    """
    head = "".join(
        f'<th scope="col" role="columnheader" class="{column.kind}">{column.title}</th>' for column in columns
    )
    body = []
    for first, *others in rows:
        cells = [f'<th scope="row" role="rowheader" class="name">{first}</th>']
        for column, cell in zip(columns[1:], others, strict=True):
            cells.append(f'<td role="cell" class="{column.kind}" data-head="{column.title}">{cell}</td>')
        body.append(f'<tr role="row">{"".join(cells)}</tr>')
    return (
        f'<table role="table" class="{style}"><caption>{caption}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">{chr(10).join(body)}</tbody></table>\n'
    )
