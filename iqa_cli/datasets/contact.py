"""A contact sheet: many pictures of a database on one, with names and scores, over a histogram of scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from iqa_cli.datasets.decodable import in_threads
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.images.decode import open_photo
from iqa_cli.images.lettering import Font, drawable, fitting
from iqa_cli.replacing import unwritable, writing_to
from iqa_cli.text import one_line

#: Formats of the sheet by the ending of its name, and what they are saved with.
FORMATS = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 90, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 90, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 90}),
}

_TILE = 160
_LINE = 16
_GAP = 8
_CHART = 150
_PAPER, _INK, _BAR, _FAINT = "#ffffff", "#202020", "#4a78b0", "#b0b0b0"


@dataclass(frozen=True)
class Tile:
    """A picture of the sheet and the lines under it."""

    path: Path
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Histogram:
    """Scores counted in equal bins: `counts[i]` of them lie from `edges[i]` to `edges[i + 1]`, the last edge
    included."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, scores: Sequence[float], low: float, high: float, bins: int = 20) -> Histogram:
        """Count scores on a scale from `low` to `high`, low below high; scores outside of it stretch it."""
        counts, edges = np.histogram(
            scores, bins=bins, range=(min(low, *scores, high), max(high, *scores, low))
        )
        return cls(tuple(edges.tolist()), tuple(counts.tolist()))


def contact_sheet(
    tiles: Sequence[Tile],
    columns: int,
    histogram: Histogram | None,
    title: str,
    threads: int,
    done: Callable[[], None],
) -> tuple[Image.Image, list[tuple[Path, str]]]:
    """Draw a sheet.

    Args:
        tiles: In reading order.
        columns: Tiles in a row, at least 1.
        histogram: Drawn above the tiles; None leaves it out.
        title: A line at the top.
        threads: Threads that decode.
        done: Called for each picture drawn.

    Returns:
        The sheet, and which pictures could not be read (their tiles say so) and why.
    """
    lines = max((len(tile.lines) for tile in tiles), default=0)
    height = _TILE + lines * _LINE + _GAP
    head = 2 * _LINE + (_CHART + _GAP if histogram else 0)
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (_TILE + _GAP) + _GAP, head + rows * height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    draw.text((_GAP, _GAP), drawable(title), _INK, ImageFont.load_default(14))
    if histogram:
        _draw_histogram(draw, histogram, sheet.width, font)
    failed = []
    for number, (tile, picture) in enumerate(in_threads(_thumbnail, tiles, threads)):
        x = _GAP + number % columns * (_TILE + _GAP)
        y = head + number // columns * height
        if isinstance(picture, str):
            failed.append((tile.path, picture))
            draw.rectangle((x, y, x + _TILE - 1, y + _TILE - 1), outline=_FAINT)
            draw.text((x + 8, y + _TILE // 2), "cannot be read", _INK, font)
        else:
            sheet.paste(picture, (x + (_TILE - picture.width) // 2, y + (_TILE - picture.height) // 2))
        for place, text in enumerate(tile.lines):
            draw.text((x, y + _TILE + 2 + place * _LINE), fitting(drawable(text), font, _TILE), _INK, font)
        done()
    return sheet, failed


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Save in the format of the file's ending, one of `FORMATS`, under another name first.

    Raises:
        DatasetError: It cannot be written; an old file stays as it was.
    """
    kind, options = FORMATS[path.suffix.lower()]
    try:
        with writing_to(path) as file:
            sheet.save(file, kind, **options)
    except (OSError, ValueError) as error:
        raise DatasetError(unwritable(f"'{one_line(path)}'", error)) from None


def spread_evenly(count: int, wanted: int) -> list[int]:
    """Up to `wanted` places of `count` in order, the first and the last among them."""
    if wanted >= count:
        return list(range(count))
    return sorted({round(place) for place in np.linspace(0, count - 1, wanted).tolist()})


def _thumbnail(tile: Tile) -> Image.Image | str:
    """The picture reduced into a tile; why not, where it cannot be read."""
    try:
        with open_photo(tile.path, draft_side=_TILE, min_side=1) as photo:
            factor = min(_TILE / photo.width, _TILE / photo.height, 1)
            size = max(1, round(photo.width * factor)), max(1, round(photo.height * factor))
            return Image.fromarray(photo.resized(*size, background=255 if photo.has_alpha else None))
    except ImageError as error:
        return error.message


def _draw_histogram(draw: ImageDraw.ImageDraw, histogram: Histogram, width: int, font: Font) -> None:
    """Bars over the whole width, with the scale under them and the highest count beside the tallest."""
    top, bottom = 2 * _LINE, 2 * _LINE + _CHART - _LINE
    step = (width - 2 * _GAP) / len(histogram.counts)
    highest = max(histogram.counts) or 1
    draw.line((_GAP, bottom, width - _GAP, bottom), _INK)
    every = max(1, round(64 / step))
    for number, counted in enumerate(histogram.counts):
        x = _GAP + number * step
        y = bottom - (bottom - top - _LINE) * counted / highest
        if counted:
            draw.rectangle((x + 1, min(y, bottom - 1), x + step - 2, bottom - 1), fill=_BAR)
        if counted == highest:
            draw.text((x + 1, y - _LINE + 2), f"{counted:,}", _INK, font)
        if number % every == 0:
            draw.text((x, bottom + 2), f"{histogram.edges[number]:.4g}", _INK, font)
