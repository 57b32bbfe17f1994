"""The figures of several splits: a row for each, and their median and spread. Imports no torch."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Figures of a row, in the order of columns; those of the logistic fit are fitted on the part measured.
FIGURES = ("srcc", "krcc", "plcc", "plcc_fitted", "rmse")
_TITLES = {"srcc": "SRCC", "krcc": "KRCC", "plcc": "PLCC", "plcc_fitted": "fitted", "rmse": "RMSE"}


@dataclass(frozen=True)
class SplitResult:
    """One split of one database.

    Attributes:
        number: From 0.
        seed: What it was drawn and trained with.
        database: Its name.
        pictures: Part -> number of its pictures.
        figures: Of the test part: those of `FIGURES`, None where one is not defined. RMSE in points.
        seen: Pictures of the test part that a weight was trained on from which the run starts; None where
            there is no such weight, or what it was trained on is not known.
    """

    number: int
    seed: int
    database: str
    pictures: dict[str, int]
    figures: dict[str, float | None]
    seen: int | None = None


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Median, sample standard deviation (None of a single value), least and greatest, and how many; None
    throughout of no value."""
    if not values:
        return {"median": None, "std": None, "min": None, "max": None, "n": 0}
    return {
        "median": statistics.median(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "min": min(values),
        "max": max(values),
        "n": len(values),
    }


def summarise(results: Sequence[SplitResult]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Database -> figure -> its `spread` over the splits in which it is defined."""
    found = {}
    for name in dict.fromkeys(result.database for result in results):
        rows = [result.figures for result in results if result.database == name]
        found[name] = {key: spread([v for row in rows if (v := row[key]) is not None]) for key in FIGURES}
    return found


def summary_csv(results: Sequence[SplitResult]) -> str:
    """A header and a row for each split and database; a figure that is not defined is an empty cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["split", "seed", "database", "fit", "choose", "test", *FIGURES, "seen"])
    for result in results:
        sizes = [result.pictures[part] for part in ("train", "calib", "test")]
        figures = [result.figures[key] for key in FIGURES]
        writer.writerow([result.number, result.seed, result.database, *sizes, *figures, result.seen])
    return stream.getvalue()


def summary_json(shares: Mapping[str, float], results: Sequence[SplitResult]) -> str:
    """The shares, the rows, and the median and spread of each figure."""
    rows = [
        {
            "split": r.number,
            "seed": r.seed,
            "database": r.database,
            "pictures": r.pictures,
            **r.figures,
            "seen": r.seen,
        }
        for r in results
    ]
    content = {"shares": dict(shares), "splits": rows, "summary": summarise(results)}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def summary_table(results: Sequence[SplitResult]) -> str:
    """Aligned columns: a row for each split and database, then median, standard deviation and extremes.

    Where a figure is not defined in some splits, a row "splits" says in how many it is. Where it is known
    what a start was trained on, a column "seen" says how many of the pictures measured on are among it.
    """
    header = ["split", "seed", "database", "n", *(_TITLES[key] for key in FIGURES)]
    lines = [
        [str(r.number), str(r.seed), r.database, str(r.pictures["test"]), *_cells(r.figures)] for r in results
    ]
    if any(r.seen is not None for r in results):
        header.append("seen")
        for line, r in zip(lines, results, strict=True):
            line.append("-" if r.seen is None else str(r.seen))
    for name, figures in summarise(results).items():
        for word in ("median", "std", "min", "max"):
            row = {key: figures[key][word] for key in FIGURES}
            lines.append([word, "", name, "", *_cells(row)])
        counts = [str(figures[key]["n"]) for key in FIGURES]
        if set(counts) != {str(sum(r.database == name for r in results))}:
            lines.append(["splits", "", name, "", *counts])
    for line in lines:
        line += [""] * (len(header) - len(line))
    widths = [max(len(line[column]) for line in (header, *lines)) for column in range(len(header))]
    shown = []
    for line in (header, *lines):
        cells = [
            f"{cell:<{width}}" if column in (0, 2) else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown) + "\n"


def _cells(figures: Mapping[str, float | int | None]) -> list[str]:
    shown = []
    for key in FIGURES:
        value = figures[key]
        shown.append("-" if value is None else f"{value:.2f}" if key == "rmse" else f"{value:.4f}")
    return shown
