"""What the mean of several weights' scores would be worth, and of a kernel ridge on frozen features too.

python -m benchmarks.blends --root BIQ2021/ SCORES.jsonl SCORES.jsonl ... [--keep FILE.npz]

Each file holds the rows of `iqa score --format jsonl` of one weight over the pictures of the part calib. The
kernel ridge is that of `benchmarks.learning_curve`, fitted to all of the part train (an EfficientNet-Lite0 of
ImageNet, whole pictures); `--keep` holds its features, as there. The table has SRCC on calib of every mean of
raw scores, of all with equal shares and of each weight with shares of the ridge, and the difference to
the first file, with 95 % intervals by a bootstrap of whole groups.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.crop_choice import difference
from benchmarks.frozen_features import Array, predicted
from benchmarks.learning_curve import folds_of, in_groups, kept_features
from iqa_cli.datasets.registry import read_database

SHARES = (0.1, 0.2, 0.3, 0.5)
RIDGE = "kernel ridge"


def raw_of(file: Path, names: list[str]) -> tuple[str, Array]:
    """The name of a weight, and what it said of pictures of these names, MOS in 0 to 1."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    said = {Path(row["path"]).name: row["raw"] for row in rows}
    return str(rows[0]["model"]), np.array([said[name] for name in names])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scores", nargs="+", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    database = read_database("biq2021", given.root)
    train, calib = in_groups(database.part("train")), list(database.part("calib"))
    said = dict(raw_of(file, [Path(record.path).name for record in calib]) for file in given.scores)
    kept = kept_features(given.keep, "lite0", {"train": train, "calib": calib})
    _, folds = folds_of(train)
    ridge = predicted(kept["train"], np.array([record.mos for record in train]), folds, kept["calib"])
    wanted = np.array([record.mos for record in calib])
    groups = np.unique([record.group for record in calib], return_inverse=True)[1]
    subsets = np.array([record.subset for record in calib])
    tried = {RIDGE: ridge, **said}
    for number in range(2, len(said) + 1):
        tried |= {
            ", ".join(some): np.mean([said[n] for n in some], axis=0) for some in combinations(said, number)
        }
    for name, values in said.items():
        tried |= {f"{name}, {share:g} of the ridge": (1 - share) * values + share * ridge for share in SHARES}
    tried[f"all, and the {RIDGE}"] = np.mean([*said.values(), ridge], axis=0)
    first = next(iter(said.values()))
    parts = sorted(set(subsets))
    print(f"| mean of | SRCC on calib | {' | '.join(parts)} | less {next(iter(said))} | 95 % |")
    print("|---|" + "--:|" * (3 + len(parts)))
    for name, values in tried.items():
        srcc = float(stats.spearmanr(values, wanted).statistic)
        each = [stats.spearmanr(values[subsets == p], wanted[subsets == p]).statistic for p in parts]
        low, high = difference(values, first, wanted, groups)
        less = srcc - float(stats.spearmanr(first, wanted).statistic)
        cells = [
            name,
            f"{srcc:.4f}",
            *(f"{e:.3f}" for e in each),
            f"{less:+.4f}",
            f"{low:+.4f} to {high:+.4f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
