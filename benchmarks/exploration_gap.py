"""How many levels apart two pictures must be for nobody to doubt which is better: `GAP` of the P-test.

    python benchmarks/exploration_gap.py [PHOTOGRAPH ...]

The Waterloo exploration paper takes pairs of pictures whose order several full-reference metrics agree on.
This counts, for pairs of the same type of distortion of two different photographs, on which share of them all
five metrics of `iqa_cli.evaluation.full_reference` say that the one of the lower level is better. About a
minute for the six photographs of examples/ at 192 pixels.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np

from iqa_cli.datasets.synth_sources import Source, prepare
from iqa_cli.datasets.synth_task import generator
from iqa_cli.evaluation.full_reference import IDENTICAL, METRICS, Reference, single_thread
from iqa_cli.images.distortions import LEVELS, distort

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PHOTOGRAPHS = ("alpaca", "cliffs", "college", "dog", "lunch", "palace")
# The four of the paper, and of every other kind some.
TYPES = (
    *("gaussian_blur", "jpeg2000", "jpeg", "white_noise", "motion_blur", "color_saturation_2"),
    *("darken", "contrast_change", "quantization", "avif", "pixelate", "jitter"),
)
SIZE = 192


def likeness(path: Path) -> list[list[list[float]]]:
    """Types x levels (0 for the photograph itself) x metrics, higher is nearer to the photograph."""
    source = Source(path.name, path, path.stem)
    image, _ = prepare(source, SIZE)
    reference = Reference(image)
    rows = []
    for kind in TYPES:
        values = [IDENTICAL]
        for level in range(1, LEVELS + 1):
            values.append(reference.compare(distort(image, kind, level, generator(0, source, kind))))
        rows.append([[METRICS[name].sign * value[name] for name in METRICS] for value in values])
    return rows


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or [EXAMPLES / f"{name}.jpg" for name in PHOTOGRAPHS]
    with single_thread():
        found = np.array([likeness(path) for path in paths])
    different = ~np.eye(len(paths), dtype=bool)
    print(f"{len(paths)} photographs, {len(TYPES)} types, {len(METRICS)} metrics")
    print("levels apart     pairs  all agree")
    for gap in range(1, LEVELS + 1):
        agreed = [
            (found[:, None, :, a] > found[None, :, :, b]).all(-1)[different]
            for a, b in combinations(range(LEVELS + 1), 2)
            if b - a == gap
        ]
        print(f"{gap:>12}{np.size(agreed):>10,}{np.mean(agreed):>11.4f}")


if __name__ == "__main__":
    main()
