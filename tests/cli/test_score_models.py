"""`iqa score` with several models: a column each, `scores` in JSON, and what is done by the first."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from iqa_cli.images.policy import SizePolicy
from tests.cli.conftest import Iqa
from tests.tinyweight import make_tiny_weight

Photos = Callable[..., Path]
SMALL = SizePolicy(crop=64, near_side=250, reduced_side=120, native_crops=3, min_side=60)
BOTH = ["--model", "mfenet", "--model"]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """The file of a second weight, called other, which looks elsewhere than the first."""
    return make_tiny_weight(tmp_path_factory.mktemp("other"), examples, "other", seed=33, policy=SMALL)


def test_json_has_the_scores_of_both_and_the_first_gives_the_rest(
    iqa: Iqa, photos: Photos, other: Path
) -> None:
    photos("a.jpg", "b.jpg")
    names = ["a.jpg", "none.jpg", "b.jpg"]
    result = iqa("score", *names, *BOTH, other, "--format", "jsonl")
    assert result.code == ExitCode.SOME_FAILED
    rows = [json.loads(line) for line in result.lines]
    first = [json.loads(line) for line in iqa("score", *names, "--format", "jsonl").lines]
    second = [json.loads(line) for line in iqa("score", *names, "--model", other, "--format", "jsonl").lines]
    for row, one, two in zip(rows, first, second, strict=True):
        assert row["scores"] == {"mfenet": one["score"], "other": two["score"]}
        of_all = dict.fromkeys(("scores", "errors", "intervals"))
        assert {**row, **of_all} == {**one, **of_all}
    assert rows[1]["scores"] == {"mfenet": None, "other": None}
    assert rows[1]["errors"] == {"mfenet": "no such file", "other": "no such file"}
    assert rows[0]["errors"] == {}


def test_csv_tsv_and_table_have_a_column_for_the_further_one(iqa: Iqa, photos: Photos, other: Path) -> None:
    photos("a.jpg", "b.jpg")
    rows = [json.loads(x) for x in iqa("score", "-r", ".", *BOTH, other, "--format", "jsonl").lines]
    text = iqa("score", "-r", ".", *BOTH, other, "--format", "csv").out.decode()
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0])[-1] == "scores.other"
    assert list(table[0])[:-1] == iqa("score", "a.jpg", "--format", "csv").lines[0].split(",")
    assert [float(row["scores.other"]) for row in table] == [row["scores"]["other"] for row in rows]
    assert [float(row["score"]) for row in table] == [row["scores"]["mfenet"] for row in rows]
    plain = iqa("score", "-r", ".", *BOTH, other).rows
    assert [row[-1] for row in plain] == [row["scores.other"] for row in table]
    assert len(plain[0]) == len(table[0])
    heading, *lines = iqa("score", "-r", ".", *BOTH, other, "--format", "table").lines
    assert heading.split() == ["score", "spread", "other", "picture"]
    for line, row in zip(lines, rows, strict=True):
        assert f"  {row['scores']['other']:.2f}  {row['path']}" in line
        assert line.index("./") == heading.index("picture")


def test_rows_are_sorted_chosen_and_refused_by_the_first(iqa: Iqa, photos: Photos, other: Path) -> None:
    photos("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    for models in ([*BOTH, other], ["--model", other, "--model", "mfenet"]):
        rows = [json.loads(x) for x in iqa("score", "-r", ".", *models, "--format", "jsonl").lines]
        best = max(rows, key=lambda row: row["score"])
        top = iqa("score", "-r", ".", *models, "--top", "1").rows
        assert [row[0] for row in top] == [best["path"]]
        scores = [float(row[1]) for row in iqa("score", "-r", ".", *models, "--sort", "score").rows]
        assert scores == sorted(scores, reverse=True)
        worst = min(row["score"] for row in rows)
        name = rows[0]["model"]
        assert worst == min(row["scores"][name] for row in rows)
        limit = f"{worst + 0.02:.2f}"
        assert iqa("score", "-r", ".", *models, "--fail-below", limit).code == ExitCode.BELOW_THRESHOLD


def test_a_picture_that_only_the_further_one_cannot_score_is_told(
    iqa: Iqa, photos: Photos, other: Path, examples: Path
) -> None:
    from PIL import Image

    photos("a.jpg")
    with Image.open(examples / "dog.jpg") as dog:
        dog.resize((200, 40)).save("flat.jpg")
    result = iqa("score", "a.jpg", "flat.jpg", *BOTH, other, "--format", "json")
    assert result.code == ExitCode.SOME_FAILED
    good, flat = json.loads(result.out)
    assert flat["score"] is not None
    assert flat["scores"]["other"] is None
    assert "too small" in flat["errors"]["other"]
    assert None not in good["scores"].values()
    assert "other could not score 1 picture; the first: flat.jpg: 200x40 pixels is too small" in result.err
    shown = iqa("score", "flat.jpg", *BOTH, other, "--format", "table").lines[1]
    assert shown.endswith("failed  flat.jpg")
    turned = iqa("score", "flat.jpg", "--model", other, "--model", "mfenet", "--format", "table").lines[1]
    assert "flat.jpg: 200x40 pixels is too small" in turned
    assert f"  mfenet {flat['score']:.2f}" in turned


def test_models_that_cannot_be_told_apart_or_found_are_one_line(
    iqa: Iqa, photos: Photos, other: Path, tmp_path: Path
) -> None:
    photos("a.jpg")
    copy = tmp_path / "again.safetensors"
    shutil.copy(other, copy)
    for models, code, message in (
        ([*BOTH, "mfenet"], ExitCode.USAGE, "mfenet.safetensors is given twice"),
        ([*BOTH, iqa.weights / "mfenet.safetensors"], ExitCode.USAGE, "is given twice"),
        (["--model", other, "--model", copy], ExitCode.USAGE, "are both called other"),
        ([*BOTH, "mfent"], ExitCode.NOT_AVAILABLE, "no weight 'mfent'; did you mean 'mfenet'?"),
        ([*BOTH, other, "--weights", other], ExitCode.USAGE, "--model and --weights exclude each other"),
    ):
        result = iqa("score", "a.jpg", *models)
        assert (result.code, result.out) == (code, b"")
        assert message in result.err
        assert sum(line.startswith("iqa: error") for line in result.err.splitlines()) == 1
        assert len(result.err.splitlines()) <= 2
