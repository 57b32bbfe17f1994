"""A map of quality laid over its photograph, with a scale in points."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from iqa_cli.images.photo import Photo
from iqa_cli.scoring.quality_map import QualityMap

#: Longest side of the picture drawn, unless another is asked for.
LONGEST = 1600
#: Share of the colours; the rest is the photograph in grey.
_SHARE = 0.55
#: Fewest points that the colours span: a picture that is the same everywhere should look so.
_SPAN = 20.0
_GREY = 245


def span_of(values: NDArray[np.float32]) -> tuple[float, float]:
    """Points of the first and the last colour: from the 1st to the 99th percentile, in fives, `_SPAN` at
    least, within 0 to 100."""
    low, high = np.percentile(values, (1, 99))
    low, high = 5 * np.floor(low / 5), 5 * np.ceil(high / 5)
    short = max(0.0, _SPAN - (high - low))
    low = float(np.clip(low - 5 * np.ceil(short / 10), 0, 100 - _SPAN))
    high = float(np.clip(high + 5 * np.ceil(short / 10), low + _SPAN, 100))
    return low, high


def overlay(
    photo: Photo, found: QualityMap, span: tuple[float, float] | None = None, *, longest: int = LONGEST
) -> Image.Image:
    """The photograph in grey under the colours of the map, and the scale beside it.

    Colours are viridis: dark blue for the worst, yellow for the best, in order for the colour-blind and in
    grey as well.

    Args:
        photo: Still open.
        found: Its map.
        span: Points of the first and the last colour; None for `span_of`.
        longest: Longest side of the photograph in it.

    Returns:
        RGB, the longer side of the photograph `longest` at most.
    """
    low, high = span or span_of(found.values)
    scale = min(1.0, longest / max(found.width, found.height))
    size = max(1, round(found.width * scale)), max(1, round(found.height * scale))
    grey = cv2.cvtColor(photo.resized(*size, "box", 224 if photo.has_alpha else None), cv2.COLOR_RGB2GRAY)
    fine = np.asarray(cv2.resize(found.values, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    mixed = cv2.addWeighted(
        cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), 1 - _SHARE, _colours(fine, low, high), _SHARE, 0
    )
    bar = _scale(size[1], low, high)
    canvas = Image.new("RGB", (size[0] + bar.width, max(size[1], bar.height)), (_GREY,) * 3)
    canvas.paste(Image.fromarray(np.asarray(mixed, dtype=np.uint8)), (0, 0))
    canvas.paste(bar, (size[0], 0))
    return canvas


def _colours(points: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    index = np.clip(255 * (points - low) / (high - low), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(index, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB))


def _scale(height: int, low: float, high: float) -> Image.Image:
    """The bar of colours with ticks in points, best above."""
    height = max(height, 160)
    unit = int(np.clip(height / 40, 11, 28))
    font = ImageFont.load_default(size=unit)
    top, bottom = 2 * unit, height - unit
    bar = Image.new("RGB", (6 * unit, height), (_GREY,) * 3)
    ramp = np.linspace(high, low, bottom - top, dtype=np.float32)[:, None].repeat(unit, 1)
    bar.paste(Image.fromarray(_colours(ramp, low, high)), (unit, top))
    draw = ImageDraw.Draw(bar)
    draw.text((unit, unit // 3), "MOS, points", fill=0, font=ImageFont.load_default(size=0.8 * unit))
    step = next(s for s in (1, 2, 5, 10, 20, 50) if (high - low) / s * 1.6 * unit <= bottom - top)
    for value in np.arange(np.ceil(low / step) * step, high + 1e-6, step):
        y = top + (high - value) / (high - low) * (bottom - top)
        draw.line((2 * unit, y, 2.4 * unit, y), fill=0)
        draw.text((2.7 * unit, y), f"{value:g}", fill=0, font=font, anchor="lm")
    return bar
