"""What fewer or more crops of a picture cost or give: SRCC on a part of a database, by the places looked at.

    python -m benchmarks.crop_choice [NAME ...] --root BIQ2021/ [--part calib] [--every 1]

The pictures are smaller than `near_side`, so that the weight sees all of each in crops at its own resolution.
The difference to what it looks at by default has an interval: groups of near-duplicates are resampled, both
scores together. Raw scores, since each way would have a calibration of its own.
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
from iqa_cli.images.crops import grid_positions, iter_crops, mirrored
from iqa_cli.images.decode import open_photo
from iqa_cli.scoring.scorer import Scorer, load

Floats = npt.NDArray[np.float64]
RESAMPLES = 2000
DEFAULT = "default"
#: Way of looking -> the sets of crops, by `crops_of`, each of which counts the same.
WAYS: dict[str, tuple[str, ...]] = {
    DEFAULT: (DEFAULT,),
    "--fast": ("fast",),
    "the middle alone": ("middle",),
    "two side by side": ("beside",),
    "two, one above the other": ("above",),
    "a glance alone": ("glance",),
    "default, and a glance": (DEFAULT, "glance"),
    "default, and mirrored": (DEFAULT, "default mirrored"),
    "one more a side": ("dense",),
    "one more a side, and mirrored": ("dense", "dense mirrored"),
}


def crops_of(scorer: Scorer, path: Path) -> dict[str, tuple[npt.NDArray[np.uint8], Floats]]:
    """Name of a set -> its crops, uint8 [N, side, side, 3], and how much each counts, summing to 1."""
    policy = scorer.policy
    side = policy.crop
    found = {}
    with open_photo(path) as photo:
        width, height = photo.width, photo.height
        pixels = photo.region(0, 0, width, height, None)
        glance = photo.resized(*policy.glance_size(width, height), "lanczos", None)
        for mode in ("default", "fast"):
            crops = list(iter_crops(photo, policy, mode))
            found[mode] = np.stack([crop.pixels for crop in crops]), np.array([crop.weight for crop in crops])

    def equal(
        pixels: npt.NDArray[np.uint8], rows: list[int], columns: list[int]
    ) -> tuple[npt.NDArray[np.uint8], Floats]:
        crops = [mirrored(pixels[y : y + side, x : x + side], side) for y, x in product(rows, columns)]
        return np.stack(crops), np.full(len(crops), 1 / len(crops))

    across, down = ([0, max(0, length - side)] for length in (width, height))
    middle_x, middle_y = [(across[1] + 1) // 2], [(down[1] + 1) // 2]
    found["middle"] = equal(pixels, middle_y, middle_x)
    found["beside"] = equal(pixels, middle_y, across)
    found["above"] = equal(pixels, down, middle_x)
    found["glance"] = equal(glance, *([max(0, length - side) // 2] for length in glance.shape[:2]))
    dense = [
        np.rint(np.linspace(0, max(0, length - side), len(grid_positions(max(length, side), side)) + 1))
        .astype(int)
        .tolist()
        for length in (height, width)
    ]
    found["dense"] = equal(pixels, *dense)
    for name in (DEFAULT, "dense"):
        crops, shares = found[name]
        found[f"{name} mirrored"] = crops[:, :, ::-1], shares
    return found


def looked_at(scorer: Scorer, path: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Set -> mean of the raw scores of its crops, and how many they are; each crop is computed once."""
    sets = crops_of(scorer, path)
    crops = [crop for crops, _ in sets.values() for crop in crops]
    distinct = {crop.tobytes(): crop for crop in crops}
    raw = dict(zip(distinct, scorer.predict_crops(np.stack([*distinct.values()])).tolist(), strict=True))
    ends = np.cumsum([len(crops) for crops, _ in sets.values()])[:-1]
    parts = np.split(np.array([raw[crop.tobytes()] for crop in crops]), ends)
    means = {
        name: float(part @ shares) for (name, (_, shares)), part in zip(sets.items(), parts, strict=True)
    }
    return means, {name: len(part) for name, part in zip(sets, parts, strict=True)}


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
    parser.add_argument("weights", nargs="*", default=["mfenet"], metavar="NAME")
    parser.add_argument("--root", type=Path, required=True, help="Folder of BIQ2021.")
    parser.add_argument("--part", default="calib")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="Every N-th picture only.")
    options = parser.parse_args()
    records = list(read_database("biq2021", options.root).part(options.part))[:: options.every]
    opinions = np.array([record.mos for record in records])
    groups = np.unique([record.group for record in records], return_inverse=True)[1]
    print(f"{len(records)} pictures of {options.part}\n", flush=True)
    print("| weight | looked at | crops | SRCC | less the default | 95 % interval |")
    print("| --- | --- | --: | --: | --: | --- |")
    for weight in options.weights:
        scorer = load(weight, threads=1)
        began = time.process_time()
        rows, sizes = zip(*(looked_at(scorer, record.path) for record in records), strict=True)
        seconds = (time.process_time() - began) / len(records)
        plain = np.array([row[DEFAULT] for row in rows])
        base = stats.spearmanr(plain, opinions).statistic
        for way, sets in WAYS.items():
            scores = np.array([[row[name] for name in sets] for row in rows]).mean(1)
            srcc = stats.spearmanr(scores, opinions).statistic
            cells = ["", ""]
            if way != DEFAULT:
                low, high = difference(scores, plain, opinions, groups)
                cells = [f"{srcc - base:+.4f}", f"{low:+.4f} to {high:+.4f}"]
            crops = np.mean([sum(size[name] for name in sets) for size in sizes])
            print(f"| {scorer.name} | {way} | {crops:.3g} | {srcc:.4f} | {' | '.join(cells)} |", flush=True)
        print(f"<!-- {scorer.name}: {seconds:.2f} s of CPU a picture for all of them -->", flush=True)


if __name__ == "__main__":
    main()
