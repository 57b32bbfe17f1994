"""Whether the middle of a photograph says more of its opinion than the whole of it: SRCC of both, by subset.

python -m benchmarks.middles --root BIQ2021/ [--model qfm-iqm] [--part val] [--side 384]

The labels of train and calib of the given copy belong to pictures of 512 pixels, of which only the middle 384
(`ss03` of train: 320) is there; pictures of val are whole. Each picture is scored as it is, and its middle by
itself. 95 % intervals by a bootstrap of whole groups.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from iqa_cli import load
from iqa_cli.datasets.registry import read_database
from iqa_cli.evaluation.bootstrap import intervals
from iqa_cli.evaluation.resample import Sample
from iqa_cli.training.pictures import decode


def middle(pixels: np.ndarray, side: int) -> np.ndarray:
    """The middle of a picture, at most `side` pixels high and wide."""
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--model", default="qfm-iqm")
    parser.add_argument("--part", default="val")
    parser.add_argument("--side", type=int, default=384)
    given = parser.parse_args()
    records = read_database("biq2021", given.root).part(given.part)
    scorer = load(given.model)
    whole, cut = [], []
    for record in records:
        pixels = decode(record.path)
        whole.append(scorer.score(pixels).raw)
        cut.append(scorer.score(middle(pixels, given.side)).raw)
    mos = np.array([record.mos for record in records])
    subset = np.array([record.subset for record in records])
    group = np.unique([record.group for record in records], return_inverse=True)[1]
    seen = {"whole": np.array(whole), "middle": np.array(cut)}
    seen["mean of both"] = (seen["whole"] + seen["middle"]) / 2
    names = sorted(set(subset.tolist()))
    print(f"| {given.model} sees | SRCC on {given.part} | 95 % | {' | '.join(names)} |")
    print("|---|--:|--:|" + "--:|" * len(names))
    for what, scores in seen.items():
        srcc = float(stats.spearmanr(scores, mos).statistic)
        low, high = intervals(Sample(scores, mos, group), {"srcc": srcc})["srcc"]
        each = [float(stats.spearmanr(scores[subset == n], mos[subset == n]).statistic) for n in names]
        print(f"| {what} | {srcc:.4f} | {low:.3f} to {high:.3f} | {' | '.join(f'{v:.4f}' for v in each)} |")


if __name__ == "__main__":
    main()
