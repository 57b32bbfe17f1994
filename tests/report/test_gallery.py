"""The page of `iqa report` in a real browser, with ten thousand pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iqa_cli.prediction import Prediction
from iqa_cli.report.frame import write_page
from iqa_cli.report.gallery import Entry, address_of, gallery
from iqa_cli.report.previews import data_uri, jpeg
from iqa_cli.standing import standings
from tests.report.browser import CHROMIUM, Tab, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

N = 10_000
HOSTILE = "<img src=x onerror=alert(1)></script><b>&amp;\x1b[31m\u202egpj.jpg"


def flat(level: int) -> str:
    return data_uri(jpeg(np.full((24, 36, 3), level, np.uint8)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Number i scores i / 100 points, but for one that has no score; number 0 has a name that means harm, a
    file that lies beside the page and a map, number 1 a file that does not."""
    folder = tmp_path_factory.mktemp("gallery")
    place = folder / "report.html"
    names = [HOSTILE, *(f"{'long folder/' * (i % 3)}{i:05}.jpg" for i in range(1, N))]
    records = [
        Prediction(
            path=name,
            score=None if i == 5000 else i / 100,
            error="is damaged" if i == 5000 else None,
            model="mfenet",
            spread=float(i % 7),
            width=100 + i,
            height=1000,
            distortion=None if i == 5000 else (None, "pristine", "jpeg")[i % 3],
            distortion_level=3 if i % 3 == 2 else None,
            scores={"mfenet": i / 100, HOSTILE: 50.0},
        )
        for i, name in enumerate(names)
    ]
    (folder / "beside.png").write_bytes(png())
    files = {0: "beside.png", 1: "gone.png"}
    shades = [flat(level) for level in (60, 120, 180)]
    entries = [
        Entry(
            standing,
            cautions=("flat",) if i % 100 == 0 and i != 5000 else (),
            preview=shades[i % 3],
            width=36,
            height=24,
            original=address_of(str(folder / files[i]), place) if i in files else None,
            quality_map=flat(0) if i == 0 else None,
        )
        for i, standing in enumerate(standings(records))
    ]
    write_page(place, gallery(entries, title=HOSTILE, model=HOSTILE, notes=[HOSTILE], command=HOSTILE))
    return place


def png() -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.full((50, 70, 3), 200, np.uint8))[1])


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def names(tab: Tab) -> list[str]:
    """The cards that are drawn."""
    return list(tab.evaluate("[...document.querySelectorAll('#shown li')].map(e => e.row.name)"))


def change(tab: Tab, field: str, value: object) -> str:
    """What is written below the filters after one has been set."""
    tab.evaluate(
        f"(e => {{ e.value = {json.dumps(str(value))}; "
        f"e.dispatchEvent(new Event('input', {{bubbles: true}})); return 1 }})"
        f"(document.getElementById({json.dumps(field)}))"
    )
    return str(tab.evaluate("document.getElementById('count').textContent"))


def press(tab: Tab, key: str) -> None:
    code = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27, "Enter": 13}
    press = {"key": key, "code": key, "windowsVirtualKeyCode": code.get(key, 0)}
    text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
    tab.call("Input.dispatchKeyEvent", type="keyDown", **press, **text)
    tab.call("Input.dispatchKeyEvent", type="keyUp", **press)


def settled(tab: Tab, expression: str) -> Any:
    """The value of an expression once two frames have been drawn."""
    wait = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    found = tab.call(
        "Runtime.evaluate",
        expression=f"{wait}.then(() => {expression})",
        returnByValue=True,
        awaitPromise=True,
    )
    assert "exceptionDetails" not in found, found
    return found["result"].get("value")


def large(tab: Tab) -> str | None:
    return settled(
        tab,
        "document.getElementById('large').open ? document.getElementById('large-name').textContent : null",
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_it_fits_is_quiet_and_asks_nobody(
    tab: Tab, page: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    tab.open(page, width, dark=dark)
    reaching = (
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('dialog') && "
        "e.getBoundingClientRect().right > innerWidth + .5).map(e => e.tagName + e.textContent.slice(0, 60))"
    )
    assert tab.evaluate(reaching) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate("document.querySelector('#cards').scrollIntoView(), 1")
    settled(tab, "1")
    # Those in sight are there, not ten thousand.
    assert 2 <= len(names(tab)) <= 60
    tab.evaluate("document.querySelector('#shown button').click(), 1")
    assert large(tab) is not None
    assert (
        tab.evaluate(
            "[...document.querySelectorAll('dialog, dialog *')].filter(e => "
            "e.getBoundingClientRect().right > innerWidth + .5).map(e => e.id)"
        )
        == []
    )
    said = (
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Page.javascriptDialogOpening",
    )
    assert [event for event in tab.events if event["method"] in said] == []
    asked = [e["params"]["request"]["url"] for e in tab.events if e["method"] == "Network.requestWillBeSent"]
    beside = page.with_name("beside.png").resolve().as_uri()
    assert {url for url in asked if not url.startswith("data:")} <= {page.resolve().as_uri(), beside}
    tab.screenshot(tmp_path / "page.png", whole=False)
    assert (tmp_path / "page.png").stat().st_size > 8_000


@pytest.mark.parametrize("width", [390, 1280])
def test_the_first_pictures_are_in_sight_at_once(tab: Tab, tmp_path: Path, width: int) -> None:
    """A screen of 800 pixels began with a histogram and filters, and ended where the pictures began."""
    place = tmp_path / "report.html"
    records = [Prediction(f"holiday/{i}.jpg", 40.0 + i, None, "mfenet", distortion="jpeg") for i in range(12)]
    entries = [Entry(standing, ("flat",), flat(99), 36, 24) for standing in standings(records)]
    write_page(
        place, gallery(entries, title="holiday", model="mfenet", command="iqa report holiday/ -o r.html")
    )
    tab.open(place, width)
    top, tall = tab.evaluate(
        "(() => { const r = document.querySelector('#shown li').getBoundingClientRect();"
        " return [r.top, r.height] })()"
    )
    assert top + 0.5 * tall < 800
    if width == 1280:  # the filters are one row
        low, high = tab.evaluate(
            "(() => { const ends = [...document.querySelectorAll('.fields select, .fields button')]"
            ".map(e => e.getBoundingClientRect().bottom); return [Math.min(...ends), Math.max(...ends)] })()"
        )
        assert high - low < 10


def test_names_are_shown_as_they_are_written(tab: Tab, page: Path) -> None:
    tab.open(page, 1280)
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert names(tab)[0] == shown
    assert tab.evaluate("document.querySelector('h1').textContent") == f"Quality of {shown}"
    assert tab.evaluate("[...document.querySelectorAll('main b')].length") == 0
    tab.evaluate("document.querySelector('#shown button').click(), 1")
    assert large(tab) == shown


def test_orders_and_filters(tab: Tab, page: Path) -> None:
    tab.open(page, 1280)
    assert names(tab)[1:4] == ["long folder/00001.jpg", "long folder/long folder/00002.jpg", "00003.jpg"]
    assert change(tab, "order", "best") == "10,000 pictures"
    assert names(tab)[0] == "09999.jpg"
    change(tab, "order", "large")
    assert names(tab)[0].endswith("09999.jpg")
    assert change(tab, "score-low", 99) == "100 of 10,000 pictures"
    assert change(tab, "score-high", 99.5) == "51 of 10,000 pictures"
    change(tab, "score-low", "")
    change(tab, "score-high", "")
    # Number i is above i of the 9,998 others below number 5000, which has no score.
    assert change(tab, "here-low", 99.505) == "50 of 10,000 pictures"
    change(tab, "here-low", "")
    assert change(tab, "size-high", 0.2) == "101 of 10,000 pictures"
    change(tab, "size-high", "")
    assert change(tab, "distortion", "jpeg") == "3,332 of 10,000 pictures"
    assert change(tab, "warning", "flat") == "32 of 10,000 pictures"
    change(tab, "distortion", "")
    assert change(tab, "warning", "failed") == "1 of 10,000 pictures"
    assert "is damaged" in tab.evaluate("document.querySelector('#shown').textContent")
    change(tab, "warning", "")
    assert change(tab, "name", "FOLDER/LONG") == "3,333 of 10,000 pictures"
    tab.evaluate("document.querySelector('button[type=reset]').click(), 1")
    assert settled(tab, "document.getElementById('count').textContent") == "10,000 pictures"
    tab.evaluate("document.querySelectorAll('#histogram .hit')[19].dispatchEvent(new Event('click')), 1")
    assert settled(tab, "document.getElementById('count').textContent") == "500 of 10,000 pictures"
    tab.evaluate("document.querySelectorAll('#histogram .hit')[19].dispatchEvent(new Event('click')), 1")
    assert settled(tab, "document.getElementById('count').textContent") == "10,000 pictures"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_end_of_the_list_is_reached(tab: Tab, page: Path, width: int) -> None:
    tab.open(page, width)
    tab.evaluate("document.querySelector('#cards').scrollIntoView(false), 1")
    settled(tab, "1")
    # The one without a score comes last.
    assert names(tab)[-2:] == ["09999.jpg", "long folder/long folder/05000.jpg"]
    places = tab.evaluate("[...document.querySelectorAll('#shown li')].map(e => Number(e.dataset.place))")
    assert places == list(range(N - len(places), N))


def test_keys_move_in_the_list_and_in_the_large_view(tab: Tab, page: Path) -> None:
    tab.open(page, 1280)
    columns = tab.evaluate(
        "getComputedStyle(document.getElementById('shown')).gridTemplateColumns.split(' ').length"
    )
    focused = "document.activeElement.closest('li')?.dataset.place ?? null"
    tab.evaluate("document.querySelector('#shown button').focus(), 1")
    for key, place in (("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowLeft", columns), ("End", N - 1)):
        press(tab, key)
        assert settled(tab, focused) == str(place)
    press(tab, "Home")
    assert settled(tab, focused) == "0"
    press(tab, "Enter")
    assert large(tab) is not None
    picture = "document.getElementById('picture').src"
    assert settled(tab, picture).endswith("/beside.png")
    press(tab, "m")
    assert settled(tab, picture).startswith("data:")
    assert tab.evaluate("document.getElementById('toggle').getAttribute('aria-pressed')") == "true"
    press(tab, "m")
    press(tab, "ArrowRight")
    assert large(tab) == "long folder/00001.jpg"
    # Its file is not there: the preview is.
    for _ in range(50):
        if settled(tab, picture).startswith("data:"):
            break
    assert tab.evaluate("document.getElementById('picture').naturalWidth") == 36
    assert tab.evaluate("document.getElementById('toggle').hidden")
    press(tab, "End")
    assert large(tab) == "long folder/long folder/05000.jpg"
    press(tab, "Escape")
    assert large(tab) is None
    assert settled(tab, focused) == str(N - 1)


def test_a_screen_reader_finds_names_and_numbers(tab: Tab, page: Path) -> None:
    tab.open(page, 1280)
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    found: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            found.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert any("0.0" in name and "bad" in name for name in found["button"])
    assert all(found["button"])
    assert found["heading"][0].startswith("Quality of ")
    labelled = found["spinbutton"] + found["combobox"] + found["searchbox"]
    assert len(labelled) == 10
    assert all(labelled)
