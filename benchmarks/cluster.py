"""`iqa score --engine ray` on this machine against one process: prints a Markdown table.

    python -m benchmarks.cluster [--blocks 10] [--model qfm-iqm] [--workers 2] [--mean]

Needs the extra `ray`. The pictures are those of `examples/`, again and again. Seconds are those of the
processor, of all processes together, so that other work on the machine counts less. "to the first row" is
what a run costs once: imports, the cluster, the weight in each worker. "each" is measured between two rows in
the middle, at both of which every worker has a block in hand; "driver" is the part of it that the process
takes which hands paths out and collects rows: the only one there is but once, however large the cluster.
`--mean` takes the mean of a crop for a network, so that what is left is the engine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from iqa_cli.finding import find_weights
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.engines_ray import BLOCK, ScoringActor, score_by_ray
from iqa_cli.scoring.scorer import load_many
from tests.scoring.fakescorers import FakeScorer, group_of

_TICK = os.sysconf("SC_CLK_TCK")


class MeanActor(ScoringActor):
    """Scores by the mean of the crops."""

    def _load(self, weights: Any, load: dict[str, Any]) -> Any:
        return group_of(FakeScorer())


def spent(process: int) -> float:
    """Seconds of the processor of a process, its children that have ended, and those that have not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        threads = Path(f"/proc/{process}/task").iterdir()
        children = [int(child) for task in threads for child in (task / "children").read_text().split()]
    except OSError:  # it has ended meanwhile
        return 0.0
    return sum(map(int, stat[11:15])) / _TICK + sum(map(spent, children))


def measure(what: str, records: Iterator[Prediction], rows: range, before: float, started: float) -> None:
    """Take records, and print the line; before the last one, with which the workers would go."""
    marks = []
    for number, record in zip(range(rows.stop + 1), records, strict=False):
        assert record.score is not None
        if number in (0, rows.start, rows.stop):
            marks.append((spent(os.getpid()), time.process_time(), time.perf_counter()))
    (first, _, arrived), begin, end = marks
    each, driver, wall = (1000 * (b - a) / len(rows) for a, b in zip(begin, end, strict=True))
    print(
        f"| {what} | {first - before:.1f} | {arrived - started:.0f} | {len(rows)} | {each:.1f} |"
        f" {driver:.2f} | {wall:.1f} |",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--model", default="qfm-iqm")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mean", action="store_true")
    options = parser.parse_args()
    weight = find_weights(options.model)
    photographs = sorted(Path("examples").resolve().glob("*.jpg"))
    paths = [str(path) for path in islice(cycle(photographs), BLOCK * options.blocks)]
    rows = range(BLOCK * options.workers, BLOCK * (options.blocks - options.workers))
    print("| what | to the first row, s | wall, s | rows | each, ms | driver, ms | wall, ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    before, started = spent(os.getpid()), time.perf_counter()
    group = group_of(FakeScorer()) if options.mean else load_many([weight], threads=1)
    measure("one process", group.score_many(paths), rows, before, started)
    del group
    before, started = spent(os.getpid()), time.perf_counter()
    actor = MeanActor if options.mean else ScoringActor
    records = score_by_ray(paths, [weight], workers=options.workers, actor=actor)
    measure(f"ray, {options.workers} workers", records, rows, before, started)


if __name__ == "__main__":
    main()
