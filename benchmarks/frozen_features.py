"""What the frozen maps of MFE-Net's parts know of quality, read by a kernel ridge: means, or deviations too.

python -m benchmarks.frozen_features --root BIQ2021/ [--model mfenet] [--first 1500]

Of every whole picture at native scale the maps of a part (F the QEN, D the DAN, H the HFEN, G the fused) are
pooled over the positions. A kernel ridge (Gaussian, on 256 principal components) is fitted to pictures of the
part train, drawn by chance; width and penalty are chosen by five folds of whole groups of these. SRCC on
calib, with a 95 % interval by a bootstrap of whole groups. F, H and G have met the opinions of the part train
when the weight was trained, D has not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.registry import read_database
from iqa_cli.evaluation.bootstrap import intervals
from iqa_cli.evaluation.resample import Sample
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.pictures import decode
from iqa_cli.weights import load_network

Array = NDArray[np.float64]
COMPONENTS, FOLDS = 256, 5
WIDTHS, PENALTIES = (0.3, 1.0, 3.0), (0.01, 0.03, 0.1, 0.3, 1.0)


@torch.inference_mode()
def pooled(network: MFENet, records: Sequence[ImageRecord]) -> dict[str, tuple[Array, Array]]:
    """Part -> means and deviations of its maps, [n, C] each."""
    found: dict[str, list[tuple[Array, Array]]] = {}
    maps_of: dict[str, list[torch.Tensor]] = {}
    for name, part in (("D", network.dan), ("H", network.hfen)):
        if part is not None:  # kept on the way to G
            part.register_forward_hook(lambda _, __, maps, name=name: maps_of.update({name: maps}))
    for record in records:
        rgb = to_tensor(decode(record.path)[None])
        maps_of["F"] = network.qen.stages((rgb - network.mean) / network.std)
        maps_of["G"] = network.stage_maps(rgb)
        for name, maps in maps_of.items():
            means = np.concatenate([m[0].mean((1, 2)).double().numpy() for m in maps])
            deviations = np.concatenate([m[0].double().std((1, 2)).numpy() for m in maps])
            found.setdefault(name, []).append((means, deviations))
    return {
        name: (np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]))
        for name, rows in found.items()
    }


def components(train: Array, other: Array) -> tuple[Array, Array]:
    """Principal components, as the training part has them."""
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    train, other = (np.clip((x - mean) / deviation, -6, 6) for x in (train, other))
    middle = train.mean(0)
    _, scale, axes = np.linalg.svd(train - middle, full_matrices=False)
    kept = min(COMPONENTS, len(scale))
    project = axes[:kept].T / np.sqrt(scale[:kept] / np.sqrt(len(train)))
    return (train - middle) @ project, (other - middle) @ project


def distances(a: Array, b: Array) -> Array:
    """Squared Euclidean distances [len(a), len(b)]."""
    return np.asarray((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T)


def ridge(kernel: Array, y: Array, penalty: float, to: Array) -> Array:
    """Predictions of a kernel ridge with an intercept at the mean."""
    mean = y.mean()
    return np.asarray(to @ np.linalg.solve(kernel + penalty * np.eye(len(y)), y - mean) + mean)


def predicted(train: Array, y: Array, folds: NDArray[np.int64], other: Array) -> Array:
    """Predictions for `other`, width and penalty chosen on the folds."""
    train, other = components(train, other)
    own = distances(train, train)
    median = float(np.median(own))
    scored = []
    for width in WIDTHS:
        kernel = np.exp(-own / (width * median))
        for penalty in PENALTIES:
            held = np.zeros(len(y))
            for fold in range(FOLDS):
                out = folds == fold
                held[out] = ridge(kernel[np.ix_(~out, ~out)], y[~out], penalty, kernel[np.ix_(out, ~out)])
            scored.append((float(stats.spearmanr(held, y).statistic), width, penalty))
    _, width, penalty = max(scored)
    kernel = np.exp(-own / (width * median))
    return ridge(kernel, y, penalty, np.exp(-distances(other, train) / (width * median)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--model", default="mfenet")
    parser.add_argument("--first", type=int, default=1500)
    given = parser.parse_args()
    network = load_network(given.model)[1].eval()
    assert isinstance(network, MFENet)
    database = read_database("biq2021", given.root)
    train = database.part("train")
    train = tuple(train[i] for i in np.random.default_rng(0).permutation(len(train))[: given.first])
    calib = database.part("calib")
    y, wanted = (np.array([r.mos for r in part]) for part in (train, calib))
    names = sorted({r.group for r in train})
    of_group = dict(zip(names, np.random.default_rng(1).integers(FOLDS, size=len(names)), strict=True))
    folds = np.array([of_group[r.group] for r in train])
    fitted, measured = pooled(network, train), pooled(network, calib)
    groups = np.unique([r.group for r in calib], return_inverse=True)[1]
    print("| maps | pooled | numbers | SRCC on calib | 95 % |")
    print("|---|---|--:|--:|--:|")
    for name, (means, deviations) in fitted.items():
        for what, one, two in (
            ("mean", means, measured[name][0]),
            ("deviation", deviations, measured[name][1]),
            ("both", np.hstack([means, deviations]), np.hstack(measured[name])),
        ):
            scores = predicted(one, y, folds, two)
            srcc = float(stats.spearmanr(scores, wanted).statistic)
            low, high = intervals(Sample(scores, wanted, groups), {"srcc": srcc})["srcc"]
            print(f"| {name} | {what} | {one.shape[1]} | {srcc:.4f} | {low:.3f} to {high:.3f} |", flush=True)
    print(f"\n{len(train):,} pictures fitted, {len(calib)} measured.")


if __name__ == "__main__":
    main()
