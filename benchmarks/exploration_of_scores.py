"""D-, L- and P-test from files of scores: for a synthetic database that weights have scored already.

    python -m benchmarks.exploration_of_scores SCORES.jsonl [SCORES.jsonl ...]

The files are those of `iqa score` over a folder that `iqa data synth` has made: a folder for each photograph,
in it `TYPE_LEVEL.png`, and one picture more, the photograph itself. What is taken are the photographs of
which every file has all pictures. Prints the three tests, and the L-test of single types.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np

from iqa_cli.cli.eval_columns import interval, markdown, number
from iqa_cli.evaluation.exploration import Ladders, differences, explore
from iqa_cli.exploring import PAPER_TYPES

WORST = 5
PLACE = re.compile(r"(?P<type>[a-z0-9_]+)_(?P<level>[1-5])$")


def read(path: Path) -> dict[str, dict[tuple[str, int], float]]:
    """Photograph -> (type, level) -> score; ("", 0) is the photograph itself."""
    found: dict[str, dict[tuple[str, int], float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        picture = Path(row["path"])
        place = PLACE.match(picture.stem)
        key = (place["type"], int(place["level"])) if place else ("", 0)
        if row["score"] is not None:
            found.setdefault(picture.parent.name, {})[key] = row["score"]
    return found


def main() -> None:
    """Read, test, print."""
    scores = {Path(name).name.split(".")[0]: read(Path(name)) for name in sys.argv[1:]}
    every = [of_photograph for found in scores.values() for of_photograph in found.values()]
    keys: set[tuple[str, int]] = set().union(*every)
    whole = [{name for name, row in found.items() if set(row) == keys} for found in scores.values()]
    photographs = sorted(set.intersection(*whole))
    types = sorted({kind for kind, _ in keys if kind})
    levels = sorted({level for _, level in keys if level})
    figures = {}
    for scorer, found in scores.items():
        rows = [found[name] for name in photographs]
        distorted = [[[row[kind, level] for level in levels] for kind in types] for row in rows]
        pristine = np.array([row["", 0] for row in rows])
        figures[scorer] = explore(Ladders(tuple(types), tuple(levels), pristine, np.array(distorted)))
    print(f"{len(photographs)} photographs, {len(types)} types at levels {', '.join(map(str, levels))}\n")
    cells: list[tuple[str, ...]] = [("scorer", "D", "95 %", "L", "95 %", "P", "95 %")]
    for scorer, (all_types, _) in figures.items():
        said = [scorer]
        for name in ("d", "l_srcc", "p"):
            said += [number(getattr(all_types, name), 3), interval(getattr(all_types, f"{name}_ci"), 3)]
        cells.append(tuple(said))
    print("\n".join(markdown(cells)), "\n")
    for scorer, (_, by_type) in figures.items():
        paper = [row for row in by_type if row.row in PAPER_TYPES]
        print(
            f"{scorer}, L of the paper's types: " + ", ".join(f"{r.row} {number(r.l_srcc, 3)}" for r in paper)
        )
        worst = sorted(by_type, key=lambda row: row.l_srcc or 0)[:WORST]
        print(f"{scorer}, lowest L: " + ", ".join(f"{row.row} {number(row.l_srcc, 2)}" for row in worst))
    for made in differences({scorer: row for scorer, (row, _) in figures.items()}):
        bounds = interval(made.interval, 3)
        print(
            f"{made.figure}: {made.first} less {made.second} {made.difference:.3f} ({bounds}), "
            f"p {made.p_holm:.2g} after Holm"
        )


if __name__ == "__main__":
    main()
