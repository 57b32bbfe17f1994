"""How much of what is missing lies between the subsets of BIQ2021, and whether the pictures show it.

python -m benchmarks.subset_lines SCORES.jsonl --root BIQ2021/ [--part val] [--wanted 0.94 0.47 0.80]
python -m benchmarks.subset_lines SCORES.jsonl --root BIQ2021/ --part calib --keep lite0.npz

The file holds the rows of `iqa score --format jsonl` over the pictures of the part. The first table has, of
each subset, SRCC, the mean of score less opinion, and the slope of the opinions over the scores. Below it is
the pooled SRCC as it is; if each subset's scores were brought to its opinions by a line of its own (fitted to
these very opinions, which no scorer knows); and if in each subset so much of the opinions were mixed into the
scores that its SRCC is `--wanted`. With `--keep` (as in `benchmarks.learning_curve`) it is then tried to see
the subset: a multinomial logistic regression on frozen features of an EfficientNet-Lite0, fitted to the part
train, names it; each picture gets a line mixed by these probabilities, its numbers fitted in ten folds of
whole groups of the part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch.nn.functional import cross_entropy

from benchmarks.blends import raw_of
from benchmarks.frozen_features import Array
from benchmarks.learning_curve import kept_features
from iqa_cli.datasets.registry import read_database

FOLDS = 10
#: Of the squared weights of the logistic regression.
PENALTY = 1e-2


def srcc(scores: Array, wanted: Array) -> float:
    """Spearman's rank correlation."""
    return float(stats.spearmanr(scores, wanted).statistic)


def mixed(scores: Array, wanted: Array, asked: float) -> Array:
    """Scores with so much of the opinions in them that their SRCC is what is asked; as they are where it is
    already."""
    low, high = 0.0, 1.0
    if srcc(scores, wanted) >= asked:
        return scores
    for _ in range(30):
        share = (low + high) / 2
        low, high = (
            (low, share) if srcc(scores + share * (wanted - scores), wanted) >= asked else (share, high)
        )
    return scores + high * (wanted - scores)


def named(train: Array, kinds: Array, other: Array) -> Array:
    """Probabilities [n, K] of the kinds of other pictures, by a logistic regression on features."""
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    seen, new = (
        torch.tensor(np.clip((f - mean) / deviation, -6, 6), dtype=torch.float32) for f in (train, other)
    )
    count = int(kinds.max()) + 1
    weight = torch.zeros(seen.shape[1], count, requires_grad=True)
    bias = torch.zeros(count, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = cross_entropy(seen @ weight + bias, torch.tensor(kinds)) + PENALTY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return np.asarray((new @ weight + bias).softmax(1).double().numpy())


def by_lines(scores: Array, shares: Array, wanted: Array, groups: Array) -> Array:
    """Scores after a line mixed of one for each kind; its numbers are fitted without the picture's fold."""
    terms = np.concatenate([shares, shares * scores[:, None]], 1)
    folds = np.random.default_rng(0).integers(FOLDS, size=int(groups.max()) + 1)[groups]
    found = np.zeros(len(scores))
    for fold in range(FOLDS):
        there = folds == fold
        found[there] = terms[there] @ np.linalg.lstsq(terms[~there], wanted[~there], rcond=None)[0]
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--part", default="val")
    parser.add_argument("--wanted", type=float, nargs=3, default=[0.94, 0.47, 0.80])
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    database = read_database("biq2021", given.root)
    records = list(database.part(given.part))
    _, raw = raw_of(given.scores, [Path(record.path).name for record in records])
    scores, wanted = 100 * raw, 100 * np.array([record.mos for record in records])
    subsets = sorted({record.subset for record in records})
    kinds = np.array([subsets.index(record.subset) for record in records])
    lines, asked = scores.copy(), scores.copy()
    print("| subset | pictures | SRCC | score less opinion | slope |\n|---|--:|--:|--:|--:|")
    for kind, name in enumerate(subsets):
        there = kinds == kind
        slope, start = np.polyfit(scores[there], wanted[there], 1)
        lines[there] = slope * scores[there] + start
        asked[there] = mixed(scores[there], wanted[there], given.wanted[kind])
        off, own = (scores - wanted)[there].mean(), srcc(scores[there], wanted[there])
        print(f"| {name} | {there.sum()} | {own:.3f} | {off:+.1f} | {slope:.2f} |")
    print(f"\npooled: {srcc(scores, wanted):.4f}; a line for each subset: {srcc(lines, wanted):.4f}")
    print(f"each subset at {', '.join(map(str, given.wanted))}: {srcc(asked, wanted):.4f}")
    if not given.keep:
        return
    train = list(database.part("train"))
    kept = kept_features(given.keep, "lite0", {"train": train, given.part: records})
    known = np.array([subsets.index(record.subset) for record in train])
    shares = named(kept["train"], known, kept[given.part])
    right = shares.argmax(1) == kinds
    each = ", ".join(f"{right[kinds == kind].mean():.2f} of {name}" for kind, name in enumerate(subsets))
    groups = np.unique([record.group for record in records], return_inverse=True)[1]
    seen = srcc(by_lines(scores, shares, wanted, groups), wanted)
    print(f"seen in the picture: {right.mean():.2f} named rightly ({each}); lines by it: {seen:.4f}")


if __name__ == "__main__":
    main()
