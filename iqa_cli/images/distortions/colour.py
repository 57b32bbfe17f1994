"""KADID-10k's colour distortions: diffusion, shift, quantisation and two of saturation."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from iqa_cli.images.distortions.common import Image, as_uint8, from_lab, to_lab, to_uint8

_DIFFUSION_SIGMA = (2.5, 5.0, 9.0, 16.0, 32.0)
_SHIFT_PIXELS = (2.0, 3.5, 6.0, 10.0, 17.0)
_SHIFT_GAIN = (0.4, 0.5, 0.65, 0.8, 1.0)
_COLOURS = (64, 28, 13, 6, 3)
_SATURATION_HSV = (0.65, 0.48, 0.32, 0.16, 0.0)
_SATURATION_LAB = (1.45, 1.9, 2.6, 3.8, 6.0)
_SAMPLE = 4096
_LLOYD_ROUNDS = 6


def color_diffusion(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Gaussian blur of the two colour channels of Lab; the lightness stays sharp."""
    lab, sigma = to_lab(image), _DIFFUSION_SIGMA[level - 1]
    height, width = image.shape[:2]
    colour = np.ascontiguousarray(lab[:, :, 1:])
    # A wide blur costs a fraction on a reduced picture and leaves nothing that its pixels could not hold.
    factor = max(1, int(sigma / 4))
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    if factor > 1:
        reduced = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
        reduced = cv2.GaussianBlur(reduced, (0, 0), sigma / factor)
        lab[:, :, 1:] = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        lab[:, :, 1:] = cv2.GaussianBlur(colour, (0, 0), sigma)
    return from_lab(lab)


def color_shift(image: Image, level: int, rng: np.random.Generator) -> Image:
    """The green channel moved in a random direction and blended in where the picture has edges.

    As in KADID-10k the weight of the blend is the gradient of the picture. Ours: relative to twice its mean,
    widened by half the movement so that the moved edge is seen too, and with a gain that grows by level.
    """
    pixels, angle = _SHIFT_PIXELS[level - 1], rng.uniform(0, 2 * math.pi)
    height, width = image.shape[:2]
    move = np.array([[1, 0, pixels * math.cos(angle)], [0, 1, pixels * math.sin(angle)]])
    green = np.ascontiguousarray(image[:, :, 1])
    moved = cv2.warpAffine(green, move, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    gradient = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    reach = 2 * math.ceil(pixels / 2) + 1
    gradient = cv2.blur(gradient, (reach, reach))
    weight = np.minimum(gradient / np.float32(2 * float(gradient.mean()) + 1e-6), 1)
    weight *= np.float32(_SHIFT_GAIN[level - 1])
    out = image.copy()
    blended = green + weight * (np.asarray(moved, dtype=np.float32) - green)
    out[:, :, 1] = np.rint(blended).astype(np.uint8)
    return out


def color_quantization(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Few colours, by a palette of least variance, dithered after Floyd and Steinberg."""
    palette = _palette(image, _COLOURS[level - 1])
    holder = Pillow.new("P", (1, 1))
    holder.putpalette(palette.tobytes())
    dithered = Pillow.fromarray(image).quantize(palette=holder, dither=Pillow.Dither.FLOYDSTEINBERG)
    # Colours that the palette lacks are black in the holder; an index beyond it cannot come back as colour.
    return as_uint8(palette[np.minimum(np.asarray(dithered), len(palette) - 1)])


def color_saturation_1(image: Image, level: int, rng: np.random.Generator) -> Image:
    """Less saturation in HSV, down to grey at level 5 (KADID-10k goes on to negative factors, ours does not).

    With the hue and the value kept, scaling S by f is V - f (V - RGB) for each channel.
    """
    value = cv2.max(cv2.max(image[:, :, 0], image[:, :, 1]), image[:, :, 2])
    factor = _SATURATION_HSV[level - 1]
    return as_uint8(cv2.addWeighted(image, factor, cv2.merge([value] * 3), 1 - factor, 0))


def color_saturation_2(image: Image, level: int, rng: np.random.Generator) -> Image:
    """More saturation: the two colour channels of Lab multiplied, clipped to sRGB."""
    lab = to_lab(image)
    lab[:, :, 1:] *= np.float32(_SATURATION_LAB[level - 1])
    return from_lab(lab)


def _palette(image: Image, colours: int) -> Image:
    """[<= colours, 3]: median cut over a grid of pixels, then Lloyd's algorithm to less variance."""
    step = max(1, math.ceil(math.sqrt(image.shape[0] * image.shape[1] / _SAMPLE)))
    sample = np.ascontiguousarray(image[::step, ::step])
    cut = Pillow.fromarray(sample).quantize(
        colours, method=Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.NONE
    )
    centres = np.array(cut.getpalette(), dtype=np.float32).reshape(-1, 3)[:colours]
    pixels = sample.reshape(-1, 3).astype(np.float32)
    for _ in range(_LLOYD_ROUNDS):
        centres = _lloyd(pixels, centres)
    return to_uint8(centres[None])[0]


def _lloyd(pixels: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    nearest = np.argmin((centres**2).sum(1) - 2 * pixels @ centres.T, axis=1)
    count = np.bincount(nearest, minlength=len(centres))
    sums = np.stack([np.bincount(nearest, pixels[:, c], len(centres)) for c in range(3)], axis=1)
    return np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], centres).astype(np.float32)
