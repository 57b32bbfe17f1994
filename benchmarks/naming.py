"""How often `iqa score` names the distortion of a picture, from its rows over a folder of `iqa data synth`.

    python -m benchmarks.naming SCORES.jsonl [SCORES.jsonl ...]

The files are those of `benchmarks.exploration_of_scores`. By level: the share of the pictures whose type is
named, is named wrongly, and is not named (the network is not sure), and the mean distance of the named level
where the type is right. 95 % intervals of the right ones by a bootstrap of whole photographs. Below: the
types that are named least at level 3 and above, and what they are taken for. Of pictures whose names are not
those of such a folder, taken as undistorted, what is said alone.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.exploration_of_scores import PLACE

RESAMPLES, WORST, STRONG = 2000, 8, 3


@dataclass(frozen=True)
class Named:
    """A distorted picture, and what was said of it."""

    photograph: str
    kind: str
    level: int
    said: str | None
    said_level: int | None

    @property
    def right(self) -> bool:
        """Whether the type was named."""
        return self.said == self.kind


def read(path: Path) -> tuple[list[Named], Counter[str]]:
    """The distorted pictures, and what was said of the undistorted ones."""
    found, undistorted = [], Counter[str]()
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        picture = Path(row["path"])
        place = PLACE.match(picture.stem)
        if place is None:
            undistorted[row["distortion"] or "not named"] += 1
        else:
            level = row["distortion_level"]
            found.append(
                Named(picture.parent.name, place["type"], int(place["level"]), row["distortion"], level)
            )
    return found, undistorted


def interval_of(rows: list[Named]) -> tuple[float, float]:
    """Of the share of right ones, photographs drawn with replacement."""
    names = sorted({row.photograph for row in rows})
    right = np.array([sum(r.right for r in rows if r.photograph == name) for name in names])
    number = np.array([sum(r.photograph == name for r in rows) for name in names])
    drawn = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
    low, high = np.quantile(right[drawn].sum(1) / number[drawn].sum(1), (0.025, 0.975))
    return float(low), float(high)


def line(title: str, rows: list[Named]) -> str:
    """A row of the table."""
    silent = [row for row in rows if row.said is None]
    right = [row for row in rows if row.right]
    off = [abs(row.said_level - row.level) for row in right if row.said_level is not None]
    low, high = interval_of(rows)
    shares = [len(right) / len(rows), (len(rows) - len(right) - len(silent)) / len(rows)]
    return (
        f"| {title} | {len(rows)} | {shares[0]:.3f} | {low:.3f} to {high:.3f} | {shares[1]:.3f} "
        f"| {len(silent) / len(rows):.3f} | {len(right) / max(1, len(rows) - len(silent)):.3f} "
        f"| {np.mean(off):.2f} |"
    )


def tables(title: str, rows: list[Named]) -> None:
    """Of distorted pictures: by level, and the types that are named least."""
    photographs = len({row.photograph for row in rows})
    print(f"{title}: {len(rows)} pictures of {photographs} photographs\n")
    print("| level | pictures | right | 95 % | wrong | not named | right of named | levels off |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for level in sorted({row.level for row in rows}):
        print(line(str(level), [row for row in rows if row.level == level]))
    strong = [row for row in rows if row.level >= STRONG]
    print(line(f"{STRONG} and above", strong))
    share = {
        kind: np.mean([row.right for row in strong if row.kind == kind])
        for kind in sorted({row.kind for row in strong})
    }
    least = sorted(share, key=lambda kind: float(share[kind]))[:WORST]
    print(f"\nleast at level {STRONG} and above:")
    for kind in least:
        wrong = Counter(row.said or "not named" for row in strong if row.kind == kind and not row.right)
        taken = ", ".join(f"{said} {number}" for said, number in wrong.most_common(3))
        print(f"- {kind} {share[kind]:.2f} ({taken})")


def main() -> None:
    """Print the tables."""
    for name in sys.argv[1:]:
        rows, undistorted = read(Path(name))
        if rows:
            tables(Path(name).name, rows)
        said = ", ".join(f"{kind} {number}" for kind, number in undistorted.most_common())
        if said:
            print(f"undistorted: {said}\n")


if __name__ == "__main__":
    main()
