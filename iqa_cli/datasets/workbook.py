"""Excel workbooks of labels (.xlsx), read as strictly as CSV files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iqa_cli.datasets.table import Row
from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line


def read_sheet(
    path: Path, *columns: str, sheet: str | None = None, optional: Sequence[str] = ()
) -> list[Row]:
    """The rows below the header of a sheet, reduced to some columns.

    The header is the first row that has all the columns, whatever their letter case; it need not be the
    first row of the sheet, nor begin in its first column. Rows that are empty in those columns do not count.

    Args:
        path: The workbook.
        columns: Names of the columns.
        sheet: Name of the sheet; the first one by default.
        optional: Columns that are taken where the header has them.

    Returns:
        Rows with a cell for every column: text as it stands, numbers as text, whole ones without a point.

    Raises:
        DatasetError: The file is no readable workbook, lacks the sheet or the columns, or has no row.
    """
    shown = one_line(path)
    try:
        lines = list(_lines(path, sheet))
    except DatasetError:
        raise
    except Exception as error:  # whatever openpyxl, the archive, its compressions and its XML raise on damage
        reason = one_line(getattr(error, "strerror", None) or "it is no workbook, or a damaged one")
        raise DatasetError(f"cannot read '{shown}': {reason}") from None
    wanted = [column.lower() for column in columns]
    places: list[int] = []
    rows = []
    for number, cells in enumerate(lines, 1):
        if not places:
            header = [cell.lower() for cell in cells]
            if all(column in header for column in wanted):
                columns = (*columns, *(name for name in optional if name.lower() in header))
                places = [header.index(name.lower()) for name in columns]
            continue
        found = [cells[place] if place < len(cells) else "" for place in places]
        if any(found[: len(wanted)]):
            rows.append(Row(f"{shown}, row {number}", dict(zip(columns, found, strict=True))))
    if not places:
        raise DatasetError(f"{shown}: no row names the columns {', '.join(columns)}")
    if not rows:
        raise DatasetError(f"{shown}: no rows")
    return rows


def _lines(path: Path, sheet: str | None) -> Iterator[list[str]]:
    import openpyxl

    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that openpyxl does not know
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            names = ", ".join(book.sheetnames)
            raise DatasetError(f"{one_line(path)}: has no sheet {sheet!r}", hint=f"sheets: {one_line(names)}")
        found = book[sheet or book.sheetnames[0]]
        # The size that a workbook states of a sheet need not be true.
        found.reset_dimensions()
        for cells in found.iter_rows(values_only=True):
            yield [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    """A cell as text; Excel keeps whole numbers, such as the name 1600, as floating-point numbers."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
