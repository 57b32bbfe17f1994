"""CSV and text files of labels, read strictly: what is damaged is told by file and line, and nothing is
guessed."""

from __future__ import annotations

import contextlib
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line, reason_of


@dataclass(frozen=True)
class Row:
    """One row: its place for messages ("labels.csv, line 7"), and a cell, stripped, for every column."""

    place: str
    cells: dict[str, str]

    def picture(self, column: str) -> str:
        """The name of a picture.

        Raises:
            DatasetError: The cell is empty or cannot be a name of a file.
        """
        name = self.cells[column]
        if not name or "\0" in name:
            raise DatasetError(f"{self.place}: {'names no picture' if not name else 'the name is damaged'}")
        return name

    def number(self, column: str) -> float:
        """A finite number.

        Raises:
            DatasetError: The cell holds none.
        """
        text = self.cells[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DatasetError(f"{self.place}: {one_line(text)!r} is no number")
        return value

    def number_if_any(self, column: str) -> float | None:
        """A finite number; None where there is no such column or the cell is empty.

        Raises:
            DatasetError: The cell holds something else.
        """
        return self.number(column) if self.cells.get(column) else None

    def whole(self, column: str) -> int:
        """A whole number.

        Raises:
            DatasetError: The cell holds none.
        """
        value = self.number(column)
        if value != int(value):
            raise DatasetError(f"{self.place}: the {column} {value:g} is no whole number")
        return int(value)


def read_table(path: Path) -> tuple[list[str], list[Row]]:
    """The header and the rows of a CSV file in UTF-8, with or without a byte order mark; blank lines do not
    count.

    Raises:
        DatasetError: The file cannot be read or is not UTF-8; there is no row; a column is named twice, or a
            row is shorter or longer than the header.
    """
    name = one_line(path)
    with _opened(path) as file:
        reader = csv.reader(file)
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    if len(lines) < 2:
        raise DatasetError(f"{name}: no rows")
    header = [cell.strip() for cell in lines[0][1]]
    for column in header:
        if column and header.count(column) > 1:
            raise DatasetError(f"{name}: has two columns {one_line(column)!r}")
    rows = []
    for line, cells in lines[1:]:
        place = f"{name}, line {line}"
        if len(cells) != len(header):
            hint = "a comma inside a cell needs quotes around it" if len(cells) > len(header) else None
            raise DatasetError(f"{place}: has {len(cells)} cells for {len(header)} columns", hint=hint)
        rows.append(Row(place, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    return header, rows


def read_words(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a text file in UTF-8 without a header, whose cells are parted by blanks; blank lines do
    not count.

    Raises:
        DatasetError: The file cannot be read or is not UTF-8; there is no row, or one has not as many cells
            as there are `columns`.
    """
    name = one_line(path)
    with _opened(path) as file:
        lines = [(number, line.split()) for number, line in enumerate(file, 1) if line.strip()]
    if not lines:
        raise DatasetError(f"{name}: no rows")
    rows = []
    for number, cells in lines:
        place = f"{name}, line {number}"
        if len(cells) != len(columns):
            raise DatasetError(f"{place}: has {len(cells)} cells, expected {' and '.join(columns)}")
        rows.append(Row(place, dict(zip(columns, cells, strict=True))))
    return rows


def read_columns(path: Path, *columns: str, optional: Sequence[str] = ()) -> list[Row]:
    """The rows of a CSV file, reduced to some columns, which are found whatever their letter case.

    Args:
        path: The file.
        columns: Those that must be there.
        optional: Those that are taken where they are there.

    Returns:
        The rows, their cells keyed by the names given here.

    Raises:
        DatasetError: A column is missing, or as `read_table`.
    """
    header, rows = read_table(path)
    keys = {column.lower(): column for column in header}
    for column in columns:
        if column.lower() not in keys:
            raise DatasetError(f"{one_line(path)}: lacks the column {column!r}, has {shown_columns(header)}")
    wanted = {column: keys[column.lower()] for column in (*columns, *optional) if column.lower() in keys}
    return [Row(row.place, {name: row.cells[key] for name, key in wanted.items()}) for row in rows]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A text file; what goes wrong while it is read ends in a DatasetError."""
    name = one_line(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except UnicodeDecodeError:
        raise DatasetError(f"{name}: is not UTF-8 text", hint="save it as text in UTF-8") from None
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"cannot read '{name}': {reason_of(error)}") from None


def shown_columns(header: Sequence[str]) -> str:
    """The names of the columns for a message."""
    return one_line(", ".join(header))


def refuse_repeated(names: Sequence[str], where: str) -> None:
    """DatasetError where a picture is listed twice: its scores would count twice, or lie on both sides of a
    split."""
    met: set[str] = set()
    for name in names:
        if name in met:
            raise DatasetError(f"{where}: {one_line(name)!r} is listed twice")
        met.add(name)
