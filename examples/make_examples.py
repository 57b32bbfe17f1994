"""Make the distorted example pictures again from the originals in this folder.

    python examples/make_examples.py [--out FOLDER]

Needs only Pillow and NumPy. The same versions of the two give the same files byte for byte: the noise is
seeded and nothing depends on the clock. What each file shows is written in ORIGIN.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

HERE = Path(__file__).resolve().parent
Distortion = Callable[[Image.Image], Image.Image]


def blur(radius: float) -> Distortion:
    """Out of focus: a Gaussian of the given standard deviation in pixels."""
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(radius))


def upscaled(factor: int) -> Distortion:
    """A thumbnail blown up: reduced by `factor` with an antialiasing filter, then enlarged bicubically."""

    def apply(picture: Image.Image) -> Image.Image:
        small = picture.resize((picture.width // factor, picture.height // factor), Image.Resampling.LANCZOS)
        return small.resize(picture.size, Image.Resampling.BICUBIC)

    return apply


def noise(sigma: float, seed: int, exposure: float = 1.0) -> Distortion:
    """Gaussian noise of `sigma` 8-bit levels in every channel, after the light is scaled by `exposure`."""

    def apply(picture: Image.Image) -> Image.Image:
        levels = np.asarray(picture, dtype=np.float64)
        # Exposure acts on light, not on encoded levels; a plain power of 2.2 is close enough to sRGB.
        levels = 255.0 * ((levels / 255.0) ** 2.2 * exposure) ** (1 / 2.2)
        levels = levels + np.random.default_rng(seed).normal(0.0, sigma, levels.shape)
        return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))

    return apply


def shake(length: int, slope: float) -> Distortion:
    """Camera shake: the mean of `length` copies shifted along a line of the given slope, borders repeated."""

    def apply(picture: Image.Image) -> Image.Image:
        levels = np.asarray(picture, dtype=np.float64)
        height, width = levels.shape[:2]
        padded = np.pad(levels, ((length, length), (length, length), (0, 0)), mode="edge")
        total = np.zeros_like(levels)
        for step in range(length):
            dx = step - length // 2
            dy = round(slope * dx)
            total += padded[length + dy : length + dy + height, length + dx : length + dx + width]
        return Image.fromarray(np.rint(total / length).astype(np.uint8))

    return apply


def unchanged(picture: Image.Image) -> Image.Image:
    """For the files whose distortion is the JPEG quality they are saved with."""
    return picture


# Made file: (original, distortion, JPEG quality it is saved with)
RECIPES: dict[str, tuple[str, Distortion, int]] = {
    "alpaca-dark.jpg": ("alpaca.jpg", noise(sigma=10.0, seed=11, exposure=0.07), 90),
    "cliffs-noise.jpg": ("cliffs.jpg", noise(sigma=30.0, seed=7), 85),
    "college-shake.jpg": ("college.jpg", shake(length=17, slope=0.35), 90),
    "dog-blur.jpg": ("dog.jpg", blur(3.0), 90),
    "dog-jpeg.jpg": ("dog.jpg", unchanged, 5),
    "lunch-upscaled.jpg": ("lunch.jpg", upscaled(5), 90),
    "palace-jpeg.jpg": ("palace.jpg", unchanged, 7),
}


def make(out: Path) -> None:
    """Write every distorted example into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for name, (original, distort, quality) in RECIPES.items():
        with Image.open(HERE / original) as picture:
            made = distort(picture.convert("RGB"))
        # 4:2:0 for the JPEG examples, as phones and web sites save; full chroma where JPEG is not the point.
        subsampling = 2 if distort is unchanged else 0
        made.save(out / name, quality=quality, subsampling=subsampling)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: this one)")
    make(parser.parse_args().out)
