"""Seconds and memory of all figures and intervals of a million scores, and of a comparison of two scorers.

python benchmarks/eval_million.py [--pictures 1000000] [--groups 250000]

The scores are made up: opinions with two decimals, as databases print them, and two scorers whose mistakes
are shared within groups. Memory is the greatest resident size of the whole process, with NumPy and SciPy.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from iqa_cli.evaluation.measure import Figures, measure
from iqa_cli.evaluation.part import Column, Part
from iqa_cli.evaluation.resample import FIGURES
from iqa_cli.evaluation.significance import compare


def made(pictures: int, groups: int) -> tuple[Part, list[Column]]:
    """A part, and two scorers of which the second is a little worse."""
    rng = np.random.default_rng(0)
    group = np.arange(pictures) % groups
    opinions = np.round(np.clip(rng.normal(55, 18, pictures), 0, 100), 2).astype(np.float64)
    part = Part(
        "made",
        "all",
        "0" * 16,
        tuple(f"{i}.png" for i in range(pictures)),
        opinions,
        group,
        {"level": [str(i % 5 + 1) for i in range(pictures)]},
        np.full(pictures, 12.0),
    )
    columns = []
    for name, noise in (("first", 10.0), ("second", 10.2)):
        mistakes = rng.normal(0, noise, pictures) + rng.normal(0, 5, groups)[group]
        columns.append(Column(name, opinions + mistakes))
    return part, columns


def line(row: Figures) -> str:
    """The figures of a row with their intervals."""
    cells = []
    for name in FIGURES:
        low, high = getattr(row, f"{name}_ci")
        cells.append(f"{name} {getattr(row, name):.4f} ({low:.4f} to {high:.4f})")
    return f"{row.row}: n {row.n_used:,} in {row.n_groups:,} groups, {row.interval_method}; " + ", ".join(
        cells
    )


def megabytes() -> float:
    """The greatest resident size so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main() -> None:
    """Measure, compare, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, default=250_000)
    chosen = parser.parse_args()
    part, columns = made(chosen.pictures, chosen.groups)
    rows = [("the scores themselves", 0.0, 0.0, megabytes())]

    def timed(what: str, started: tuple[float, float]) -> None:
        wall, busy = time.perf_counter() - started[0], time.process_time() - started[1]
        rows.append((what, wall, busy, megabytes()))

    started = time.perf_counter(), time.process_time()
    whole = measure(part, columns[0], by=()).whole
    timed("all figures and intervals", started)
    started = time.perf_counter(), time.process_time()
    by_level = measure(part, columns[0], by=("level",)).rows["level"]
    timed("the same with five rows by level", started)
    started = time.perf_counter(), time.process_time()
    [found] = compare(part, columns)
    timed("comparison of two scorers", started)
    for row in (whole, *by_level):
        print(line(row))
    print(f"difference of the SRCC: {found.difference:.5f}, interval {found.interval}, p {found.p:.2g}")
    print("| what | s | s of processor | peak, MiB |\n| --- | --- | --- | --- |")
    for what, wall, busy, peak in rows:
        print(f"| {what} | {wall:.1f} | {busy:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
