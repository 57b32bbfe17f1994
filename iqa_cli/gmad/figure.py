"""The four-panel figure of gMAD papers: each of two models fixed at low and at high quality, the other one at
its extremes. Drawn with Pillow at 300 dots per inch for the width of a page in print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from iqa_cli.errors import ImageError, UsageError
from iqa_cli.gmad.session import Competition, Pair, Picture
from iqa_cli.images.decode import open_photo
from iqa_cli.images.lettering import drawable, fitting
from iqa_cli.replacing import replacing, unwritable
from iqa_cli.text import one_line

DPI = 300
#: 7.16 inches, the two columns of a page of the IEEE, hold four panels.
_PANEL_WIDTH, _PICTURE_HEIGHT = 520, 390
_GAP = 22
# Pixels at 300 dpi: 35 are 8.4 points, 30 are 7.2.
_HEAD, _TEXT, _LINE = 35, 30, 37
_PAPER, _INK, _FAINT, _FRAME, _MARK = "#ffffff", "#101010", "#5a5a5a", "#b8b8b8", "#1f5a9e"


def panels(competition: Competition, one: str, other: str, rank: int = 1) -> list[Pair]:
    """The pairs of a figure: `one` fixed at each level, then `other`; what was not found is missing."""
    levels = list(dict.fromkeys(pair.level for pair in competition.mined))
    found = {(pair.defender, pair.attacker, pair.level, pair.rank): pair for pair in competition.mined}
    keys = [(*models, level, rank) for models in ((one, other), (other, one)) for level in levels]
    return [found[key] for key in keys if key in found]


def draw_figure(pairs: Sequence[Pair], scale: str) -> Image.Image:
    """Draw panels side by side, at most four in a row: above the picture that the attacker prefers, below the
    other one, each with its scores and, where known, its MOS.

    Args:
        pairs: At least one.
        scale: A sentence on the scale of the scores.

    Raises:
        ImageError: A picture cannot be read.
    """
    columns = min(4, len(pairs))
    rows = -(-len(pairs) // columns)
    captions = max(len(_lines(picture, pair)) for pair in pairs for picture in (pair.first, pair.second))
    head = 3 * _LINE + 8
    height = head + 2 * (_PICTURE_HEIGHT + captions * _LINE + _GAP) + _GAP
    foot = 2 * _LINE + _GAP
    sheet = Image.new("RGB", (columns * (_PANEL_WIDTH + _GAP) + _GAP, _GAP + rows * height + foot), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        x = _GAP + number % columns * (_PANEL_WIDTH + _GAP)
        y = _GAP + number // columns * height
        title = f"({chr(ord('a') + number % 26)}) {pair.defender} fixed, {pair.level}"
        _write(draw, (x, y), title, _HEAD, _INK)
        _write(draw, (x, y + _LINE + 4), f"{pair.attacker} differs by {pair.attacker_difference:.1f}", _TEXT)
        _write(draw, (x, y + 2 * _LINE), f"{pair.defender} by {abs(pair.defender_difference):.2f}", _TEXT)
        y += head
        for picture, role in ((pair.first, "best"), (pair.second, "worst")):
            _paste(sheet, picture, x, y)
            y += _PICTURE_HEIGHT + 4
            for line in _lines(picture, pair):
                colour = _MARK if line.startswith(f"{pair.attacker}:") else _INK
                text = f"{line} ({role})" if colour == _MARK else line
                _write(draw, (x, y), text, _TEXT, colour)
                y += _LINE
            y += _GAP
    notes = [scale]
    if any(picture.raw for pair in pairs for picture in (pair.first, pair.second)):
        notes.append("In brackets the model's own score, signed so that higher is better.")
    for place, note in enumerate(notes):
        y = sheet.height - foot + place * _LINE
        _write(draw, (_GAP, y), note, _TEXT, _FAINT, width=sheet.width - 2 * _GAP)
    return sheet


def save_figure(figure: Image.Image, path: Path) -> None:
    """Save as PNG or PDF, by the ending of the name, under another name first.

    Raises:
        UsageError: It cannot be written, or has another ending; an old file stays as it was.
    """
    kind = {".png": "PNG", ".pdf": "PDF"}.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"'{one_line(path)}': a figure is a .png or .pdf file")
    try:
        with replacing(path) as file:
            if kind == "PDF":
                # Pictures go into a PDF as JPEG: at this quality letters stay clean.
                figure.save(file, kind, resolution=DPI, quality=95, subsampling=0)
            else:
                figure.save(file, kind, dpi=(DPI, DPI), optimize=True)
    except (OSError, ValueError) as error:
        raise UsageError(unwritable(f"'{one_line(path)}'", error)) from None


def _lines(picture: Picture, pair: Pair) -> list[str]:
    """What stands under a picture: the attacker's score, the defender's, the MOS."""
    lines = [_score(picture, model) for model in (pair.attacker, pair.defender)]
    return lines if picture.mos is None else [*lines, f"MOS: {picture.mos:.1f}"]


def _score(picture: Picture, model: str) -> str:
    """On the common scale; the model's own score too, where it says something else."""
    value, raw = picture.scores[model], picture.raw.get(model)
    return f"{model}: {value:.1f}" + ("" if raw is None or raw == value else f" [{raw:.4g}]")


def _paste(sheet: Image.Image, picture: Picture, x: int, y: int) -> None:
    """The picture as large as its place allows, in a thin frame since it may be white; a small one is
    enlarged."""
    try:
        with open_photo(Path(picture.path), draft_side=_PANEL_WIDTH, min_side=1) as photo:
            factor = min(_PANEL_WIDTH / photo.width, _PICTURE_HEIGHT / photo.height)
            size = max(1, round(photo.width * factor)), max(1, round(photo.height * factor))
            small = Image.fromarray(photo.resized(*size, background=255 if photo.has_alpha else None))
    except ImageError as error:
        raise ImageError(f"{one_line(picture.name)}: {error.message}") from None
    y += _PICTURE_HEIGHT - small.height
    sheet.paste(small, (x, y))
    ImageDraw.Draw(sheet).rectangle((x, y, x + small.width - 1, y + small.height - 1), outline=_FRAME)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    colour: str = _INK,
    width: int = _PANEL_WIDTH,
) -> None:
    """A line of text, smaller where it is wider than its place, and cut where that would be illegible."""
    shown = drawable(text)
    font = ImageFont.load_default(size)
    while size > 22 and font.getlength(shown) > width:
        size -= 1
        font = ImageFont.load_default(size)
    draw.text(place, fitting(shown, font, width), colour, font)
