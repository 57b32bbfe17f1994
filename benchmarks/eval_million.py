"""Seconds and memory of `iqa eval` on a million scores, and of a comparison of two scorers.

    python -m benchmarks.eval_million [--pictures 1000000] [--groups 250000]

The whole command, a fresh process, on a folder with `labels.csv` and no pictures: one file of scores, then
two of them, which are compared. All is made up: opinions with two decimals, as databases print them, and
scorers whose mistakes are shared within groups. Memory is the greatest resident size of the process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.score_sizes import CHILD


def make(folder: Path, pictures: int, groups: int) -> list[Path]:
    """`labels.csv`, and the scores of two scorers of which the second is a little worse."""
    rng = np.random.default_rng(0)
    group = np.arange(pictures) % groups
    opinions = np.round(np.clip(rng.normal(55, 18, pictures), 0, 100), 2)
    with (folder / "labels.csv").open("w", encoding="ascii") as file:
        file.write("image,mos,group,sd\n")
        for i in range(pictures):
            file.write(f"d/{i}.jpg,{opinions[i]:.2f},g{group[i]},12\n")
    files = []
    for name, noise in (("first", 10.0), ("second", 10.2)):
        scores = opinions + rng.normal(0, noise, pictures) + rng.normal(0, 5, groups)[group]
        files.append(folder / f"{name}.csv")
        with files[-1].open("w", encoding="ascii") as file:
            file.write("path,score\n")
            file.writelines(f"d/{i}.jpg,{score:.4f}\n" for i, score in enumerate(scores))
    return files


def measure(folder: Path, options: list[str]) -> tuple[str, float, float, float]:
    """What `iqa eval` prints, its seconds, those of the processor, and its peak in MiB."""
    command = [sys.executable, "-c", CHILD, "eval", "--dataset", "csv", "--root", str(folder)]
    started, before = time.perf_counter(), _busy()
    done = subprocess.run(
        [*command, "--range", "0", "100", *options],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    wall = time.perf_counter() - started
    return done.stdout, wall, _busy() - before, int(done.stderr.split()[-1]) / 1024


def _busy() -> float:
    """Seconds of processor that child processes have taken so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Make, measure, and print what each run took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, default=250_000)
    chosen = parser.parse_args()
    lines = ["| what | s | s of processor | peak, MiB |", "| --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, second = (["--scores", str(file)] for file in make(folder, chosen.pictures, chosen.groups))
        for what, options in {
            "one scorer": first,
            "two scorers, compared": [*first, *second],
        }.items():
            printed, wall, busy, peak = measure(folder, options)
            print(printed)
            lines.append(f"| {what} | {wall:.0f} | {busy:.0f} | {peak:.0f} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
