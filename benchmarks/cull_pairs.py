"""Whether people prefer the better-scored of two pictures of one scene, and whether `iqa cull` knows when it
can tell: on a database with opinions.

    iqa cull --files-from held-out.txt --groups-only --gap 0 -o scenes.jsonl
    python -m benchmarks.cull_pairs scenes.jsonl --root ../shared/data/biq2021

The list has pictures that the weight was not fitted to (docs/cull.md makes one). All pairs of pictures within
a scene count, so that large scenes count more; the intervals are those of a share over scenes drawn again
(bootstrap, 2,000 draws).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iqa_cli.culling.choosing import uncertainty_of
from iqa_cli.datasets.registry import read_database
from iqa_cli.prediction import Prediction

MARGINS = ((0, 2), (2, 5), (5, 10), (10, 20), (20, 100))


class Pair(NamedTuple):
    """Two pictures of a scene: how far the better-scored one leads, in points of score and of opinion, and
    what its lead has to exceed."""

    scene: int
    margin: float
    uncertainty: float
    opinion: float


class Rated(NamedTuple):
    """A picture: record and opinion in points."""

    record: Prediction
    opinion: float


def read(path: Path, root: Path) -> dict[int, list[Rated]]:
    """The scenes of `iqa cull --format jsonl`, with the opinions of the database."""
    opinions = {record.name: 100 * record.mos for record in read_database("biq2021", root).records}
    scenes: dict[int, list[Rated]] = defaultdict(list)
    for row in map(json.loads, path.read_text().splitlines()):
        if row["group"] is not None and row["score"] is not None:
            record = Prediction(
                row["path"], row["score"], None, row["model"], low=row["low"], high=row["high"]
            )
            scenes[row["group"]].append(Rated(record, opinions[Path(row["path"]).name]))
    return scenes


def pairs_of(scenes: dict[int, list[Rated]]) -> list[Pair]:
    """All pairs within scenes."""
    pairs = []
    for scene, members in scenes.items():
        for two in combinations(members, 2):
            worse, better = sorted(two, key=lambda rated: rated.record.score or 0.0)
            margin = (better.record.score or 0.0) - (worse.record.score or 0.0)
            uncertainty = uncertainty_of(better.record, worse.record)
            assert uncertainty is not None
            pairs.append(Pair(scene, margin, uncertainty, better.opinion - worse.opinion))
    return pairs


def share(pairs: list[Pair], holds: Callable[[Pair], bool]) -> str:
    """For how many something holds, and the interval of that share over scenes."""
    if not pairs:
        return "0 | - | -"
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for pair in pairs:
        counts[pair.scene][0] += holds(pair)
        counts[pair.scene][1] += 1
    table = np.array(list(counts.values()))
    drawn = table[np.random.default_rng(0).integers(len(table), size=(2000, len(table)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    right, total = table.sum(axis=0)
    if right in (0, total):  # draws that are all alike tell nothing
        return f"{total} | {right} | {right / total:.3f} (in {len(table)} scenes)"
    return f"{total} | {right} | {right / total:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    arguments = parser.parse_args()
    scenes = read(arguments.rows, arguments.root)
    pairs = pairs_of(scenes)
    print(f"{len(scenes)} scenes, {sum(map(len, scenes.values()))} pictures, {len(pairs)} pairs\n")
    print("| pairs | number | people agree | share |\n| --- | ---: | ---: | --- |")

    def agree(pair: Pair) -> bool:
        return pair.opinion > 0

    print(f"| all | {share(pairs, agree)} |")
    for low, high in MARGINS:
        print(f"| margin {low} to {high} | {share([p for p in pairs if low <= p.margin < high], agree)} |")
    print(f"| sure | {share([p for p in pairs if p.margin > p.uncertainty], agree)} |")
    print(f"| not sure | {share([p for p in pairs if p.margin <= p.uncertainty], agree)} |")
    within = share(pairs, lambda pair: pair.opinion > pair.margin - pair.uncertainty)
    middle = float(np.median([pair.uncertainty for pair in pairs]))
    print(
        f"\nabove margin minus uncertainty (95 % expected): {within}; median uncertainty {middle:.1f} points"
    )
    best = [max(members, key=lambda rated: rated.record.score or 0.0) for members in scenes.values()]
    highest = [max(rated.opinion for rated in members) for members in scenes.values()]
    lost = [top - chosen.opinion for top, chosen in zip(highest, best, strict=True)]
    chance = sum(1 / len(members) for members in scenes.values())
    blind = [
        top - float(np.mean([rated.opinion for rated in members]))
        for top, members in zip(highest, scenes.values(), strict=True)
    ]
    print(
        f"the best-scored picture is the one with the highest opinion in {sum(gap <= 0 for gap in lost)} of "
        f"{len(scenes)} scenes (by chance {chance:.1f}); it is {np.mean(lost):.1f} points below that one on "
        f"average, a picture drawn at random {np.mean(blind):.1f}"
    )


if __name__ == "__main__":
    main()
