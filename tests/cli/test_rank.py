"""`iqa rank`: shares, percentiles, and the pictures on which a score means little."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.conftest import Iqa

Photos = Callable[..., Path]


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scores.jsonl of 25 pictures that are not there: 0 and 1 share a score, 24 has none."""
    monkeypatch.chdir(tmp_path)
    rows = [{"path": f"{i}.jpg", "score": float(max(i, 1)), "error": None} for i in range(24)]
    rows.append({"path": "24.jpg", "score": None, "error": "is damaged"})
    Path("scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "scores.jsonl"


def ranked(iqa: Iqa, *options: object) -> list[dict[str, Any]]:
    lines = iqa("rank", "--scores", "scores.jsonl", "--format", "jsonl", *options).lines
    return [json.loads(line) for line in lines]


@pytest.mark.usefixtures("scored")
def test_shares_and_ranks(iqa: Iqa) -> None:
    rows = ranked(iqa)
    assert [row["path"] for row in rows] == [f"{i}.jpg" for i in (*range(23, 1, -1), 0, 1, 24)]
    assert [row["rank"] for row in rows] == [*range(1, 23), 23, 23, None]
    # Of the 23 others; of two equal ones each is above half the other.
    assert [row["percentile"] for row in rows[:2]] == [100, round(100 * 22 / 23, 2)]
    assert [row["percentile"] for row in rows[-3:]] == [round(100 * 0.5 / 23, 2)] * 2 + [None]
    # 2.4 of 24 that have a score.
    assert [row["path"] for row in ranked(iqa, "--top", "10%")] == ["23.jpg", "22.jpg"]
    assert [row["path"] for row in ranked(iqa, "--bottom", "10 %")] == ["0.jpg", "1.jpg"]
    assert [row["path"] for row in ranked(iqa, "--top", "1%")] == ["23.jpg"]
    assert [row["path"] for row in ranked(iqa, "--top", "3")] == ["23.jpg", "22.jpg", "21.jpg"]
    assert len(ranked(iqa, "--top", "100%")) == len(ranked(iqa, "--bottom", "999")) == 24


@pytest.mark.usefixtures("scored")
@pytest.mark.parametrize("share", ["0", "0%", "101%", "1.5", "-3", "ten", "10%%", "", "nan%"])
def test_what_is_no_share_is_refused(iqa: Iqa, share: str) -> None:
    result = iqa("rank", "--scores", "scores.jsonl", f"--top={share}")
    assert (result.code, result.out) == (2, b"")
    assert "--top takes a number such as 20 or a share such as 10%" in result.err


@pytest.mark.usefixtures("scored")
def test_top_and_bottom_exclude_each_other(iqa: Iqa) -> None:
    assert iqa("rank", "--scores", "scores.jsonl", "--top", "1", "--bottom", "1").code == 2


def test_pictures_that_are_not_there_any_more_are_told(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    Image.new("L", (300, 240), 255).save(folder / "paper.png")
    assert iqa("score", "a.jpg", "paper.png", "-o", "scores.csv").code == 0
    assert iqa("rank", "--scores", "scores.csv").err == ""
    (folder / "paper.png").unlink()
    result = iqa("rank", "--scores", "scores.csv", "--format", "jsonl")
    assert (result.code, len(result.lines)) == (0, 2)
    assert "1 picture cannot be looked at for warnings" in result.err
    assert "paper.png" in result.err
    assert iqa("rank", "--scores", "scores.csv", "--no-look").err == ""


def test_rows_of_every_format(iqa: Iqa, photos: Photos) -> None:
    folder = photos("b.jpg", "a.jpg", "sub/c.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo at all")
    Image.new("L", (300, 40), 255).save(folder / "paper.png")
    result = iqa("rank", ".", "--format", "jsonl")
    assert result.code == 3
    rows = [json.loads(line) for line in result.lines]
    scores = {
        row["path"]: row["score"]
        for row in map(json.loads, iqa("score", "-r", ".", "--format", "jsonl").lines)
    }
    assert {row["path"]: row["score"] for row in rows} == scores
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, None]
    found = {row["path"]: row["warnings"] for row in rows}
    assert set(found.pop("./paper.png")) - {"end-of-scale"} == {"tiny", "flat", "blown-out"}
    assert all(not warnings for path, warnings in found.items() if path != "./paper.png")
    table = list(csv.DictReader(iqa("rank", ".", "--format", "csv").out.decode().splitlines()))
    assert [row["path"] for row in table] == [row["path"] for row in rows]
    assert [row["percentile"] for row in table] == ["100.00", "66.67", "33.33", "0.00", ""]
    assert {row["path"]: row["warnings"].split() for row in table} == {
        row["path"]: row["warnings"] for row in rows
    }
    shown = iqa("rank", ".", terminal="stdout", colour=False, columns=120).out.decode()
    assert "tiny, flat, blown-out" in shown
    assert " 67 %" in shown
    bare = iqa("rank", ".", "--format", "jsonl", "--no-look").lines
    kept = {row["path"]: row["warnings"] for row in map(json.loads, bare)}["./paper.png"]
    assert set(kept) - {"end-of-scale"} == {"tiny"}
    pyarrow = pytest.importorskip("pyarrow.parquet")
    assert iqa("rank", ".", "-o", "rows.parquet").code == 3
    written = pyarrow.read_table("rows.parquet").to_pylist()
    assert [row["rank"] for row in written] == [1, 2, 3, 4, None]
    assert written[0]["percentile"] == 100.0
    assert {row["path"]: row["warnings"].split() for row in written}["./paper.png"] == [
        *{row["path"]: row["warnings"] for row in rows}["./paper.png"]
    ]


def test_an_interrupt_while_pictures_are_looked_at_prints_all_rows(
    iqa: Iqa, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos("a.jpg", "b.jpg")
    assert iqa("score", "-r", ".", "-o", "scores.csv").code == 0

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("iqa_cli.looking.each", interrupted)
    result = iqa("rank", "--scores", "scores.csv", "--format", "jsonl")
    assert (result.code, len(result.lines)) == (130, 2)
