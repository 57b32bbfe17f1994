"""A labelled data set small enough to train on in seconds: cuttings of the example photographs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

#: Options that keep a run of `iqa train` to seconds.
TINY = [
    "--net",
    "van=tiny",
    "--net",
    "dan=none",
    "--net",
    "head_width=8",
    "--set",
    "size=64",
    "--threads",
    "1",
]
PHOTOS = ("dog.jpg", "cliffs.jpg", "alpaca.jpg", "palace.jpg", "college.jpg", "lunch.jpg")


def make_data(
    folder: Path, examples: Path, parts: Sequence[tuple[str, int]] = (("train", 12), ("calib", 6), ("val", 4))
) -> Path:
    """Write `labels.csv` and `images/`: cuttings of 160x120 pixels, the later ones blurred, each its own
    group."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(5)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "mos", "group", "split"])
        for part, number in parts:
            for i in range(number):
                with Image.open(examples / PHOTOS[i % len(PHOTOS)]) as photo:
                    x, y = (int(rng.integers(side - 160)) for side in photo.size)
                    cut = photo.convert("RGB").crop((x, y, x + 160, y + 120))
                blur = 4 * i / number
                cut.filter(ImageFilter.GaussianBlur(blur)).save(folder / "images" / f"{part}{i:02}.png")
                writer.writerow(
                    [f"{part}{i:02}.png", round(5 - blur + rng.random() / 5, 3), f"{part}{i}", part]
                )
    return folder
