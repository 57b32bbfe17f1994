"""`iqa eval`: options, files and databases that make no sense are one clear line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa

MY = ("eval", "--dataset", "csv", "--root", "my")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--scores", "good.csv", "--scores", "./good.csv"], 2, "two scorers are called good"),
        (["--scores", "brisque=good.csv", "--baseline", "brisque"], 2, "two scorers are called brisque"),
        (["--model", "mfenet", "--model", "mfenet"], 2, "is given twice"),
        (["--scores", "good.csv", "--lower-is-better", "goods"], 2, "no --scores is called so"),
        (["--scores", "none.csv"], 4, "cannot read 'none.csv'"),
        (["--scores", "my"], 4, "cannot read 'my'"),
        (["--scores", "columns.csv"], 4, "columns.csv: lacks the column 'score'"),
        (["--scores", "other.csv"], 4, "other.csv: has no picture of csv, part all"),
        (["--scores", "words.csv"], 4, "words.csv, line 2: 'high' is no number"),
        (["--baseline", "brisk"], 2, "there is no baseline 'brisk'"),
        (["--scores", "good.csv", "--by", "colour"], 2, "'colour' is not one of"),
        (["--scores", "good.csv", "--split", "val"], 4, "csv has no part 'val'"),
        (["--scores", "good.csv", "--split", "all", "--split", "val"], 2, "--split val: a second part"),
        (["--scores", "good.csv", "--dataset", "csv"], 2, "--dataset csv is given twice"),
        (["--scores", "good.csv", "--held-out"], 2, "--held-out leaves out what a weight has met"),
        (["--scores", "good.csv", "--record"], 2, "--record writes the figures of one weight"),
        (["--scores", "good.csv", "--types", "jpeg"], 2, "--types is for --exploration"),
        (["--scores", "good.csv", "--limit", 3], 2, "--limit is for --exploration or --stability"),
        (["--exploration", "my"], 2, "--exploration takes a folder and no opinions: --dataset, --root"),
        (["--stability", "my"], 2, "--stability takes a folder and no opinions: --dataset, --root"),
        (["--scores", "good.csv", "-o", "nowhere/t.csv"], 2, "there is no such folder"),
        (["--scores", "good.csv", "-o", "my"], 2, "it is a folder"),
        (["--scores", "x=good.csv", "-o", "./good.csv"], 2, "./good.csv is the file of scores, which the"),
        (["--scores", "good.csv", "--split-file", "s.json", "-o", "s.json"], 2, "s.json is the split, which"),
        (["--scores", "good.csv", "--report", "my/p000.png"], 2, "is a picture, which the results would"),
        (["--scores", "good.csv", "--report", "nowhere/t.html"], 2, "there is no such folder"),
        (["--scores", "good.csv", "--report", "-"], 2, "--report is a file of its own"),
        (["--scores", "good.csv", "-o", "/dev/full"], 2, "cannot write to /dev/full"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    iqa: Iqa, opinions: list[float], arguments: list[object], code: int, line: str
) -> None:
    Path("columns.csv").write_text("path,quality\na.png,1\n", encoding="utf-8")
    Path("other.csv").write_text("path,score\na.png,1\n", encoding="utf-8")
    Path("words.csv").write_text("path,score\nd/p000.png,high\n", encoding="utf-8")
    result = iqa(*MY, *arguments)
    assert (result.code, result.out) == (code, b"")
    errors = [text for text in result.err.splitlines() if text.startswith("iqa: error: ")]
    assert len(errors) == 1
    assert line in errors[0]


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ("image,mos\na.png,1\n", "all scores are 1, which is no scale"),
        ("image,mos\n", "no rows"),
        ("image,mos\na.png,2\nb.png,2\nc.png,2\n", "all scores are 2, which is no scale"),
        ("image,mos,split\na.png,1,val\nb.png,2,train\n", "csv, part val: 1 picture, a correlation needs"),
        (
            "image,mos,split\na.png,2,val\nb.png,2,val\nc.png,2,val\nd.png,1,\n",
            "of which all have one opinion",
        ),
        ("image,mos\na.png,nan\nb.png,2\n", "labels.csv, line 2: 'nan' is no number"),
        ("picture,mos\na.png,1\n", "needs the columns image and mos"),
        (None, "labels.csv"),
    ],
)
def test_databases_that_cannot_be_measured_are_one_line(
    iqa: Iqa, opinions: list[float], tmp_path: Path, labels: str | None, line: str
) -> None:
    (tmp_path / "bad").mkdir()
    if labels is not None:
        (tmp_path / "bad" / "labels.csv").write_text(labels, encoding="utf-8")
    result = iqa("eval", "--dataset", "csv", "--root", "bad", "--scores", "good.csv")
    assert (result.code, result.out) == (ExitCode.NOT_AVAILABLE, b"")
    assert line in result.err.splitlines()[0]


def test_rows_that_were_asked_for_and_are_not_there_are_told(iqa: Iqa, opinions: list[float]) -> None:
    result = iqa(*MY, "--scores", "good.csv", "--by", "ref")
    assert result.code == 0
    assert "--by ref: csv, part all knows no ref of any picture" in result.err
    assert len([line for line in result.lines if line.startswith("all")]) == 1
