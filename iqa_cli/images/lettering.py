"""Text on sheets and figures: what the font of Pillow can draw, in the room that there is."""

from __future__ import annotations

from bisect import bisect_right

from PIL import ImageFont

from iqa_cli.text import printable

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
#: Letters that are always kept.
_FEWEST = 8


def drawable(text: str) -> str:
    """Text from outside as the font can draw it, which has no more than Latin letters."""
    return printable(text).encode("latin-1", "replace").decode("latin-1")


def fitting(text: str, font: Font, width: float) -> str:
    """The text, with its middle left out where it is wider than its place: names differ at their ends.

    Args:
        text: As `drawable` gives it.
        font: What it is drawn with.
        width: In pixels. A text of eight letters is not cut, however wide.
    """
    if len(text) <= _FEWEST or font.getlength(text) <= width:
        return text
    keeping = range(_FEWEST, len(text))
    fit = bisect_right(keeping, width, key=lambda keep: font.getlength(_without_middle(text, keep)))
    return _without_middle(text, keeping[max(0, fit - 1)])


def _without_middle(text: str, keep: int) -> str:
    return f"{text[: keep // 3]}...{text[len(text) - (keep - keep // 3) :]}"
