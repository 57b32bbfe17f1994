"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iqa_cli.report import write_report
from tests.report.browser import CHROMIUM, Tab, chromium
from tests.report.results import HOSTILE, made_part, made_result

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """All that a report can hold: two parts, long and hostile names, pictures, no figures at all."""
    paths = sorted(examples.glob("*.jpg"))
    part = made_part(120, deviations=np.full(120, 8.0))
    files = [paths[i % len(paths)] for i in range(120)]
    labels = [("x" * 120, HOSTILE, "blur")[i % 3] for i in range(400)]
    other = made_part(
        400,
        dataset="a database of a long name " * 4,
        names=tuple(f"{'folder/' * 20}{i}{HOSTILE}" for i in range(400)),
        kinds={"distortion": labels, "level": [str(i % 5 - 2) for i in range(400)]},
    )
    met = np.arange(120) % 10 == 0
    results = [
        made_result(part, scorer="network", paths=files, met=met, near=np.zeros(120, bool)),
        made_result(part, lambda y: 10 ** (y / 20), scorer="variance", kind="baseline"),
        made_result(other, lambda y: -1e12 * y, scorer=HOSTILE * 3, kind="file"),
        made_result(other, np.full(400, 1.0), scorer="constant"),
    ]
    place = tmp_path_factory.mktemp("report") / "report.html"
    write_report(place, results, command="iqa eval " + "--option value " * 30)
    return place


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def _told(tab: Tab, *methods: str) -> list[dict[str, Any]]:
    return [event["params"] for event in tab.events if event["method"] in methods]


def _beyond(tab: Tab) -> list[str]:
    """Elements that reach out of the screen to the right."""
    found: list[str] = tab.evaluate(
        "[...document.querySelectorAll('body *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + .5)"
        ".map(e => e.tagName + ': ' + e.textContent.slice(0, 80))"
    )
    return found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_it_fits_is_quiet_and_loads_nothing(
    tab: Tab, report: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    tab.open(report, width, dark=dark)
    assert tab.evaluate("innerWidth") == width
    assert _beyond(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert (
        _told(tab, "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.dialog")
        == []
    )
    asked = [event["request"]["url"] for event in _told(tab, "Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [report.resolve().as_uri()]
    # The colours of the scheme are there, and what is taken is no empty page.
    dark_paper = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    assert dark_paper == dark
    tab.screenshot(tmp_path / f"{width}.png")
    assert (tmp_path / f"{width}.png").stat().st_size > 30_000


def test_all_pictures_are_decoded(tab: Tab, report: Path) -> None:
    tab.open(report, 1280)
    sizes = tab.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) == 12
    assert min(sizes) > 0


@pytest.mark.parametrize("width", [360, 1280])
def test_a_screen_reader_finds_tables_with_heads_and_names_of_pictures(
    tab: Tab, report: Path, width: int
) -> None:
    tab.open(report, width)
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    found: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "")
            found.setdefault(node["role"]["value"], []).append(name)
    assert found["main"]
    assert len(found["table"]) >= 5
    assert {"SRCC", "RMSE, points", "Met in training"} <= set(found["columnheader"])
    assert any(name.startswith("network") for name in found["rowheader"])
    # Charts and photographs alike.
    assert len(found["image"]) >= 12 + 6
    assert all(found["image"])
    assert found["heading"][0] == "Quality scores against human opinion"


def test_the_keyboard_reaches_the_sections(tab: Tab, report: Path) -> None:
    tab.open(report, 1280)
    reached = []
    for _ in range(3):
        for kind in ("rawKeyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(tab.evaluate("document.activeElement.textContent"))
    assert reached == ["To the figures", "network", "variance"]
    target = tab.evaluate("document.activeElement.getAttribute('href')")
    assert tab.evaluate(f"document.querySelector('{target}').textContent") == "variance"


def test_it_prints_in_ink_on_paper(tab: Tab, report: Path) -> None:
    # The width that A4 leaves.
    tab.open(report, 718, dark=True, media="print")
    assert _beyond(tab) == []
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
