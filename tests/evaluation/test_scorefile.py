"""Files of scores from elsewhere: what is read, what is refused, and which picture a row means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqa_cli.cli.output import Output
from iqa_cli.cli.sinks import CsvSink, JsonLinesSink, JsonSink
from iqa_cli.errors import DatasetError
from iqa_cli.evaluation.part import Part
from iqa_cli.evaluation.scorefile import ScoreFile, match, read_scores
from iqa_cli.prediction import Prediction


def part(*names: str) -> Part:
    return Part("csiq", "test", "0" * 16, names, np.arange(len(names), dtype=float), np.arange(len(names)))


def file_of(*names: str) -> ScoreFile:
    return ScoreFile("other.csv", names, np.arange(1.0, len(names) + 1))


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "other.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "path,score\nb.png,2.5\na.png,-1\nc.png,\n",
        "\ufeff Score , model, Path \n2.5,x,b.png\n\n-1,x,a.png\nNaN,x,c.png\n",
        'path,score\r\nb.png,2.5\r\n"a.png",-1e0\r\nc.png,nan',
        '[{"path": "b.png", "score": 2.5}, {"score": -1, "path": "a.png", "scores": {"m": 3}},\n'
        '{"path": "c.png", "score": null}]',
        '\n {"path": "b.png", "score": 2.5}\n{"path": "a.png", "score": -1}\n\n'
        '{"path": "c.png", "score": NaN}',
        '{"b.png": 2.5,\n "a.png": -1, "c.png": null}',
    ],
)
def test_the_same_scores_in_every_format(tmp_path: Path, content: str) -> None:
    scores = read_scores(written(tmp_path, content))
    assert scores.names == ("b.png", "a.png", "c.png")
    np.testing.assert_array_equal(scores.scores, [2.5, -1, np.nan])
    # In the part's order; the picture that failed and the one the file lacks have no score.
    matched = match(part("a.png", "b.png", "c.png", "d.png"), scores)
    np.testing.assert_array_equal(matched, [-1, 2.5, np.nan, np.nan])


@pytest.mark.parametrize("sink", [CsvSink, JsonSink, JsonLinesSink])
def test_what_iqa_score_writes_is_read(tmp_path: Path, sink: type) -> None:
    # A name that is no UTF-8, one with a comma, quotes and a line end, one that failed; two models.
    names = ["bad\udcff.png", 'a,"b"\n.png', "failed.png"]
    chunks: list[bytes] = []

    class Kept(Output):
        def __init__(self) -> None: ...

        def write(self, data: bytes) -> None:
            chunks.append(data)

    rows = sink(Kept(), ["second"]) if sink is CsvSink else sink(Kept())
    rows.start()
    for name, score in zip(names, (10.0, 20.0, None), strict=True):
        error = "truncated" if score is None else None
        rows.row(
            Prediction(name, score, error, "first", scores={"first": score, "second": score and 2 * score})
        )
    rows.finish()
    path = written(tmp_path, b"".join(chunks))
    assert read_scores(path).names == tuple(names)
    np.testing.assert_array_equal(read_scores(path).scores, [10, 20, np.nan])
    np.testing.assert_array_equal(read_scores(path, "scores.second").scores, [20, 40, np.nan])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "lacks the column 'path'"),
        ("path,score\n", "has no scores"),
        ("[]", "has no scores"),
        ("{}", "has no scores"),
        ("image,score\na.png,1\n", "lacks the column 'path', has image, score"),
        ("path;score\na.png;1\n", "lacks the column 'path', has path;score"),
        ("path,score,score\na.png,1,2\n", "has two columns 'score'"),
        ("path,score\na.png,1\nb.png", "line 3: has 1 cells for 2 columns"),
        ("path,score\na.png,1\nb,c.png,2\n", "line 3: has 3 cells for 2 columns"),
        ("path,score\na.png,good\n", "line 2: 'good' is no number"),
        ("path,score\na.png,inf\n", "line 2: 'inf' is no number"),
        ("path,score\na.png,1\na.png,1\n", "line 3: 'a.png' is listed twice"),
        ("path,score\n,1\n", "line 2: names no picture"),
        ("path,score\n\x1b[31m,x\n", "line 2: 'x' is no number"),
        ("p\x1b[2Jth,score\na,1\n", r"has p\\x1b\[2Jth, score"),
        ('[{"path": "a.png", "score": 1}, {"path": "b', "damaged or truncated JSON"),
        ('{"path": "a.png", "score": 1}\n{"path": "b', "line 2: is damaged or truncated JSON"),
        ('[{"path": "a.png"}]', "record 1: lacks the field 'score'"),
        ('[{"path": null, "score": 1}]', "record 1: names no picture"),
        ('[{"path": "a.png", "score": true}]', "record 1: 'True' is no number"),
        ('[{"path": "a.png", "score": [1]}]', r"record 1: '\[1\]' is no number"),
        ('[{"path": "a.png", "score": Infinity}]', "record 1: 'inf' is no number"),
        ("[1, 2]", "record 1: is no record with a path and a score"),
        ('{"a.png": {"b": 1}}', "is no number"),
        ("[" * 100_000, "nested too deeply|damaged"),
        ("path,score\na.png,1\n".encode("utf-16"), "is not UTF-8 text"),
        ("path,score\n" + "a" * 200_000 + ",1\n", "field larger than field limit"),
    ],
)
def test_hostile_files_are_one_clear_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as raised:
        read_scores(written(tmp_path, content))
    assert raised.value.message.isprintable()
    assert "other.csv" in raised.value.message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DatasetError, match="cannot read"):
            read_scores(path)


@pytest.mark.parametrize(
    ("names", "rows", "expected"),
    [
        # The database's name first, then the end of the path; also with the separators of Windows.
        (["dst/a.png", "dst/b.png"], ["/data/csiq/dst/b.png", "dst/a.png"], [2, 1]),
        (["dst/a.png"], [r"D:\iqa\csiq\dst\a.png"], [1]),
        (["images/a.png"], ["./a.png"], [1]),
        # The longest common ending, of several with the same file name.
        (["x/a.png", "y/a.png"], ["/d/y/a.png", "/d/x/a.png"], [2, 1]),
        (["a.png", "old/a.png"], ["/d/old/a.png", "/d/new/a.png"], [2, 1]),
        # A row is given away once.
        (["x/a.png", "y/a.png"], ["/d/x/a.png"], [1, np.nan]),
        (["./x//a.png", "b.png"], ["x/a.png", "/b.png"], [1, 2]),
        # Not the end of a file name.
        (["a.png", "c.png"], ["extra.png", "c.png"], [np.nan, 2]),
    ],
)
def test_rows_find_their_pictures(names: list[str], rows: list[str], expected: list[float]) -> None:
    np.testing.assert_array_equal(match(part(*names), file_of(*rows)), expected)


@pytest.mark.parametrize(
    ("names", "rows", "said"),
    [
        (["a.png"], ["/x/a.png", "/y/a.png"], "'/x/a.png', '/y/a.png' could each be 'a.png' of csiq"),
        (["x/a.png", "y/a.png"], ["a.png"], "'a.png' could be 'x/a.png', 'y/a.png' of csiq"),
        (["a.png"], ["b.png"], "has no picture of csiq, part test"),
        (["a\x1b[2J.png"], ["b\x1b[2J.png"], "has no picture of csiq, part test"),
    ],
)
def test_what_could_be_two_pictures_is_refused(names: list[str], rows: list[str], said: str) -> None:
    with pytest.raises(DatasetError, match=said) as raised:
        match(part(*names), file_of(*rows))
    assert raised.value.message.isprintable()
    assert (raised.value.hint or "").isprintable()


def test_scores_of_other_parts_are_not_mistaken() -> None:
    # The file has the training pictures only; val/a.png and train/a.png have one file name.
    file = file_of("/d/train/a.png", "/d/val/b.png")
    np.testing.assert_array_equal(
        match(part("val/a.png", "val/b.png"), file, others=["train/a.png"]), [np.nan, 2]
    )


@given(st.permutations(range(12)), st.integers(0, 3))
def test_order_and_folder_above_do_not_matter(order: Sequence[int], depth: int) -> None:
    names = [f"{'xyz'[i % 3]}/{i // 3}.png" for i in range(12)]
    above = "/".join(["", *"pqr"[:depth], ""])
    file = ScoreFile("o", tuple(above + names[i] for i in order), np.array(order, float))
    np.testing.assert_array_equal(match(part(*names), file), np.arange(12))


def test_many_rows_are_kept_small(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "many.json"
    record = {"path": "", "score": 1.5, "error": None, "model": "m", "scores": {"m": 1.5}, "width": 512}
    path.write_text(json.dumps([{**record, "path": f"/data/{i}.png"} for i in range(20_000)]))
    tracemalloc.start()
    try:
        scores = read_scores(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(scores) == 20_000
    # The text twice (bytes, characters), and a tenth of what whole records would take.
    assert peak < 2.5 * path.stat().st_size + 20_000 * 300
