"""Pictures per second and core for every distortion, at a training crop and at a whole photograph.

python -m benchmarks.distortions [--rounds 3]

One thread; processor time is counted, not the clock, so that other processes on the machine matter less. The
figure is the mean over the levels and over crops of four of the examples.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from iqa_cli.images.distortions import DISTORTIONS, LEVELS, distort

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PICTURES = ("alpaca", "cliffs", "college", "lunch")
SIDES = (224, 512)
SLOW = 4.0


def crops(side: int) -> list[np.ndarray]:
    """The middle of each picture, [side, side, 3]."""
    found = []
    for name in PICTURES:
        with Image.open(EXAMPLES / f"{name}.jpg") as picture:
            rgb = np.asarray(picture.convert("RGB"))
        top, left = ((length - side) // 2 for length in rgb.shape[:2])
        found.append(np.ascontiguousarray(rgb[top : top + side, left : left + side]))
    return found


def seconds(name: str, pictures: list[np.ndarray], rounds: int) -> float:
    """Processor seconds for one picture: the fastest round over all levels, which others disturbed least."""
    taken = []
    for turn in range(rounds + 1):
        started = time.process_time()
        for seed, picture in enumerate(pictures):
            for level in range(1, LEVELS + 1):
                distort(picture, name, level, np.random.default_rng(seed))
        # The first turn fills caches and tables.
        if turn:
            taken.append(time.process_time() - started)
    return min(taken) / (len(pictures) * LEVELS)


def main() -> None:
    """Measure and print the table, the mean over the types and the slow ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    took = {
        side: {name: seconds(name, pictures, rounds) for name in DISTORTIONS}
        for side in SIDES
        for pictures in [crops(side)]
    }
    middle = {side: statistics.median(took[side].values()) for side in SIDES}
    columns = [f"{side} x {side}, pictures/s and core | times the median type" for side in SIDES]
    print(f"| distortion | {' | '.join(columns)} |\n| --- |{' ---: |' * 2 * len(SIDES)}")
    for name in DISTORTIONS:
        cells = [f"{1 / took[side][name]:,.0f} | {took[side][name] / middle[side]:.1f}" for side in SIDES]
        print(f"| `{name}` | {' | '.join(cells)} |")
    print()
    for side in SIDES:
        mean = statistics.mean(took[side].values())
        slow = [name for name in DISTORTIONS if took[side][name] > SLOW * middle[side]]
        print(
            f"{side} x {side}: types drawn evenly {1 / mean:,.0f} pictures/s and core "
            f"({16 / mean:,.0f} on 16 if they share nothing); more than {SLOW:g} times the median type "
            f"({middle[side] * 1000:.1f} ms): {', '.join(slow) or 'none'}"
        )


if __name__ == "__main__":
    main()
