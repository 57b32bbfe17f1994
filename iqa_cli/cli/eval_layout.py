"""Tables of `iqa eval` laid out: aligned for a person at a terminal or for a file, or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iqa_cli.cli.eval_columns import markdown
from iqa_cli.text import printable

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
#: What stands behind a figure where nothing can be bold.
STAR = "*"


@dataclass
class Block:
    """A table with its title and notes.

    Attributes:
        title: One line above.
        cells: Rows of the same length, the first of which is the header. Names are made harmless when shown.
        notes: Lines below.
        bold: (row, column) of cells that are bold, the header being row 0.
        left: So many columns are aligned to the left.
    """

    title: str
    cells: list[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)
    bold: set[tuple[int, int]] = field(default_factory=set)
    left: int = 1


def as_text(blocks: Sequence[Block], *, colour: bool) -> str:
    """Aligned columns; bold by escape codes where a terminal has colours, else by a star."""
    return "\n".join("\n".join(_lines(block, colour)) + "\n" for block in blocks)


def as_markdown(blocks: Sequence[Block]) -> str:
    """Tables of Markdown between paragraphs."""
    pieces = []
    for block in blocks:
        rows = [
            tuple(f"**{cell}**" if (y, x) in block.bold else cell for x, cell in enumerate(row))
            for y, row in enumerate(_harmless(block))
        ]
        lines = [printable(block.title), "", *markdown(rows, block.left)]
        for note in block.notes:
            lines += ["", printable(note)]
        pieces.append("\n".join(map(_escaped, lines)) + "\n")
    return "\n".join(pieces)


def _lines(block: Block, colour: bool) -> list[str]:
    cells = _harmless(block)
    starred = {x for _, x in block.bold} if not colour else set()
    # A star stands in a place of its own, so that the digits of a column stay below each other.
    cells = [
        tuple(
            cell + (STAR if (y, x) in block.bold else " ") if x in starred else cell
            for x, cell in enumerate(row)
        )
        for y, row in enumerate(cells)
    ]
    widths = [max(len(row[x]) for row in cells) for x in range(len(cells[0]))]
    lines = [printable(block.title)]
    for y, row in enumerate(cells):
        padded = []
        for x, (cell, width) in enumerate(zip(row, widths, strict=True)):
            text = f"{cell:<{width}}" if x < block.left else f"{cell:>{width}}"
            padded.append(f"{_BOLD}{text}{_PLAIN}" if colour and (y, x) in block.bold else text)
        lines.append("  ".join(padded).rstrip())
    return lines + [printable(note) for note in block.notes]


def _harmless(block: Block) -> list[tuple[str, ...]]:
    return [tuple(printable(cell) for cell in row) for row in block.cells]


def _escaped(line: str) -> str:
    return line.replace("<", "&lt;")
