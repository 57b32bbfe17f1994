"""Whether a weight orders blur, noise and codecs on photographs it never saw, from thumbnails to camera size.

python -m benchmarks.ladders FOLDER [--model mfenet ...] [--sizes 256 512 1024 2048 4000] [--photographs 4]

Photographs of the folder whose longer side has the largest size are reduced to each size (longer side, area
averaging) and damaged at five levels; a ladder is the undamaged picture and these. L is the mean over the
photographs of the Spearman correlation of score and -level; "in order" is the share of neighbours on the
ladders whose scores fall. Distortions act on pixels, so that the same level is less to see in a larger
picture. Photographs are spread evenly over the sorted names.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy import stats

from iqa_cli import load_many
from iqa_cli.datasets.synth_sources import Source
from iqa_cli.datasets.synth_task import generator
from iqa_cli.images.distortions import LEVELS, distort
from iqa_cli.training.pictures import decode

TYPES = ("gaussian_blur", "white_noise", "jpeg", "jpeg2000", "webp", "avif")
ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}


def large_enough(folder: Path, side: int, wanted: int) -> list[Path]:
    """Photographs of a folder whose longer side is at least so long, `wanted` of them."""
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS]
    found = [path for path in found if max(decode(path).shape[:2]) >= side]
    if len(found) < wanted:
        raise SystemExit(f"{folder}: {len(found)} pictures of {side} pixels, {wanted} are wanted")
    return [found[i] for i in np.linspace(0, len(found) - 1, wanted).round().astype(int)]


def ladders(paths: Sequence[Path], sizes: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Every picture of every ladder; its label is photograph, size, type and level."""
    for place, path in enumerate(paths):
        whole = decode(path)
        source = Source(path.name, path, path.stem)
        for size in sizes:
            scale = size / max(whole.shape[:2])
            reduced = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            image = np.asarray(reduced, dtype=np.uint8)
            yield f"{place} {size} none 0", image
            for kind in TYPES:
                for level in range(1, LEVELS + 1):
                    yield (
                        f"{place} {size} {kind} {level}",
                        distort(image, kind, level, generator(0, source, kind)),
                    )


def main() -> None:
    """Score the ladders and print a table for each weight."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append", help="default: mfenet")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048, 4000])
    parser.add_argument("--photographs", type=int, default=4)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    models = given.model or ["mfenet"]
    paths = large_enough(given.folder, max(given.sizes), given.photographs)
    print(f"{len(paths)} photographs: {', '.join(path.name for path in paths)}\n")
    scores: dict[str, dict[str, float]] = {}
    group = load_many(models, threads=given.threads)
    for prediction in group.score_many(ladders(paths, given.sizes)):
        if prediction.error:
            raise SystemExit(f"{prediction.path}: {prediction.error}")
        scores[prediction.path] = {name: float(value or 0) for name, value in prediction.scores.items()}
    for model in group.names:
        print(f"\n`{model}`: L, and share of neighbours in order\n")
        print("| longer side | " + " | ".join(TYPES) + " | undamaged, mean score |")
        print("|--:|" + "--:|" * (len(TYPES) + 1))
        for size in given.sizes:
            cells = []
            clean = [scores[f"{p} {size} none 0"][model] for p in range(len(paths))]
            for kind in TYPES:
                rows = [
                    [
                        clean[p],
                        *(scores[f"{p} {size} {kind} {level}"][model] for level in range(1, LEVELS + 1)),
                    ]
                    for p in range(len(paths))
                ]
                mean = np.mean([stats.spearmanr(row, -np.arange(LEVELS + 1)).statistic for row in rows])
                cells.append(f"{mean:.3f}, {np.mean(np.diff(rows) < 0):.2f}")
            print(f"| {size} | {' | '.join(cells)} | {np.mean(clean):.1f} |")


if __name__ == "__main__":
    main()
