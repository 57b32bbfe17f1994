"""`iqa gmad --judge`, `--verdict` and `--report` as a user runs them."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from pathlib import Path

import pytest

from iqa_cli.gmad.votes import Votes
from tests.cli.conftest import Iqa
from tests.gmad.competitions import make_competition


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_competition(tmp_path / "out")
    return tmp_path / "out"


def test_judge_prints_its_address_serves_and_ends_with_ctrl_c(iqa: Iqa, folder: Path) -> None:
    process = iqa.process("gmad", "--judge", folder, "--port", "0")
    assert process.stdout is not None
    address = process.stdout.readline().decode().strip()
    host, path = address.removeprefix("http://").split("/", 1)
    assert host.startswith("127.0.0.1:")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("GET", f"/{path}")
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert b"0 votes of 0 observers in " in err
    assert b"Traceback" not in err


def test_a_port_in_use_is_one_line(iqa: Iqa, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = iqa("gmad", "--judge", folder, "--port", port)
    assert found.code == 2
    assert found.out == b""
    assert found.err.splitlines()[0] == (
        f"iqa: error: cannot listen at 127.0.0.1, port {port}: address already in use"
    )
    assert len(found.err.splitlines()) == 2  # and its hint


def test_pictures_that_are_gone_are_one_line(iqa: Iqa, folder: Path) -> None:
    next((folder / "pictures").iterdir()).unlink()
    found = iqa("gmad", "--judge", folder)
    assert found.code == 3
    assert "1 of 18 pictures cannot be found" in found.err


def test_no_votes_yet_is_one_line_and_votes_give_verdict_and_report(iqa: Iqa, folder: Path) -> None:
    found = iqa("gmad", "--verdict", folder)
    assert found.code == 4
    assert "no votes yet" in found.err
    from iqa_cli.gmad.session import read_competition

    votes = Votes(folder, read_competition(folder))
    state = votes.join("Ada")
    while state.position is not None:
        first_on = votes.trial(state.observer, state.position)[1]
        state = votes.vote(state.observer, state.position, first_on)
    votes.close()
    found = iqa("gmad", "--verdict", folder, "--format", "json")
    assert found.code == 0
    assert json.loads(found.out)["votes"] == 8
    found = iqa("gmad", "--report", folder)
    assert found.code == 0
    assert found.out == b""
    assert "<h1>gMAD competition</h1>" in (folder / "report.html").read_text()


@pytest.mark.parametrize("mode", ["--judge", "--verdict", "--report"])
def test_a_folder_that_holds_no_competition_is_told_as_such(iqa: Iqa, tmp_path: Path, mode: str) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        found = iqa("gmad", mode, folder)
        assert (found.code, found.out) == (4, b"")
        assert "has no gmad.json" in found.err
