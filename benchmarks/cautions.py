"""How many photographs each warning of `iqa rank` is given to, by part of BIQ2021; and how many of other
pictures, such as drawings, in folders that are named.

python -m benchmarks.cautions ROOT [FOLDER ...]

ROOT is the folder of BIQ2021. The limits of `iqa_cli.caution` were set by the part `train`; the other parts
tell whether they hold elsewhere. Warnings that a record gives ("tiny", "end-of-scale") are not counted.

python -m benchmarks.cautions ROOT --fit

fits `iqa_cli/scene_distance.json` to the part `train` anew.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iqa_cli.caution import CAUTIONS, SIDE, by_view
from iqa_cli.errors import ImageError
from iqa_cli.images.endings import SUFFIXES
from iqa_cli.looking import each, small_view
from iqa_cli.scene_distance import fit_scenes, statistics, write_scenes

#: Share of the training photographs that is beyond the limit of the distance.
BEYOND = 0.004


def counted(paths: Sequence[Path]) -> tuple[Counter[str], dict[str, list[int]], int]:
    """Warning -> how many pictures have it; warning -> their places; how many have any."""
    found: Counter[str] = Counter()
    places: dict[str, list[int]] = defaultdict(list)
    warned = 0
    for place, seen in enumerate(each(map(str, paths), lambda path: by_view(small_view(path, SIDE)))):
        if isinstance(seen, ImageError):
            raise seen
        found.update(seen)
        warned += bool(seen)
        for name in seen:
            places[name].append(place)
    return found, places, warned


def fit(paths: Sequence[Path]) -> None:
    """Fit the distance to photographs, and write it into the program."""
    found = []
    for seen in each(map(str, paths), lambda path: statistics(small_view(path, SIDE))):
        if isinstance(seen, ImageError):
            raise seen
        found.append(seen)
    fitted = fit_scenes(np.array(found), BEYOND)
    write_scenes(fitted, "python -m benchmarks.cautions ../shared/data/biq2021 --fit", len(found))
    print(f"limit {fitted.limit:.3f}, {len(found):,} photographs")


def main() -> None:
    """Print a row for each part and folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    names = [name for name in CAUTIONS if name not in ("tiny", "end-of-scale")]
    with (given.root / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if given.fit:
        fit([given.root / "images" / row["image"] for row in rows if row["split"] == "train"])
        return
    print(f"| pictures | n | {' | '.join(names)} | any |\n|---|--:|{'--:|' * (len(names) + 1)}")
    for part in dict.fromkeys(row["split"] for row in rows):
        of_part = [row for row in rows if row["split"] == part]
        found, places, warned = counted([given.root / "images" / row["image"] for row in of_part])
        print(f"| {part} | {len(of_part):,} | {' | '.join(str(found[name]) for name in names)} | {warned} |")
        for name in names:
            opinions = [100 * float(of_part[place]["mos"]) for place in places[name]]
            if len(opinions) > 1:
                low, middle, high = np.percentile(opinions, (0, 50, 100))
                print(f"  {name}: opinions {low:.0f} to {high:.0f}, median {middle:.0f}")
    for folder in given.folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        found, _, warned = counted(paths)
        cells = " | ".join(str(found[name]) for name in names)
        print(f"| {folder.name} | {len(paths)} | {cells} | {warned} |")


if __name__ == "__main__":
    main()
