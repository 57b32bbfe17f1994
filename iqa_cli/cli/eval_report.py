"""The figures of `iqa eval` as a table for a person or JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from iqa_cli.evaluation.measure import Figures
from iqa_cli.text import printable

_HEADER = ("", "n", "SRCC", "95 % interval", "KRCC", "PLCC", "fitted", "RMSE", "seen")


def as_values(row: Figures) -> dict[str, Any]:
    """A row as plain values; figures that are not defined are None."""
    values = asdict(row)
    del values["why_not"]
    return {"subset": values.pop("row"), **values}


def as_json(head: Mapping[str, Any], whole: Figures, subsets: Sequence[Figures]) -> str:
    """One object: the head, the figures of the part, and a list "subsets" of objects with figures."""
    values = {**head, **as_values(whole), "subsets": [as_values(row) for row in subsets]}
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def as_table(head: Mapping[str, Any], whole: Figures, subsets: Sequence[Figures]) -> str:
    """Aligned columns that read well on a terminal and in a pipe. Names are made harmless."""
    cells = [_HEADER, *(_cells(row) for row in (whole, *subsets))]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADER))]
    lines = [f"{head['model']} on {head['dataset']}, part {head['split']}"]
    for first, *others in cells:
        padded = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *padded]))
    if whole.seen:
        lines.append(
            f"{whole.seen:,} of {whole.n_used:,} pictures were met in training: these figures flatter"
        )
    return "\n".join(printable(line) for line in lines) + "\n"


def _cells(row: Figures) -> tuple[str, ...]:
    low_high = "-" if row.srcc_ci is None else f"{row.srcc_ci[0]:.3f} to {row.srcc_ci[1]:.3f}"
    return (
        printable(row.row),
        f"{row.n_used} of {row.n_total}",
        _number(row.srcc, 4),
        low_high,
        _number(row.krcc, 4),
        _number(row.plcc, 4),
        _number(row.plcc_fitted, 4),
        _number(row.rmse, 2),
        "-" if row.seen is None else str(row.seen),
    )


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"
