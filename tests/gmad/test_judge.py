"""The interface of the judging server, spoken to as a browser does, or as somebody who should not."""

from __future__ import annotations

import io
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iqa_cli.errors import DatasetError, ImageError, UsageError
from iqa_cli.gmad.judge import Judge, check_pictures
from iqa_cli.gmad.session import Competition, read_competition
from iqa_cli.gmad.votes import FILE, Votes
from tests.gmad.competitions import Browser, make_competition, serving


@pytest.fixture
def competition(tmp_path: Path) -> Competition:
    return make_competition(tmp_path / "out")


@pytest.fixture
def served(tmp_path: Path, competition: Competition) -> Iterator[tuple[Judge, Browser]]:
    with serving(tmp_path / "out", competition) as found:
        yield found


def _joined(browser: Browser, name: str = "Ada") -> dict[str, Any]:
    status, state = browser.json("/join", {"name": name})
    assert status == 200, state
    return state


def _vote(browser: Browser, state: dict[str, Any], choice: str = "left") -> tuple[int, dict[str, Any]]:
    body = {"observer": state["observer"], "position": state["position"], "choice": choice, "milliseconds": 9}
    return browser.json("/vote", body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", None),
        ("/?token=wrong", None),
        ("/state?observer=x", None),
        ("/picture/x/0/left", None),
        ("/join", {"name": "Eve"}),
        ("/vote", {"observer": "x", "position": 0, "choice": "left"}),
        ("/undo", {"observer": "x", "position": 0}),
    ],
)
@pytest.mark.parametrize("token", ["", "wrong", "\N{SNOWMAN}".encode().decode("latin-1")])
def test_nothing_without_the_token(
    served: tuple[Judge, Browser], path: str, body: dict[str, Any] | None, token: str
) -> None:
    status, content, headers = Browser(served[0].port, token).ask(path, body)
    assert status == 403
    assert b"<" not in content
    assert "set-cookie" not in headers


def test_the_address_with_the_token_gives_the_page_and_a_cookie_that_is_kept_from_others(
    served: tuple[Judge, Browser],
) -> None:
    server, _ = served
    stranger = Browser(server.port)
    status, content, headers = stranger.ask(server.address.partition(f":{server.port}")[2])
    assert status == 200
    assert b"<title>" in content
    assert {"HttpOnly", "SameSite=Strict"} <= set(headers["set-cookie"].split("; "))
    stranger.cookie = headers["set-cookie"].split(";")[0]
    assert stranger.ask("/")[0] == 200
    # Offline, and nothing runs but what this program has written.
    for outside in (b"http:", b"https:", b" src=", b"@import", b"url("):
        assert outside not in content
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/gmad.json",
        "/votes.sqlite",
        "/picture/../../gmad.json",
        "/picture/{key}/0/../../../gmad.json",
        "/picture/{key}/0/%2e%2e%2fgmad.json",
        "/picture/{key}/9/left",
        "/picture/{key}/-1/left",
        "/picture/{key}/99999999999999999999/left",
        "/picture/other/0/left",
        "//etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/state?observer=other",
        "//[",
    ],
)
def test_nothing_but_the_pictures_of_the_pairs_can_be_had(served: tuple[Judge, Browser], path: str) -> None:
    _, browser = served
    key = _joined(browser)["observer"]
    status, content, _ = browser.ask(path.format(key=key))
    assert status in (400, 404)
    assert b"root:" not in content
    assert b"defender" not in content
    assert b"SQLite" not in content


def test_each_trial_shows_the_pictures_of_its_pair_on_the_recorded_sides(
    served: tuple[Judge, Browser], competition: Competition
) -> None:
    server, browser = served
    state = _joined(browser)
    shown = set()
    for position in range(state["total"]):
        pair, first_on = server.votes.trial(state["observer"], position)
        shown.add(pair.id)
        for side in ("left", "right"):
            status, content, headers = browser.ask(f"/picture/{state['observer']}/{position}/{side}")
            picture = pair.first if side == first_on else pair.second
            assert (status, headers["content-type"]) == (200, "image/png")
            assert content == Path(picture.path).read_bytes()
            assert headers["x-content-type-options"] == "nosniff"
    assert shown == {pair.id for pair in competition.pairs}


def test_what_the_page_is_told_gives_nothing_away(served: tuple[Judge, Browser]) -> None:
    _, browser = served
    state = _joined(browser)
    assert set(state) == {"observer", "name", "done", "total", "position"}
    assert set(_vote(browser, state)[1]) == set(state)


def test_a_vote_is_on_the_disk_before_the_next_pair_is_told(
    served: tuple[Judge, Browser], tmp_path: Path
) -> None:
    _, browser = served
    state = _joined(browser)
    for number, choice in enumerate(("left", "none", "right", "skip"), start=1):
        status, state = _vote(browser, state, choice)
        assert (status, state["done"], state["position"]) == (200, number, number)
        # As another program finds it.
        with sqlite3.connect(f"file:{tmp_path / 'out' / FILE}?mode=ro", uri=True) as base:
            assert base.execute("SELECT count(*) FROM votes").fetchone() == (number,)
        base.close()
    status, again = browser.json(f"/state?observer={state['observer']}")
    assert (status, again) == (200, state)


def test_a_vote_sent_twice_counts_once(served: tuple[Judge, Browser]) -> None:
    server, browser = served
    state = _joined(browser)
    after = _vote(browser, state)[1]
    status, told = _vote(browser, state, "right")
    assert status == 409
    assert told["state"] == after
    assert [vote.choice for vote in server.votes.counted()] == ["left"]


def test_undo_takes_votes_back_one_by_one_and_keeps_a_record(
    served: tuple[Judge, Browser], tmp_path: Path
) -> None:
    server, browser = served
    state = _joined(browser)
    key = state["observer"]
    for _ in range(2):
        state = _vote(browser, state)[1]
    assert browser.json("/undo", {"observer": key, "position": 0})[0] == 409  # not the last one
    for left in (1, 0):
        status, state = browser.json("/undo", {"observer": key, "position": left})
        assert (status, state["done"], state["position"]) == (200, left, left)
    assert browser.json("/undo", {"observer": key, "position": 0})[0] == 409
    state = _vote(browser, state, "right")[1]
    assert [vote.choice for vote in server.votes.counted()] == ["right"]
    with sqlite3.connect(tmp_path / "out" / FILE) as base:
        assert base.execute("SELECT count(*), count(undone) FROM votes").fetchone() == (3, 2)
    base.close()


def test_two_observers_at_once_do_not_meet(served: tuple[Judge, Browser]) -> None:
    server, _ = served
    failures: list[object] = []

    def judge(name: str, choice: str) -> None:
        browser = Browser(server.port, server.token)
        state = _joined(browser, name)
        while state["position"] is not None:
            status, state = _vote(browser, state, choice)
            if status != 200:
                failures.append(state)
                return

    people = [threading.Thread(target=judge, args=who) for who in (("Ada", "left"), ("Bob", "right"))]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert not failures
    votes = server.votes.counted()
    assert len(votes) == 18
    assert {(vote.observer, vote.choice) for vote in votes} == {("Ada", "left"), ("Bob", "right")}


def test_a_name_that_is_taken_goes_on_only_when_told_so(served: tuple[Judge, Browser]) -> None:
    _, browser = served
    state = _vote(browser, _joined(browser, "Ada"))[1]
    status, told = browser.json("/join", {"name": " Ada "})
    assert (status, told["taken"]) == (409, "1 of 9")
    assert browser.json("/join", {"name": "Ada", "again": True}) == (200, state)


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\nb", "\x1b[31m", "\u202eevil", "\ud800", 3, None])
def test_names_that_are_none_are_refused(served: tuple[Judge, Browser], name: object) -> None:
    assert served[1].json("/join", {"name": name})[0] == 400


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "both"},
        {"choice": None},
        {"position": "0"},
        {"position": True},
        {"position": -1},
        {"position": 0.5},
        {"observer": None},
    ],
)
def test_votes_that_are_none_are_refused(served: tuple[Judge, Browser], change: dict[str, object]) -> None:
    server, browser = served
    state = _joined(browser)
    body = {"observer": state["observer"], "position": 0, "choice": "left", **change}
    assert browser.json("/vote", body)[0] == 400
    assert server.votes.counted() == []


def test_hostile_requests_are_refused_and_the_server_goes_on(served: tuple[Judge, Browser]) -> None:
    server, browser = served
    assert browser.ask("/join", b"{" * 9000)[0] == 400
    assert browser.ask("/join", b"[1]")[0] == 400
    assert browser.ask("/join", b'{"name": "x"}', headers={"Content-Type": "text/plain"})[0] == 415
    assert browser.ask("/join", b"x" * 2**15)[0] == 413
    assert browser.ask("/join", b"{}", headers={"Origin": "http://evil.example"})[0] == 403
    assert browser.ask("/elsewhere", {})[0] == 404
    assert browser.ask("/", method="PUT")[0] == 501
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"\xff\x00 nonsense\r\n\r\n")
        raw.recv(100)
    assert server.votes.counted() == []
    own = {"Origin": f"http://127.0.0.1:{server.port}"}
    assert browser.ask("/join", {"name": "Ada"}, headers=own)[0] == 200


def test_a_vote_that_cannot_be_saved_is_told(
    served: tuple[Judge, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, browser = served
    state = _joined(browser)
    told: list[str] = []
    server.note = told.append
    # As a full disk: SQLite may not grow the file.
    pages = server.votes._base.execute("PRAGMA page_count").fetchone()[0]
    server.votes._base.execute(f"PRAGMA max_page_count = {pages}")
    status, answer = 200, state
    while status == 200 and answer["position"] is not None:
        state = answer
        # Long rows, so that few votes fill the page.
        monkeypatch.setattr("iqa_cli.gmad.votes._now", lambda: "x" * 2000)
        status, answer = _vote(browser, state)
    assert status == 507
    assert "full" in answer["error"]
    assert "full" in told[0]
    assert server.votes.state(state["observer"]).done == state["done"]


def test_pictures_that_browsers_cannot_show_become_png(tmp_path: Path) -> None:
    competition = make_competition(tmp_path, pairs=1, catch=0)
    pair = competition.pairs[0]
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(deep).save(pair.first.path, "TIFF")
    see_through = Image.new("RGBA", (9, 7), (255, 0, 0, 0))
    see_through.save(pair.second.path, "PNG")
    with serving(tmp_path, competition) as (server, browser):
        state = _joined(browser)
        for position in range(state["total"]):
            found, first_on = server.votes.trial(state["observer"], position)
            if found.id != pair.id:
                continue
            for side in ("left", "right"):
                _, content, headers = browser.ask(f"/picture/{state['observer']}/{position}/{side}")
                assert headers["content-type"] == "image/png"
                with Image.open(io.BytesIO(content)) as image:
                    assert image.mode == "RGB"
                    if side == first_on:
                        assert image.size == (8, 8)
                    else:
                        assert image.getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_that_breaks_later_is_no_crash(served: tuple[Judge, Browser]) -> None:
    server, browser = served
    state = _joined(browser)
    told: list[str] = []
    server.note = told.append
    pair, first_on = server.votes.trial(state["observer"], 0)
    Path(pair.first.path).unlink()
    assert browser.ask(f"/picture/{state['observer']}/0/{first_on}")[0] == 404
    assert "no such file" in told[0]
    assert _vote(browser, state, "skip")[0] == 200


def test_orders_and_sides_differ_between_observers(tmp_path: Path) -> None:
    competition = make_competition(tmp_path, pairs=20, catch=4, side=2)
    votes = Votes(tmp_path, competition)
    orders, sides = [], []
    for name in ("Ada", "Bob"):
        state = votes.join(name)
        trials = [votes.trial(state.observer, position) for position in range(state.total)]
        orders.append([pair.id for pair, _ in trials])
        sides.append([first_on for _, first_on in trials])
        assert sorted(orders[-1]) == sorted(pair.id for pair in competition.pairs)
        # Catch trials: one in each quarter, and not the first of all.
        places = [place for place, (pair, _) in enumerate(trials) if pair.catch]
        assert places[0] > 0
        assert [place // 11 for place in places] == [0, 1, 2, 3]
        assert {"left", "right"} == set(sides[-1])
    assert orders[0] != orders[1]
    assert sides[0] != sides[1]
    votes.close()


def test_what_stands_in_the_way_of_judging_is_one_line(tmp_path: Path) -> None:
    competition = make_competition(tmp_path)
    votes = Votes(tmp_path, competition)
    with Judge(competition, votes, port=0) as server:
        with pytest.raises(UsageError, match=f"port {server.port}: address already in use") as refused:
            Judge(competition, votes, port=server.port)
        assert "--port" in (refused.value.hint or "")
    with pytest.raises(UsageError, match="--host"):
        Judge(competition, votes, host="no.such.host.invalid", port=0)
    with pytest.raises(UsageError, match="--port"):
        Judge(competition, votes, port=70_000)
    votes.close()
    check_pictures(tmp_path, competition)
    Path(competition.pairs[0].first.path).unlink()
    with pytest.raises(ImageError, match=r"1 of 18 pictures cannot be found, the first is '.*p0001-first"):
        check_pictures(tmp_path, competition)


def test_votes_of_other_pairs_damaged_files_and_missing_ones_are_one_line(tmp_path: Path) -> None:
    competition = make_competition(tmp_path / "one")
    with pytest.raises(DatasetError, match="no votes yet"):
        Votes(tmp_path / "one", competition, create=False)
    Votes(tmp_path / "one", competition).close()
    assert (tmp_path / "one" / FILE).stat().st_mode & 0o077 == 0
    other = make_competition(tmp_path / "other", pairs=2)
    (tmp_path / "one" / FILE).rename(tmp_path / "other" / FILE)
    with pytest.raises(DatasetError, match="not of the pairs"):
        Votes(tmp_path / "other", other)
    (tmp_path / "one" / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(DatasetError, match="not a database"):
        Votes(tmp_path / "one", competition)
    assert read_competition(tmp_path / "one") == competition
