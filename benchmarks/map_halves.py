"""Whether `iqa map` finds the half of a photograph that was distorted: the area under the curve, per type.

python -m benchmarks.map_halves PRISTINE/ [--model mfenet] [--photographs 6] [--levels 3 5] [--types jpeg]

Of photographs of the part val the right half, and in another picture the left one, is replaced by that of a
distorted copy. The area under the ROC curve of a map is the chance that a cell of the sound half has a higher
value than one of the other; 0.5 is chance. Cells on the border, a quarter of a tile to both sides, are left
out: tiles there see both halves. Reported are the mean over all, in how many the half was found (0.5
exceeded), and by how many points it is lower than in the map of the photograph as it was. The halves of a
sound photograph differ, too, by the points that stand above the table: with each of them distorted in turn
that evens out in the mean (0.5 where nothing is done), but what takes less than that is found in one of two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from iqa_cli import load
from iqa_cli.datasets.pristine import read_pristine
from iqa_cli.datasets.synth_sources import Source
from iqa_cli.datasets.synth_task import generator
from iqa_cli.images.decode import open_photo
from iqa_cli.images.distortions import DISTORTIONS, distort
from iqa_cli.scoring.quality_map import quality_map
from iqa_cli.training.pictures import decode


def halves(values: np.ndarray, left: bool, border: float) -> tuple[np.ndarray, np.ndarray]:
    """The cells of the half that is left alone and of the other (the left or the right one) of a map [rows,
    columns]."""
    columns = (np.arange(values.shape[1]) + 0.5) / values.shape[1]
    bad = columns < 0.5 if left else columns > 0.5
    near = np.abs(columns - 0.5) < border
    return values[:, ~bad & ~near].ravel(), values[:, bad & ~near].ravel()


def area(sound: np.ndarray, worse: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a cell of the first half has the higher value."""
    return float(stats.mannwhitneyu(sound, worse).statistic / (len(sound) * len(worse)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pristine", type=Path)
    parser.add_argument("--model", default="mfenet")
    parser.add_argument("--photographs", type=int, default=6)
    parser.add_argument("--levels", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--types", nargs="+", choices=list(DISTORTIONS), default=list(DISTORTIONS))
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    scorer = load(given.model, threads=given.threads)
    paths = read_pristine(given.pristine, "val")
    paths = [paths[i] for i in np.linspace(0, len(paths) - 1, given.photographs).round().astype(int)]
    images = [decode(path) for path in paths]

    def mapped(image: np.ndarray, left: bool) -> tuple[np.ndarray, np.ndarray]:
        with open_photo(image) as photo:
            made = quality_map(scorer, photo)
        return halves(made.values, left, scorer.policy.crop / 4 / made.seen[0])

    as_is = [mapped(image, left=True) for image in images]  # of each its right half and its left one
    apart = [float(abs(one.mean() - other.mean())) for one, other in as_is]
    print(f"as they are, the halves differ by {', '.join(f'{points:.1f}' for points in apart)} points\n")
    print("| type | " + " | ".join(f"level {level} | found | points" for level in given.levels) + " |")
    print("|---|" + "--:|--:|--:|" * len(given.levels))
    whole: list[list[float]] = []
    for kind in given.types:
        cells, areas = [], []
        for level in given.levels:
            found, lower = [], []
            for path, image, both in zip(paths, images, as_is, strict=True):
                source, middle = Source(path.name, path, path.stem), image.shape[1] // 2
                worse = distort(image, kind, level, generator(0, source, kind))
                for left, half in ((True, np.s_[:, :middle]), (False, np.s_[:, middle:])):
                    mixed = image.copy()
                    mixed[half] = worse[half]
                    sound, bad = mapped(mixed, left)
                    found.append(area(sound, bad))
                    lower.append(float(both[left].mean() - bad.mean()))
            areas.append(float(np.mean(found)))
            hits = f"{sum(a > 0.5 for a in found)} of {len(found)}"
            cells.append(f"{areas[-1]:.3f} | {hits} | {np.mean(lower):.1f}")
        whole.append(areas)
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)
    print("| mean | " + " | ".join(f"{value:.3f} | |" for value in np.mean(whole, 0)) + " |")


if __name__ == "__main__":
    main()
