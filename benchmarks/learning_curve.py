"""What more labelled photographs may give: a kernel ridge on frozen features, by the number it is fitted to.

python -m benchmarks.learning_curve --root BIQ2021/ [--kind lite0] [--numbers 870 3480 6956] [--on calib]

Of every whole picture at native scale the five stages of an EfficientNet-Lite of ImageNet are pooled to means
and deviations. A kernel ridge (`benchmarks.frozen_features`) is fitted to the first so many pictures of the
part train, in an order drawn by chance in whole groups. SRCC on the part `--on`, with a 95 % interval by a
bootstrap of whole groups; in the last column that of the difference to the row above. `--keep FILE.npz` holds
the features for the next time. The pictures of train and calib are middles of 384 or (`ss03`) 320 pixels,
those of val are whole: `--middle` cuts them alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from scipy import stats

from benchmarks.crop_choice import difference
from benchmarks.frozen_features import FOLDS, Array, predicted
from benchmarks.middles import middle as cut
from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.registry import read_database
from iqa_cli.evaluation.bootstrap import intervals
from iqa_cli.evaluation.resample import Sample
from iqa_cli.training.config import PACKAGED
from iqa_cli.training.crops import to_tensor
from iqa_cli.training.efficientnet import efficientnet_lite
from iqa_cli.training.pictures import decode


@torch.inference_mode()
def features(kind: str, records: Sequence[ImageRecord], middle: bool) -> Array:
    """Means and deviations of the stages, [n, F]."""
    packaged = efficientnet_lite(kind)
    network = timm.create_model(packaged.architecture)
    network.load_state_dict(packaged.state)
    network.eval()
    rows = []
    for record in records:
        pixels = decode(record.path)
        if middle:
            pixels = cut(pixels, 320 if record.subset == "ss03" else 384)
        rgb = (to_tensor(pixels[None]) - 0.5) / 0.5
        maps = network.forward_intermediates(rgb, intermediates_only=True)
        pooled = [part for m in maps for part in (m[0].mean((1, 2)), m[0].std((1, 2)))]
        rows.append(torch.cat(pooled).double().numpy())
    return np.stack(rows)


def kept_features(
    keep: Path | None, kind: str, parts: Mapping[str, Sequence[ImageRecord]]
) -> dict[str, Array]:
    """Those of parts by name, of the middles where it ends so; of a file what it holds already."""
    kept = dict(np.load(keep)) if keep and keep.exists() else {}
    for name, records in parts.items():
        if name not in kept:
            kept[name] = features(kind, records, name.endswith(" middle"))
    if keep:
        np.savez(keep, **kept)
    return kept


def folds_of(records: Sequence[ImageRecord]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The groups of pictures as numbers, [n], and the folds that whole groups are drawn into, [n]."""
    groups = np.unique([record.group for record in records], return_inverse=True)[1]
    return groups, np.random.default_rng(1).integers(FOLDS, size=groups.max() + 1)[groups]


def in_groups(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """All of them, whole groups in an order drawn by chance."""
    names = sorted({record.group for record in records})
    place = dict(zip(names, np.random.default_rng(0).permutation(len(names)), strict=True))
    return sorted(records, key=lambda record: (place[record.group], record.name))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--kind", choices=PACKAGED, default="lite0")
    parser.add_argument("--numbers", type=int, nargs="+", default=[435, 870, 1740, 3480, 6956])
    parser.add_argument("--on", choices=["calib", "val"], default="calib")
    parser.add_argument("--middle", action="store_true")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    database = read_database("biq2021", given.root)
    train, other = in_groups(database.part("train")), list(database.part(given.on))
    measured_as = given.on + (" middle" if given.middle else "")
    kept = kept_features(given.keep, given.kind, {"train": train, measured_as: other})
    fitted, measured = kept["train"], kept[measured_as]
    y, wanted = (np.array([record.mos for record in part]) for part in (train, other))
    names, folds = folds_of(train)
    groups = np.unique([record.group for record in other], return_inverse=True)[1]
    print(f"| photographs | groups | SRCC on {given.on} | 95 % | gained | 95 % |")
    print("|--:|--:|--:|--:|--:|--:|")
    before: Array | None = None
    for number in given.numbers:
        n = min(number, len(train))
        scores = predicted(fitted[:n], y[:n], folds[:n], measured)
        srcc = float(stats.spearmanr(scores, wanted).statistic)
        low, high = intervals(Sample(scores, wanted, groups), {"srcc": srcc})["srcc"]
        cells = [str(n), str(len(set(names[:n]))), f"{srcc:.4f}", f"{low:.3f} to {high:.3f}", "", ""]
        if before is not None:
            gained = difference(scores, before, wanted, groups)
            cells[4] = f"{srcc - float(stats.spearmanr(before, wanted).statistic):+.4f}"
            cells[5] = f"{gained[0]:+.4f} to {gained[1]:+.4f}"
        print(f"| {' | '.join(cells)} |", flush=True)
        before = scores


if __name__ == "__main__":
    main()
