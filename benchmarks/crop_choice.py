"""What more crops of a picture would be worth: SRCC on a part of a database, by the places looked at.

    python -m benchmarks.more_crops mfenet.onnx [MORE.onnx ...] --root BIQ2021/ [--part calib] [--every 1]

The weights are files of `iqa export`, which OpenVINO computes in float32. The pictures are smaller than
`near_side`; a grid from edge to edge covers them by as few crops as can be. More are the same and
their mirror images, one crop more along each side, both, and a glance at the whole, which counts as much as
all others. The difference to the grid has an interval: groups of near-duplicates are resampled, both
scores together.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from iqa_cli.datasets.registry import read_database
from iqa_cli.evaluation.bootstrap import count_groups, percentiles
from iqa_cli.images.crops import grid_positions, mirrored
from iqa_cli.images.decode import open_photo
from iqa_cli.scoring.scorer import Scorer, load

Floats = npt.NDArray[np.float64]
RESAMPLES = 2000
#: Way of looking -> the sets of crops that it has the mean of, by `crops_of`.
WAYS: dict[str, tuple[str, ...]] = {
    "grid": ("grid",),
    "and mirrored": ("grid", "grid mirrored"),
    "one crop more a side": ("dense",),
    "one crop more a side, and mirrored": ("dense", "dense mirrored"),
    "and a glance": ("grid", "glance"),
    "a glance alone": ("glance",),
}


def crops_of(path: Path, side: int) -> dict[str, npt.NDArray[np.uint8]]:
    """Name of a set -> its crops, uint8 [N, side, side, 3]."""
    with open_photo(path) as photo:
        width, height = photo.width, photo.height
        scale = side / min(width, height)
        pixels = photo.region(0, 0, width, height, None)
        glance = photo.resized(round(width * scale), round(height * scale), "lanczos", None)
    found = {}
    for name, more in (("grid", 0), ("dense", 1)):
        places = [
            np.rint(np.linspace(0, length - side, len(grid_positions(length, side)) + more)).astype(int)
            for length in (height, width)
        ]
        found[name] = np.stack([pixels[y : y + side, x : x + side] for y, x in product(*places)])
        found[f"{name} mirrored"] = found[name][:, :, ::-1]
    y, x = ((length - side) // 2 for length in glance.shape[:2])
    found["glance"] = mirrored(glance[y : y + side, x : x + side], side)[None]
    return found


def looked_at(scorer: Scorer, path: Path) -> dict[str, float]:
    """Set -> mean of the raw scores of its crops; each set is computed once."""
    sets = crops_of(path, scorer.policy.crop)
    raw = scorer.predict_crops(np.concatenate(list(sets.values())))
    ends = np.cumsum([len(crops) for crops in sets.values()])[:-1]
    return {name: float(part.mean()) for name, part in zip(sets, np.split(raw, ends), strict=True)}


def difference(
    scores: Floats, plain: Floats, opinions: Floats, groups: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """95 % interval of SRCC of `scores` less that of `plain`."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    rng = np.random.default_rng(0)
    drawn = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        chosen = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        one, other = (
            stats.spearmanr(values[chosen], opinions[chosen]).statistic for values in (scores, plain)
        )
        drawn[number] = one - other
    found = percentiles(drawn, count_groups(groups), 0.95)
    assert found is not None
    return found


def main() -> None:
    """Look, and print a table for each weight."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("exported", nargs="+", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="Folder of BIQ2021.")
    parser.add_argument("--part", default="calib")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="Every N-th picture only.")
    options = parser.parse_args()
    records = list(read_database("biq2021", options.root).part(options.part))[:: options.every]
    opinions = np.array([record.mos for record in records])
    groups = np.unique([record.group for record in records], return_inverse=True)[1]
    print(f"{len(records)} pictures of {options.part}\n", flush=True)
    print("| weight | looked at | crops | SRCC | less the grid | 95 % interval |")
    print("| --- | --- | --: | --: | --: | --- |")
    for path in options.exported:
        scorer = load(path, engine="openvino", threads=1)
        began = time.process_time()
        rows = [looked_at(scorer, record.path) for record in records]
        seconds = (time.process_time() - began) / len(records)
        sizes = {name: len(crops) for name, crops in crops_of(records[0].path, scorer.policy.crop).items()}
        plain = np.array([row["grid"] for row in rows])
        for way, sets in WAYS.items():
            shares = np.array([sizes[name] if way != "and a glance" else 1 for name in sets], dtype=float)
            scores = np.array([[row[name] for name in sets] for row in rows]) @ shares / shares.sum()
            srcc = stats.spearmanr(scores, opinions).statistic
            cells = ["", ""]
            if way != "grid":
                low, high = difference(scores, plain, opinions, groups)
                base = stats.spearmanr(plain, opinions).statistic
                cells = [f"{srcc - base:+.4f}", f"{low:+.4f} to {high:+.4f}"]
            crops = sum(sizes[name] for name in sets)
            print(f"| {scorer.name} | {way} | {crops} | {srcc:.4f} | {' | '.join(cells)} |", flush=True)
        print(
            f"<!-- {scorer.name}: {seconds:.2f} s of CPU a picture for {sum(sizes.values())} crops -->",
            flush=True,
        )


if __name__ == "__main__":
    main()
