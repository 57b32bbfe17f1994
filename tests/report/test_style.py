"""Text and marks stand out from what is behind them, in light and in dark (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

_STYLE = resources.files("iqa_cli.report").joinpath("style.css").read_text(encoding="utf-8")


def colours(scheme: str) -> dict[str, str]:
    """The variables that hold in a colour scheme."""
    blocks = re.findall(r":root \{(.*?)\}", _STYLE, re.DOTALL)
    light, dark, paper = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": light | dark, "print": light | paper}[scheme]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_contrast(scheme: str) -> None:
    found = colours(scheme)
    for behind in ("paper", "card"):
        for text in ("ink", "faint", "link", "ring"):
            assert contrast(found[text], found[behind]) >= 4.5, (text, behind)
    assert contrast(found["warn"], found["warn-paper"]) >= 4.5
    for mark in ("dot", "met", "curve", "ring"):
        assert contrast(found[mark], found["paper"]) >= 3, mark


def test_black_and_white_are_as_far_apart_as_can_be() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
