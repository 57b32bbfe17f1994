"""The rows of `iqa score`: names of fields, formats, order, and names of files that mean harm."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iqa_cli.cli.sinks import COLUMNS, CsvSink, plain_record
from iqa_cli.evaluation.part import Part
from iqa_cli.evaluation.scorefile import match, read_scores
from iqa_cli.prediction import Prediction
from iqa_cli.weights import load_state, save_weights
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]

# Users' pipelines rely on these: fields may be added at the end, none may change.
CONTRACT = ["path", "score", "error", "model", "spread", "width", "height"]
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def test_json_lines_have_the_fields_of_the_contract(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg", "b.jpg")
    result = iqa("score", "b.jpg", "./a.jpg", "missing.jpg", "--format", "jsonl")
    rows = [json.loads(line) for line in result.lines]
    assert [row["path"] for row in rows] == ["b.jpg", "./a.jpg", "missing.jpg"]
    for row in rows:
        assert list(row)[: len(CONTRACT)] == CONTRACT
        assert row["model"] == "mfenet"
        assert row["scores"] == {"mfenet": row["score"]}
    assert 0 <= rows[0]["score"] <= 100
    assert rows[0]["spread"] >= 0
    assert rows[0]["error"] is None
    assert (rows[1]["width"], rows[1]["height"]) == (432, 536)
    assert rows[2]["score"] is None
    assert rows[2]["spread"] is None
    assert rows[2]["error"] == "no such file"
    assert result.out.endswith(b"}\n")


def test_all_formats_say_the_same(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg", "b.jpg", "c.jpg")
    arguments = ["score", "a.jpg", "b.jpg", "c.jpg", "none.jpg"]
    lines = [json.loads(line) for line in iqa(*arguments, "--format", "jsonl").lines]
    assert json.loads(iqa(*arguments, "--format", "json").out) == lines
    table = list(csv.DictReader(io.StringIO(iqa(*arguments, "--format", "csv").out.decode())))
    assert list(table[0])[: len(CONTRACT)] == CONTRACT
    plain = iqa(*arguments, "--format", "tsv").rows
    for number, line in enumerate(lines):
        wanted = ["" if line[name] is None else line[name] for name in CONTRACT]
        for cells in ([table[number][name] for name in CONTRACT], plain[number][: len(CONTRACT)]):
            assert [float(c) if isinstance(w, float) else c for c, w in zip(cells, wanted, strict=True)] == [
                w if isinstance(w, float) else str(w) for w in wanted
            ]


def test_a_table_says_where_a_score_stands_among_the_training_pictures(
    iqa: Iqa, photos: Photos, weight: Path
) -> None:
    photos("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert " above" not in iqa("score", "a.jpg", "--format", "table").lines[0]
    card, tensors = load_state(weight)
    scores = sorted(float(row[1]) for row in iqa("score", "-r", ".").rows)
    # The worst is as good as the worst percentile known, the best stands half-way between two.
    table = {"5": scores[0], "60": scores[3] - 0.1, "80": scores[3] + 0.1, "99": 100.0}
    save_weights(weight, tensors, replace(card, output={**card.output, "percentiles": table}))
    heading, *lines = iqa("score", "-r", ".", "--weights", weight, "--format", "table").lines
    assert heading.split() == ["score", "spread", "above", "picture"]
    found = {line.split(" %  ")[1]: int(line.split(" %  ")[0].split()[-1]) for line in lines}
    assert sorted(found) == ["./a.jpg", "./b.jpg", "./c.jpg", "./d.jpg"]
    shares = sorted(found.values())
    assert (shares[0], shares[3]) == (5, 70)
    assert all(line.index("./") == heading.index("picture") for line in lines)


def test_a_pipe_gets_plain_rows_and_a_terminal_gets_a_table(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    piped = iqa("score", "a.jpg")
    assert len(piped.lines) == 1
    assert piped.rows[0][0] == "a.jpg"
    assert piped.err == ""
    shown = iqa("score", "a.jpg", terminal="stdout", columns=120)
    assert "█" in shown.out.decode()
    assert b"\x1b[" in shown.out
    assert shown.out.decode().rstrip().endswith("a.jpg")
    score = float(piped.rows[0][1])
    assert f"{score:.2f}" in shown.out.decode()


@pytest.mark.parametrize("command", ["score", "rank"])
def test_bars_leave_room_for_the_names(iqa: Iqa, photos: Photos, command: str) -> None:
    """On 80 columns they left 13, so that each row of a holiday took two lines."""
    name = "Grüße vom See/DSC_0001.JPG"
    photos(name)
    for columns, bar in ((80, False), (120, True)):
        shown = iqa(command, f"./{name}", terminal="stdout", columns=columns, colour=False)
        heading, row = shown.lines
        assert ("█" in row) == bar
        assert heading.index("picture") == row.index("./")
        assert max(map(len, (heading, row))) <= columns
    assert "█" in iqa("score", f"./{name}", "--format", "table").out.decode()


@pytest.mark.parametrize("way", ["--no-color", "NO_COLOR", "TERM"])
def test_no_escape_codes_where_colours_are_not_wanted(iqa: Iqa, photos: Photos, way: str) -> None:
    photos("a.jpg")
    if way != "--no-color":
        iqa.environ[way] = {"NO_COLOR": "1", "TERM": "dumb"}[way]
    extra = [way] if way == "--no-color" else []
    result = iqa("score", "a.jpg", *extra, terminal="stdout")
    assert result.code == 0
    assert b"\x1b" not in result.out
    assert b"a.jpg" in result.out


def test_an_ascii_terminal_gets_an_ascii_table(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    result = iqa("score", "a.jpg", terminal="stdout", stdout_encoding="ascii", columns=120)
    assert result.code == 0
    assert "#" in result.out.decode("ascii")


def test_failures_stand_in_the_table(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg")
    text = iqa("score", "a.jpg", "nope.jpg", "--format", "table").out.decode()
    assert "failed" in text.splitlines()[2]
    assert "nope.jpg: no such file" in text


def test_order_by_score_path_and_input(iqa: Iqa, photos: Photos) -> None:
    photos("c.jpg", "a.jpg", "b.jpg", "d.jpg")
    given = ["c.jpg", "x.jpg", "a.jpg", "d.jpg", "b.jpg"]
    plain = iqa("score", *given)
    assert plain.paths == given
    scores = {row[0]: float(row[1]) for row in plain.rows if row[1]}
    best_first = sorted(scores, key=lambda name: -scores[name])
    assert len(set(scores.values())) == 4
    assert iqa("score", *given, "--sort", "score").paths == [*best_first, "x.jpg"]
    assert iqa("score", *given, "--sort", "path").paths == sorted(given)
    top = iqa("score", *given, "--top", "2")
    assert top.paths == best_first[:2]
    assert "x.jpg: no such file" in top.err
    assert top.code == 3
    assert iqa("score", *given, "--bottom", "2").paths == best_first[:-3:-1]
    assert iqa("score", *given, "--bottom", "3", "--sort", "path").paths == sorted(best_first[1:])
    both = iqa("score", *given, "--top", "1", "--bottom", "1")
    assert both.code == 2
    assert "--top and --bottom" in both.err


@pytest.mark.parametrize("name", ["a\nb.jpg", "\x1b[31mred\x1b[0m.jpg", "tab\there.jpg", "\u202egpj.exe"])
def test_names_cannot_break_rows_or_reach_the_terminal_as_codes(iqa: Iqa, photos: Photos, name: str) -> None:
    photos(name)
    plain = iqa("score", name)
    assert len(plain.lines) == 1
    assert len(plain.rows[0]) == len(COLUMNS)
    table = iqa("score", name, "missing\x1b[2J.jpg", "--no-color", terminal="stdout")
    for shown in (plain.lines[0].replace("\t", ""), table.out.decode(), table.err):
        assert not ESCAPES.search(shown)
        assert "\u202e" not in shown
    assert len(table.lines) == 3
    lines = iqa("score", name, "--format", "jsonl").out
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]", lines)
    assert json.loads(lines)["path"] == name
    listed = list(csv.reader(io.StringIO(iqa("score", name, "--format", "csv").out.decode(), newline="")))
    assert listed[1][0] == name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf8_does_not_crash_and_comes_back(iqa: Iqa, photos: Photos) -> None:
    photos("a.jpg").joinpath("a.jpg").rename(os.fsdecode(b"caf\xe9.jpg"))
    name = os.fsdecode(b"caf\xe9.jpg")
    assert iqa("score", name).paths == ["caf\\xe9.jpg"]
    assert "caf\\xe9.jpg" in iqa("score", name, terminal="stdout").out.decode()
    read = json.loads(iqa("score", name, "--format", "jsonl").out.decode("utf-8"))
    assert os.fsencode(read["path"]) == b"caf\xe9.jpg"
    assert b"caf\xe9.jpg" in iqa("score", name, "--format", "csv").out
    assert iqa("score", "-", stdin=b"caf\xe9.jpg\n").code == 0


def test_a_name_like_a_formula_is_the_same_file_in_csv_and_not_computed(iqa: Iqa, photos: Photos) -> None:
    names = [
        '=HYPERLINK("x",1).jpg',
        "b,c.jpg",
        "@SUM(1).jpg",
        "-1+2.jpg",
        "+a.jpg",
        "\t=1.jpg",
        "sub/=d.jpg",
    ]
    folder = photos(*names)
    result = iqa("score", "-o", "scores.csv", "--", *names)
    assert (result.code, result.err) == (0, "")
    rows = list(csv.reader(io.StringIO((folder / "scores.csv").read_text(), newline="")))[1:]
    assert [Path(row[0]) for row in rows] == [Path(name) for name in names]
    assert not any(row[0].startswith(("=", "+", "-", "@", "\t")) for row in rows)
    # As a list of inputs, and as the scores of a database that calls them by their bare names.
    again = iqa("score", "-0", "-", stdin="\0".join(row[0] for row in rows).encode())
    assert again.code == 0
    part = Part("csv", "all", "", tuple(names), np.zeros(len(names)), np.arange(len(names)))
    assert not np.isnan(match(part, read_scores(folder / "scores.csv"))).any()


def test_the_name_of_a_model_like_a_formula_is_not_computed(
    iqa: Iqa, photos: Photos, tiny_weights: Path, tmp_path: Path
) -> None:
    photos("a.jpg")
    card, state = load_state(tiny_weights / "mfenet.safetensors")
    evil = tmp_path / "evil.safetensors"
    save_weights(evil, state, replace(card, name="=1+1"))
    row = next(
        csv.DictReader(io.StringIO(iqa("score", "a.jpg", "--weights", evil, "--format", "csv").out.decode()))
    )
    assert row["model"] == "'=1+1"
    assert 0 <= float(row["score"]) <= 100
    # A negative number is none.
    written = io.BytesIO()
    CsvSink(written, ()).row(Prediction("a.jpg", 50.0, None, "m", raw=-0.25))  # type: ignore[arg-type]
    assert b",-0.250000," in written.getvalue()


def test_what_is_no_number_becomes_null() -> None:
    record = plain_record(
        Prediction("a", float("nan"), None, "m", spread=float("inf"), scores={"m": float("-inf")})
    )
    assert record["score"] is None
    assert record["spread"] is None
    assert record["scores"] == {"m": None}


def test_the_same_command_gives_the_same_bytes(iqa: Iqa, examples: Path) -> None:
    runs = {iqa("score", "-r", examples, "--format", "jsonl").out for _ in range(3)}
    assert len(runs) == 1
