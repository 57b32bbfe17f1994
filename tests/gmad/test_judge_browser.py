"""The judging page in a real Chromium: voted by script, reloaded, two at once, the server killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.gmad.session import Competition
from iqa_cli.gmad.verdict import verdict_of
from iqa_cli.gmad.votes import FILE, Votes
from tests.conftest import ROOT
from tests.gmad.competitions import make_competition, serving
from tests.report.browser import CHROMIUM, Tab, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

_KEYS = {"left": "ArrowLeft", "right": "ArrowRight", "none": "ArrowDown"}


class Person:
    """Somebody at a tab of the page."""

    def __init__(self, tab: Tab, width: int = 1280, height: int = 800) -> None:
        self.tab = tab
        self.tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=width < 600,
        )

    def open(self, address: str) -> None:
        self.tab.events.clear()
        self.tab.call("Page.navigate", url=address)
        shown = "[...document.querySelectorAll('main')].some(main => !main.hidden)"
        self.until(f"document.readyState === 'complete' && {shown}")

    def until(self, condition: str) -> None:
        """Wait for a JavaScript condition; it fails after long, with what the page shows."""
        for _ in range(600):
            try:
                if self.tab.evaluate(f"Boolean({condition})"):
                    return
            except AssertionError:  # in the middle of loading
                pass
            time.sleep(0.05)
        raise AssertionError(f"never: {condition}: {self.tab.evaluate('document.body.innerText')}")

    def join(self, name: str) -> None:
        self.until("!document.getElementById('begin').hidden")
        self.tab.evaluate(f"document.getElementById('name').value = {json.dumps(name)}")
        self.click("start")

    def click(self, name: str) -> None:
        self.tab.evaluate(f"document.getElementById('{name}').click(), 0")

    def key(self, key: str, **more: Any) -> None:
        for kind in ("keyDown", "keyUp"):
            self.tab.call("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def ready(self, number: int, total: int) -> None:
        """Wait until pair `number` (from 1) can be voted on."""
        self.until(
            f"document.getElementById('count').textContent === '{number} of {total}' && "
            "document.getElementById('vote-left').getAttribute('aria-disabled') === 'false'"
        )

    def done(self) -> None:
        self.until("!document.getElementById('end').hidden")


def _people(profile: Path) -> Iterator[Tab]:
    with chromium(profile) as tab:
        yield tab


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    yield from _people(tmp_path / "profile")


@pytest.fixture
def other_tab(tmp_path: Path) -> Iterator[Tab]:
    yield from _people(tmp_path / "other-profile")


@pytest.fixture
def competition(tmp_path: Path) -> Competition:
    return make_competition(tmp_path / "out", pairs=3, catch=2, side=300)


def _outside(tab: Tab, port: int) -> list[str]:
    """What was asked of anybody but the server."""
    asked = [
        event["params"]["request"]["url"]
        for event in tab.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in asked if not url.startswith((f"http://127.0.0.1:{port}/", "data:"))]


def _complaints(tab: Tab) -> list[Any]:
    wrong = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    return [event["params"] for event in tab.events if event["method"] in wrong]


def test_a_whole_session_by_keys_and_buttons_with_undo_and_a_reload(
    tab: Tab, tmp_path: Path, competition: Competition
) -> None:
    total = len(competition.pairs)
    with serving(tmp_path / "out", competition) as (server, _):
        person = Person(tab)
        person.open(server.address)
        assert "token" not in tab.evaluate("location.href")
        person.join("Ada")
        said = []
        for number in range(1, total + 1):
            person.ready(number, total)
            if number == 3:  # in the middle
                tab.call("Page.reload")
                person.until("!document.getElementById('judge').hidden")
                person.ready(number, total)
            if number == 4:  # a slip, taken back
                person.key("ArrowLeft")
                person.ready(number + 1, total)
                person.key("Backspace")
                person.ready(number, total)
            choice = ("left", "none", "right")[number % 3]
            said.append(choice)
            if number % 2:
                person.key(_KEYS[choice])
            else:
                person.click(f"vote-{choice}")
        person.done()
        assert "all 8 pairs are judged" in tab.evaluate("document.body.innerText")
        assert [vote.choice for vote in server.votes.counted()] == said
        # A time for each vote: the pictures were there.
        assert all(vote.milliseconds is not None for vote in server.votes.counted())
        assert _complaints(tab) == []
        assert _outside(tab, server.port) == []
    with sqlite3.connect(tmp_path / "out" / FILE) as base:
        assert base.execute("SELECT count(*), count(undone) FROM votes").fetchone() == (total + 1, 1)
    base.close()


def test_both_pictures_zoom_and_move_together_and_true_size_is_true(
    tab: Tab, tmp_path: Path, competition: Competition
) -> None:
    total = len(competition.pairs)
    with serving(tmp_path / "out", competition) as (server, _):
        person = Person(tab, width=800, height=360)  # too low for 300 pixels and the buttons
        person.open(server.address)
        person.join("Ada")
        person.ready(1, total)
        shown = "['left', 'right'].map(i => document.getElementById(i).style.transform)"
        whole = [transform.partition("scale")[2] for transform in tab.evaluate(shown)]
        assert whole[0] == whole[1] != "(1)"
        # Next to each other, also where there is room.
        box = "document.getElementById('{}').getBoundingClientRect().{}"
        left, right = (tab.evaluate(box.format(*of)) for of in (("left", "right"), ("right", "left")))
        assert 0 < right - left <= 40
        person.key("z")
        # Across, there is room still, and they stand next to each other.
        true = [transform.partition(", ")[2] for transform in tab.evaluate(shown)]
        assert true[0] == true[1]
        assert "scale(1)" in true[0]
        person.key("ArrowDown", modifiers=8)  # with shift: down the pictures, and no vote
        moved = [transform.partition(", ")[2] for transform in tab.evaluate(shown)]
        assert moved[0] == moved[1] != true[0]
        box = tab.evaluate("JSON.stringify(document.getElementById('pane-right').getBoundingClientRect())")
        place = json.loads(box)
        x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        tab.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-300)
        person.until(f"!{shown}[0].endsWith('{moved[0]}')")
        zoomed = tab.evaluate(shown)
        assert zoomed[0] == zoomed[1]
        for kind, at in (("mousePressed", x), ("mouseMoved", x - 60), ("mouseReleased", x - 60)):
            tab.call("Input.dispatchMouseEvent", type=kind, x=at, y=y, button="left", buttons=1, clickCount=1)
        dragged = tab.evaluate(shown)
        assert dragged[0] == dragged[1] != zoomed[0]
        assert server.votes.counted() == []
        assert _complaints(tab) == []


@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844), (844, 390), (1280, 800)])
def test_it_fits_a_phone_and_can_be_used_by_name(
    tab: Tab, tmp_path: Path, competition: Competition, width: int, height: int
) -> None:
    with serving(tmp_path / "out", competition) as (server, _):
        person = Person(tab, width, height)
        person.open(server.address)
        person.join("Ada")
        person.ready(1, len(competition.pairs))
        beyond = tab.evaluate(
            "[...document.querySelectorAll('button, progress, .pane')].filter(e => e.offsetParent)"
            ".filter(e => { const b = e.getBoundingClientRect();"
            " return b.right > innerWidth + .5 || b.bottom > innerHeight + .5 || b.width < 40; })"
            ".map(e => e.id)"
        )
        assert beyond == []
        low = (
            "['vote-left','vote-none','vote-right'].filter(i => document.getElementById(i).offsetHeight < 44)"
        )
        assert tab.evaluate(low) == []
        # Room for pictures is left.
        assert tab.evaluate("document.getElementById('pane-left').offsetHeight") >= 0.4 * height
        # What a screen reader meets.
        nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
        named = {
            (node["role"]["value"], node["name"]["value"])
            for node in nodes
            if not node.get("ignored") and node.get("name", {}).get("value")
        }
        for role, name in (
            ("image", "The left picture"),
            ("image", "The right picture"),
            ("button", "Left is better"),
            ("button", "No difference"),
            ("button", "Right is better"),
            ("button", "Undo"),
            ("progressbar", "Pairs judged"),
            ("group", "Which picture looks better?"),
        ):
            assert (role, name) in named, (role, name, named)
        assert tab.evaluate("document.getElementById('status').textContent") == "Pair 1 of 8"
        # By keys alone: the focus stays on a button that has voted.
        tab.evaluate("document.getElementById('vote-none').focus(), 0")
        person.key("Enter", text="\r")
        person.ready(2, 8)
        assert tab.evaluate("document.activeElement.id") == "vote-none"
        tab.screenshot(tmp_path / "judge.png")


def test_two_observers_at_once(tab: Tab, other_tab: Tab, tmp_path: Path, competition: Competition) -> None:
    total = len(competition.pairs)
    with serving(tmp_path / "out", competition) as (server, _):
        people = [Person(tab), Person(other_tab)]
        for person, name in zip(people, ("Ada", "Bob"), strict=True):
            person.open(server.address)
            person.join(name)
        for number in range(1, total + 1):
            for person, choice in zip(people, ("left", "right"), strict=True):
                person.ready(number, total)
                person.key(_KEYS[choice])
        for person in people:
            person.done()
        votes = server.votes.counted()
        assert len(votes) == 2 * total
        assert {(vote.observer, vote.choice) for vote in votes} == {("Ada", "left"), ("Bob", "right")}


def _served(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    """The program in a process of its own; its address is its line of stdout."""
    command = (
        "import io, sys; from pathlib import Path; from iqa_cli.cli.context import Environment;"
        "from iqa_cli.cli.gmad_judge import judge;"
        f"judge(Environment.of_process(), Path({str(folder)!r}), port={port})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    return process, process.stdout.readline().decode().strip()


def _killed(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_kill_9_between_votes_loses_nothing(tab: Tab, tmp_path: Path, competition: Competition) -> None:
    total, folder = len(competition.pairs), tmp_path / "out"
    process, address = _served(folder, 0)
    try:
        port = int(address.partition("127.0.0.1:")[2].partition("/")[0])
        person = Person(tab)
        person.open(address)
        person.join("Ada")
        for number in range(1, total + 1):
            person.ready(number, total)
            if number in (3, 6):
                _killed(process)
                person.key("ArrowLeft")  # nobody is there
                person.until("document.getElementById('problem').textContent.includes('Not saved')")
                process, again = _served(folder, port)
                assert again == address  # the token as well
                if number == 3:
                    person.click("retry")
                else:
                    person.open(address)  # or the page is opened anew
                    person.ready(number, total)
                    person.key("ArrowLeft")
            else:
                person.key("ArrowLeft")
        person.done()
    finally:
        _killed(process)
    votes = Votes(folder, competition)
    assert [vote.choice for vote in votes.counted()] == ["left"] * total
    votes.close()
    with sqlite3.connect(folder / FILE) as base:
        assert base.execute("SELECT count(*), count(undone) FROM votes").fetchone() == (total, 0)
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()


def test_a_picture_that_is_gone_can_be_skipped(tab: Tab, tmp_path: Path, competition: Competition) -> None:
    total = len(competition.pairs)
    with serving(tmp_path / "out", competition) as (server, _):
        state = server.votes.join("Ada")
        pair, _ = server.votes.trial(state.observer, 0)
        Path(pair.first.path).write_bytes(b"no picture")
        person = Person(tab)
        person.open(server.address)
        person.join("Ada")
        person.until("!document.getElementById('known').hidden")
        person.click("again")
        person.until("!document.getElementById('skip').hidden")
        person.key("ArrowLeft")  # what is not seen is not judged
        person.click("skip")
        person.ready(2, total)
        assert [vote.choice for vote in server.votes.counted()] == ["skip"]


def test_the_page_of_the_verdict_fits_and_loads_nothing(
    tab: Tab, tmp_path: Path, competition: Competition
) -> None:
    from iqa_cli.gmad.verdict_page import page

    votes = Votes(tmp_path / "out", competition)
    for name in ("Ada", "Bob"):
        state = votes.join(name)
        while state.position is not None:
            first_on: str = votes.trial(state.observer, state.position)[1]
            state = votes.vote(state.observer, state.position, first_on, 900)
    votes.close()
    place = tmp_path / "report.html"
    place.write_text(page(verdict_of(tmp_path / "out"), command="iqa gmad --report " + "x" * 90))
    for width in (320, 768, 1280):
        for dark in (False, True):
            tab.open(place, width, dark=dark)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert _complaints(tab) == []
            assert all(url.startswith(("file:", "data:")) for url in _outside(tab, 0))
        tab.screenshot(tmp_path / f"report-{width}.png")


def test_two_fingers_zoom_both_pictures_and_a_tap_votes(
    tab: Tab, tmp_path: Path, competition: Competition
) -> None:
    total = len(competition.pairs)
    with serving(tmp_path / "out", competition) as (server, _):
        person = Person(tab, 390, 844)
        tab.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
        person.open(server.address)
        person.join("Ada")
        person.ready(1, total)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
            tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)

        def middle(name: str) -> tuple[float, float]:
            box = json.loads(
                tab.evaluate(f"JSON.stringify(document.getElementById('{name}').getBoundingClientRect())")
            )
            return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        x, y = middle("pane-left")
        before = tab.evaluate("parseInt(document.getElementById('zoom').textContent)")
        touch("touchStart", (x - 20, y))
        touch("touchStart", (x - 20, y), (x + 20, y))
        for reach in (30, 45, 60):
            touch("touchMove", (x - reach, y), (x + reach, y))
        touch("touchEnd")
        person.until(f"parseInt(document.getElementById('zoom').textContent) > 2 * {before}")
        shown = tab.evaluate("['left', 'right'].map(i => document.getElementById(i).style.transform)")
        assert shown[0] == shown[1]
        # The page itself has not been zoomed, and nothing was voted.
        assert tab.evaluate("visualViewport.scale") == 1
        assert server.votes.counted() == []
        touch("touchStart", middle("vote-none"))
        touch("touchEnd")
        person.ready(2, total)
        assert [vote.choice for vote in server.votes.counted()] == ["none"]
