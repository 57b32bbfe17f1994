"""What scoring takes beside decoding and the network: seconds of CPU by the picture; prints a Markdown table.

    python -m benchmarks.overhead [WEIGHT] [--turns 3]

The pictures are the mosaics of `score_sizes.py`. "Decoder" is Pillow alone, from the file to all pixels;
"opening" what scoring does to have them; "reducing" making the whole view and the glance of them; "crops" all
up to the crops, opening and reducing included; "network" the same crops in batches; "all" a picture of
`score_many`; "neither" its share that is neither opening nor network, "the rest" that which is neither crops
nor network. One thread of the network, the least of the turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.score_sizes import SIZES, mosaic
from iqa_cli import load
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.photo import Photo


def seconds_of(run: Callable[[], object]) -> float:
    """Of CPU, all threads."""
    began = time.process_time()
    run()
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("weight", nargs="?", default="mfenet")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    scorer = load(options.weight, device="cpu", threads=1)
    policy = scorer.policy
    titles = (
        *("decoder, s", "opening, s", "times the decoder", "reducing, s", "crops, s", "times the decoder"),
        *("network, s", "all, s", "neither, of all", "the rest, of all"),
    )
    print(f"| picture | {' | '.join(titles)} |\n| --- |{' --: |' * len(titles)}")
    with tempfile.TemporaryDirectory() as name:
        for label, size in SIZES.items():
            path = Path(name) / "picture.jpg"
            mosaic(*size).save(path, quality=92)

            def decoder(path: Path = path) -> None:
                with Image.open(path) as image:
                    image.load()

            def opening(path: Path = path) -> None:
                open_photo(path).close()

            def reducing(photo: Photo) -> None:
                sizes = {policy.whole_size(photo.width, photo.height)}
                if policy.glance_weight:
                    sizes.add(policy.glance_size(photo.width, photo.height))
                sizes -= {(photo.width, photo.height)}
                averaged = photo.averaged(*max(sizes)) if sizes else photo
                for size in sizes:
                    averaged.resized(*size, policy.kernel, quick=True)

            def cutting(path: Path = path) -> np.ndarray:
                with open_photo(path) as photo:
                    return np.stack([crop.pixels for crop in iter_crops(photo, policy, quick=True)])

            crops, opened = cutting(), open_photo(path)
            steps: list[Callable[[], object]] = [
                decoder,
                opening,
                lambda opened=opened: reducing(opened),  # type: ignore[misc]
                cutting,
                lambda crops=crops: scorer.predict_crops(crops),  # type: ignore[misc]
                lambda path=path: list(scorer.score_many([path])),  # type: ignore[misc]
            ]
            turns = [[seconds_of(step) for step in steps] for _ in range(options.turns)]
            opened.close()
            bare, had, reduced, cut, network, whole = np.min(turns, axis=0)
            neither, rest = (max(0.0, whole - pixels - network) / whole for pixels in (had, cut))
            print(
                f"| {label} | {bare:.3f} | {had:.3f} | {had / bare:.2f} | {reduced:.3f} | {cut:.3f} "
                f"| {cut / bare:.2f} | {network:.3f} | {whole:.3f} | {neither:.1%} | {rest:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
