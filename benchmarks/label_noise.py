"""How far the opinions of one and the same photograph lie apart: the label noise of a database, by subset.

python -m benchmarks.label_noise --root BIQ2021/ [--least 30]

Databases hold photographs twice: saved again, shrunk and enlarged, retouched. Pairs of a group whose middles
agree with a PSNR of at least --least dB look the same, so that what lies between their MOS is noise of the
opinions (and what little the two differ, which makes the figure an upper bound). With sd the deviation of
all opinions of a subset, noise = rms difference / sqrt 2, and the highest correlation that a perfect scorer
could have with these opinions is sqrt(1 - noise^2 / sd^2). Parts train and calib; 95 % intervals by a
bootstrap of whole groups.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.registry import read_database
from iqa_cli.training.pictures import decode

#: Side of the middles that are compared, as the smallest pictures of BIQ2021 have it here.
SIDE = 320
#: Pairs of very large groups are many, and of few photographs.
LARGEST = 12


def middle(record: ImageRecord) -> np.ndarray:
    """The pixels in the middle of a picture, float32 [SIDE, SIDE, 3]; all of a smaller one."""
    image = decode(record.path)
    y, x = (max(0, (length - SIDE) // 2) for length in image.shape[:2])
    return image[y : y + SIDE, x : x + SIDE].astype(np.float32)


def differences(records: Sequence[ImageRecord], least: float) -> dict[str, list[np.ndarray]]:
    """Subset -> for each group the differences of MOS of its pairs that look the same."""
    groups = defaultdict(list)
    for record in records:
        groups[record.group].append(record)
    found = defaultdict(list)
    for members in groups.values():
        some = members[:LARGEST]
        if len(some) < 2:
            continue
        pictures = [middle(record) for record in some]
        of_group = defaultdict(list)
        for (a, one), (b, two) in itertools.combinations(zip(some, pictures, strict=True), 2):
            if one.shape != two.shape or a.subset != b.subset:
                continue
            error = float(np.mean((one - two) ** 2))
            if error <= 255**2 / 10 ** (least / 10):
                of_group[a.subset or "all"].append(a.mos - b.mos)
        for subset, values in of_group.items():
            found[subset].append(np.array(values))
    return found


def noise(groups: Sequence[np.ndarray]) -> float:
    """Deviation of one opinion about the true one, of 0 to 1."""
    return float(np.sqrt(np.mean(np.concatenate(groups) ** 2) / 2))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--least", type=float, default=30.0, help="PSNR in dB")
    given = parser.parse_args()
    database = read_database("biq2021", given.root)
    records = [r for part in ("train", "calib") for r in database.part(part)]
    found = differences(records, given.least)
    print("| subset | pictures | sd, points | pairs | groups | noise, points | 95 % | highest PLCC | 95 % |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    rng = np.random.default_rng(0)
    for subset in sorted({r.subset or "all" for r in records}):
        opinions = np.array([r.mos for r in records if (r.subset or "all") == subset])
        sd, groups = float(opinions.std()), found.get(subset, [])
        start = f"| {subset} | {len(opinions)} | {100 * sd:.1f} | {sum(map(len, groups))} | {len(groups)} |"
        if len(groups) < 5:
            print(f"{start} too few | | | |")
            continue
        drawn = [noise([groups[i] for i in rng.integers(len(groups), size=len(groups))]) for _ in range(2000)]
        values = np.array([noise(groups), *np.percentile(drawn, (2.5, 97.5))])
        best = np.sqrt(np.clip(1 - (values / sd) ** 2, 0, 1))
        low, high = 100 * values[1:]
        print(
            f"{start} {100 * values[0]:.1f} | {low:.1f} to {high:.1f} | "
            f"{best[0]:.3f} | {best[2]:.3f} to {best[1]:.3f} |"
        )


if __name__ == "__main__":
    main()
