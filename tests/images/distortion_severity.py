"""How far every level of a distortion is from the undistorted picture, by the metrics of scikit-image."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from iqa_cli.images.distortions import LEVELS, distort

#: Signed so that a worse picture is lower in each.
METRICS = ("PSNR", "SSIM", "-CIEDE2000")
#: A picture in greys has nothing for these to work on.
NEED_COLOUR = ("color_diffusion", "color_saturation_1", "color_saturation_2")
PRISTINE = Path(__file__).resolve().parents[3] / "shared" / "data" / "pristine"


def centre(path: Path, side: int) -> np.ndarray:
    """The middle of a photograph: RGB [side, side, 3], uint8."""
    with Image.open(path) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    top, left = ((length - side) // 2 for length in rgb.shape[:2])
    return np.ascontiguousarray(rgb[top : top + side, left : left + side])


def held_out(folder: Path = PRISTINE) -> list[Path]:
    """The photographs of the `val` part, which nothing is trained on."""
    with (folder / "sources.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [folder / "images" / row["image"] for row in rows if row["split"] == "val"]


def has_colour(picture: np.ndarray) -> bool:
    """Whether there is colour to change: the channels differ by 4 of 255 or more on average."""
    return float(np.ptp(picture, axis=2).mean()) >= 4


def compare(clean: np.ndarray, lab: np.ndarray, made: np.ndarray) -> tuple[float, float, float]:
    """PSNR and SSIM on the three channels of RGB, and minus the mean difference of colour."""
    return (
        float(peak_signal_noise_ratio(clean, made)),
        float(structural_similarity(clean, made, channel_axis=2)),
        -float(deltaE_ciede2000(lab, rgb2lab(made)).mean()),
    )


def ladders(name: str, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """[pictures, levels, metrics] of one distortion; the seed of each picture is its place.

    Pictures in greys are left out where the distortion is one of colour alone.
    """
    if name in NEED_COLOUR:
        pictures = [picture for picture in pictures if has_colour(picture)]
    found = np.empty((len(pictures), LEVELS, len(METRICS)))
    for seed, picture in enumerate(pictures):
        lab = rgb2lab(picture)
        for level in range(1, LEVELS + 1):
            made = distort(picture, name, level, np.random.default_rng(seed))
            found[seed, level - 1] = compare(picture, lab, made)
    return found
