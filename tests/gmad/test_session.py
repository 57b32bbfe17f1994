"""The file of a competition: what is read back, what is refused, and what a failure leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.gmad.session import FILE, Competition, Pair, Picture, read_competition, write_competition

GOOD = Picture("/p/bad\udcff\x1b[31m.png", "bad\udcff\x1b[31m.png", {"a": 70.5, "b": 90.0}, 81.0, "ref.png")
POOR = Picture("/p/b.png", "b.png", {"a": 70.0, "b": 10.0}, raw={"a": -3.0, "b": 0.25})
PAIR = Pair("p0001", "a", "b", "high", 1, GOOD, POOR, 80.0, 0.5)
CATCH = Pair("c0001", "", "", "catch", 1, GOOD, POOR, 80.0, 0.5, catch=True, expected="first")
WHOLE = Competition(
    2, "folder p", ("a", "b"), "rank", "percentiles", (PAIR, CATCH), {"tolerance": 1.0}, {"a": {"file": "x"}}
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_competition(tmp_path / "deep" / "out", WHOLE)
    assert read_competition(tmp_path / "deep" / "out") == WHOLE
    assert [pair.id for pair in WHOLE.mined] == ["p0001"]
    assert [path.name for path in (tmp_path / "deep" / "out").iterdir()] == [FILE]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    write_competition(tmp_path, WHOLE)
    broken = replace(WHOLE, pairs=(replace(PAIR, attacker_difference=float("nan")),))
    with pytest.raises(ValueError):
        write_competition(tmp_path, broken)
    assert read_competition(tmp_path) == WHOLE
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_competition(tmp_path / "file", WHOLE)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("version",), 2, "version 1"),
        (("models", 0, "name"), "b", "told apart"),
        (("pairs", 0, "attacker"), "a", "two of the models"),
        (("pairs", 0, "attacker"), "other", "two of the models"),
        (("pairs", 0, "id"), "c0001", "one id"),
        (("pairs", 0, "first", "scores", "a"), float("nan"), "no number"),
        (("pairs", 0, "first"), None, "lacks a valid 'scores'"),
        (("pairs", 0, "second", "path"), 7, "lacks a valid 'path'"),
        (("pairs", 1, "expected"), "left", "first or second"),
        (("pairs", 1, "expected"), None, "first or second"),
        (("pairs", 0, "rank"), True, "lacks a valid 'rank'"),
        (("pairs",), {}, "lacks a valid 'pairs'"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, keys: tuple[Any, ...], value: Any, message: str) -> None:
    document = json.loads(write_competition(tmp_path, WHOLE).read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (tmp_path / FILE).write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=message) as refused:
        read_competition(tmp_path)
    assert "\n" not in refused.value.message


def test_what_is_not_there_or_cut_off_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no gmad\.json"):
        read_competition(tmp_path / "none")
    text = write_competition(tmp_path, WHOLE).read_bytes()
    for damaged in (text[:200], b"", b"\xff\xfe", b"[]", b"[" * 200_000):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"damaged|UTF-8|version"):
            read_competition(tmp_path)
