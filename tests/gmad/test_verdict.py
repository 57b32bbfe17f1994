"""From votes in a folder to the verdict: its table, JSON, CSV and page."""

from __future__ import annotations

import csv
import io
import json
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.cli.context import Environment
from iqa_cli.cli.gmad_judge import report, verdict
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.gmad.session import Competition, Pair, Picture, write_competition
from iqa_cli.gmad.verdict import deciding, verdict_of
from iqa_cli.gmad.votes import Votes
from tests.gmad.competitions import make_competition
from tests.report.results import HOSTILE


def _vote_all(folder: Path, competition: Competition, names: str, *, careless: str = "") -> None:
    """People who mostly see what model a sees; "careless" always say left."""
    votes = Votes(folder, competition)
    for name in names.split() + careless.split():
        state = votes.join(name)
        while state.position is not None:
            pair, first_on = votes.trial(state.observer, state.position)
            other = {"left": "right", "right": "left"}[first_on]
            if name in careless.split():
                choice = "left"
            elif pair.catch or (pair.attacker == "a" and pair.rank % 6):
                choice = first_on
            elif pair.attacker == "a":
                choice = "none"
            else:
                choice = "none" if pair.rank % 2 else other
            state = votes.vote(state.observer, state.position, choice, 1500)
    votes.close()


@pytest.fixture
def env() -> Environment:
    return Environment(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO())


def _out(env: Environment) -> str:
    assert isinstance(env.stdout, io.BytesIO)
    return env.stdout.getvalue().decode()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Sides are random; with these, who always says left fails the catch trials.
    monkeypatch.setattr("iqa_cli.gmad.votes.random.SystemRandom", partial(random.Random, 5))
    competition = make_competition(tmp_path / "out", pairs=12, catch=8)
    _vote_all(tmp_path / "out", competition, "Ada Bob Cleo", careless="Dan")
    return tmp_path / "out"


def test_the_model_that_sees_what_people_see_falsifies_the_other(folder: Path, env: Environment) -> None:
    verdict(env, folder, kind="json")
    found = json.loads(_out(env))
    assert [one["model"] for one in found["models"]] == ["a", "b"]
    attacks = {(one["attacker"], one["defender"]): one for one in found["attacks"]}
    assert attacks["a", "b"]["for"] == 30
    assert attacks["a", "b"]["falsified"] == "b"
    assert attacks["b", "a"]["none"] == attacks["b", "a"]["against"] == 18
    assert found["votes"] == 72
    people = {one["name"]: one for one in found["observers"]}
    assert people["Ada"]["left_out"] is None
    assert people["Ada"]["catch_right"] == people["Ada"]["catch_total"] == 8
    assert people["Ada"]["median_seconds"] == 1.5
    assert "catch trials" in people["Dan"]["left_out"]
    assert people["Dan"]["left_share"] == 1


def test_the_table_says_it_in_words_and_csv_has_the_same_figures(folder: Path, env: Environment) -> None:
    verdict(env, folder)
    text = _out(env)
    assert "a falsifies b: people see the differences that a sees (" in text
    assert "a is more aggressive than b by " in text
    assert "Dan" in text
    env.stdout = io.BytesIO()
    verdict(env, folder, kind="csv")
    rows = list(csv.DictReader(_out(env).splitlines()))
    first = next(row for row in rows if row["figure"] == "aggressiveness" and row["model"] == "a")
    assert f"{float(first['value']):.2f}" in text
    assert {row["figure"] for row in rows} == {"aggressiveness", "resistance", "success", "margin"}


def test_the_page_holds_the_verdict_and_the_pairs_that_decided_it(folder: Path, env: Environment) -> None:
    found = verdict_of(folder)
    strongest = deciding(found, "a", "b", 3)
    assert [tally.margin for tally in strongest] == [1.0] * 3
    # A picture that is gone is named without.
    Path(strongest[0].pair.first.path).unlink()
    report(env, folder, command="iqa gmad --report OUT")
    page = (folder / "report.html").read_text()
    assert "a falsifies b" in page
    assert strongest[0].pair.first.name in page
    assert "no picture: no such file" in page
    assert page.count("data:image/jpeg") > 8
    for outside in ("http:", "https:", "<script", "@import", "url("):
        assert outside not in page
    assert "iqa gmad --report OUT" in page
    assert "report.html" in env.stderr.getvalue()  # type: ignore[attr-defined]


def test_hostile_names_are_harmless_everywhere(tmp_path: Path, env: Environment) -> None:
    models = (f"\x1b[31m{HOSTILE}", "<script>alert(1)</script>")
    picture = Picture(str(tmp_path / "<b>\x1b[2J.png"), "<b>\x1b[2J\n", dict.fromkeys(models, 50.0))
    pairs = tuple(
        Pair(f"p{at:04d}", models[at % 2], models[1 - at % 2], "<i>", 1, picture, picture, 9.0, 0.0)
        for at in range(8)
    )
    competition = Competition(9, f"<u>{HOSTILE}", models, "rank", "<s>", pairs)
    write_competition(tmp_path, competition)
    _vote_all(tmp_path, competition, "<script>x</script> Bob")
    report(env, tmp_path, output="-", command="iqa gmad <x>")
    page = _out(env)
    for raw in ("<script>", "\x1b", "<i>", "<u>", "<s>", "<x>"):
        assert raw not in page
    env.stdout = io.BytesIO()
    verdict(env, tmp_path)
    assert "\x1b" not in _out(env)


def test_no_votes_and_no_competition_are_one_line(tmp_path: Path, env: Environment) -> None:
    with pytest.raises(DatasetError, match=r"has no gmad\.json"):
        verdict(env, tmp_path)
    competition = make_competition(tmp_path, catch=4)
    with pytest.raises(DatasetError, match="no votes yet") as refused:
        verdict(env, tmp_path)
    assert "--judge" in (refused.value.hint or "")
    votes = Votes(tmp_path, competition)
    state = votes.join("Ada")
    with pytest.raises(DatasetError, match="no votes yet"):
        verdict(env, tmp_path)
    # A skipped pair is no vote, and a catch trial none on a model.
    votes.vote(state.observer, 0, "skip")
    with pytest.raises(DatasetError, match="no votes yet"):
        report(env, tmp_path)
    assert not (tmp_path / "report.html").exists()
    votes.close()


def test_where_all_observers_are_left_out_it_says_so(tmp_path: Path, env: Environment) -> None:
    competition = make_competition(tmp_path, catch=4)
    votes = Votes(tmp_path, competition)
    state = votes.join("Ada")
    while state.position is not None:
        state = votes.vote(state.observer, state.position, "none")
    votes.close()
    with pytest.raises(DatasetError, match="screening leaves no observer: only 0 of 4 catch trials right"):
        verdict(env, tmp_path)


def test_one_vote_has_a_verdict_that_decides_nothing(tmp_path: Path, env: Environment) -> None:
    competition = make_competition(tmp_path, catch=0)
    votes = Votes(tmp_path, competition)
    state = votes.join("Ada")
    votes.vote(state.observer, 0, "left")
    votes.close()
    for kind in ("table", "json", "csv"):
        env.stdout = io.BytesIO()
        verdict(env, tmp_path, kind=kind)
        assert "NaN" not in _out(env)
    env.stdout = io.BytesIO()
    verdict(env, tmp_path)
    assert "not decided" in _out(env)
    assert "Models are not ranked" in _out(env)
    assert "One observer" in _out(env)


def test_a_place_that_cannot_be_written_is_one_line(folder: Path, env: Environment) -> None:
    def refused(call: Any, **options: Any) -> None:
        with pytest.raises(UsageError, match="cannot write"):
            call(env, folder, **options)

    refused(report, output=str(folder / "no" / "such.html"))
    refused(verdict, output=str(folder))
    if Path("/dev/full").exists():
        refused(verdict, output="/dev/full")
