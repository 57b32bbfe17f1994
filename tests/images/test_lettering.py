"""Text fits into its place, and says what it can of a name."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from iqa_cli.images.lettering import drawable, fitting

FONT = ImageFont.load_default(14)


def test_a_text_that_fits_is_left_as_it_is() -> None:
    text = "holiday/img_0001.jpg"
    assert fitting(text, FONT, FONT.getlength(text)) == text


@pytest.mark.parametrize("width", [100, 160, 400])
def test_a_text_that_does_not_fit_loses_its_middle_and_no_more_than_it_must(width: int) -> None:
    text = "a rather long name of a folder/with more in it/" + "x" * 90 + "img_0001.jpg"
    shown = fitting(text, FONT, width)
    first, last = shown.split("...")
    assert text.startswith(first)
    assert text.endswith(last)
    assert first
    assert last
    assert FONT.getlength(shown) <= width
    # With a letter more, "i" being the narrowest, it would hardly fit.
    assert FONT.getlength(shown) > width - 2 * FONT.getlength("w")


@pytest.mark.parametrize("text", ["", "a", "12345678"])
def test_what_is_short_is_not_cut(text: str) -> None:
    assert fitting(text, FONT, 1) == text


def test_of_what_cannot_be_drawn_there_is_a_sign() -> None:
    assert drawable("a\x1b[31m\u540d\udcff\u00fc") == r"a\x1b[31m?\xff" + "\u00fc"
