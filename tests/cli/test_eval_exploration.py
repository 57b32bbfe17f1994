"""`iqa eval --exploration` and `--stability`: what is printed, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_exploration import explore
from iqa_cli.cli.eval_stability import stability
from iqa_cli.errors import ImageError, UsageError
from tests.cli import evaldata
from tests.cli.conftest import Iqa

Photos = Callable[..., Path]


@pytest.fixture
def world() -> Environment:
    return Environment(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO())


def printed(env: Environment) -> str:
    assert isinstance(env.stdout, io.BytesIO)
    return env.stdout.getvalue().decode()


def said(env: Environment) -> str:
    assert isinstance(env.stderr, io.StringIO)
    return env.stderr.getvalue()


def smooth(rgb: NDArray[np.uint8]) -> float:
    """Falls with noise."""
    return -float(np.abs(np.diff(rgb.astype(np.float64), axis=0)).mean())


def dark(rgb: NDArray[np.uint8]) -> float:
    return -float(rgb.mean())


SCORERS: dict[str, Any] = {"smooth": smooth, "dark": dark}


def test_exploration_as_json_and_table(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    result = iqa("eval", "--exploration", folder, "--types", "jpeg", "--format", "json", "--limit", 3)
    assert result.code == 0
    document = json.loads(result.out)
    assert document["photographs"] == 3
    assert document["types"] == ["jpeg"]
    assert "3 photographs, 1 type of distortion at 5 levels: 18 pictures" in result.err
    (found,) = document["models"]
    assert (found["model"], found["pictures"]) == ("mfenet", 18)
    for figure in ("d", "l_srcc", "l_krcc", "p"):
        low, high = found[f"{figure}_ci"]
        assert -1 <= low <= high <= 1
    # 3 x 3 photographs, 6 pairs of levels that are 3 apart.
    assert found["pairs"] == 54
    assert found["seen"] is None


def test_photographs_met_in_training_are_told_in_the_table(iqa: Iqa, photos: Photos, weight: Path) -> None:
    folder = photos("a.jpg", "b.jpg")
    evaldata.teach(weight, folder / "b.jpg")
    options = ("--exploration", folder, "--types", "white_noise", "--model", weight)
    result = iqa("eval", *options)
    assert result.code == 0
    text = result.out.decode()
    assert "1 of 2 photographs were met in training" in text
    assert "these figures flatter" in text
    # The line of the model ends in the number of photographs met.
    assert next(line for line in result.lines if line.startswith("mfenet")).split()[-1] == "1"


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_exploration_for_a_person(world: Environment, photos: Photos, form: str) -> None:
    folder = photos("a.jpg", "b.jpg", "c.jpg")
    explore(world, folder, models=[], others=SCORERS, types="white_noise,gaussian_blur", size=96, form=form)
    text = printed(world)
    assert "3 photographs, 2 types at 5 levels, 96 pixels a side, seed 0" in text
    rows = [line.strip("| ").split()[0] for line in text.splitlines()[2:] if line]
    assert [row for row in rows if row in ("smooth", "dark", "gaussian_blur", "white_noise")] == [
        "smooth",
        "gaussian_blur",
        "white_noise",
        "dark",
        "gaussian_blur",
        "white_noise",
    ]


def test_exploration_as_csv(world: Environment, photos: Photos) -> None:
    explore(
        world, photos("a.jpg", "b.jpg"), models=[], others=SCORERS, types="white_noise", form="csv", size=96
    )
    rows = list(csv.DictReader(io.StringIO(printed(world))))
    assert [(row["model"], row["type"]) for row in rows] == [("smooth", "all"), ("dark", "all")]
    assert float(rows[0]["l_srcc"]) == 1
    assert rows[0]["seen"] == ""


def test_better_scorers_are_told_with_their_p(world: Environment, photos: Photos) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    backwards = {"smooth": smooth, "rough": lambda rgb: -smooth(rgb)}
    explore(world, photos(*names), models=[], others=backwards, types="white_noise", size=96)
    assert "L: smooth is better than rough by 2.000" in printed(world)
    assert "after Holm" in printed(world)


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_stability_in_every_form(world: Environment, photos: Photos, form: str) -> None:
    stability(world, photos("a.jpg", "b.jpg"), models=[], others=SCORERS, form=form)
    text = printed(world)
    if form == "json":
        found = {entry["model"]: entry["changes"] for entry in json.loads(text)["models"]}
        assert [row["change"] for row in found["dark"]] == ["flip", "shift", "reencode", "crop"]
        assert found["dark"][0]["max"] == pytest.approx(0, abs=1e-9)
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == 8
        assert {row["n_used"] for row in rows} == {"2"}
    else:
        assert "2 pictures" in text
        assert "mirrored left to right" in text
        assert "-0.000" not in text


def test_stability_of_a_weight(iqa: Iqa, photos: Photos) -> None:
    result = iqa("eval", "--stability", photos("a.jpg"), "--format", "json", "--device", "cpu")
    assert result.code == 0
    (found,) = json.loads(result.out)["models"]
    moved = {row["change"]: row for row in found["changes"]}
    assert set(moved) == {"flip", "shift", "reencode", "crop", "batch-1", "bf16"}
    assert moved["flip"]["max"] > 0
    assert moved["flip"]["worst"] == "a.jpg"
    assert moved["batch-1"]["max"] < 5e-3


def test_names_cannot_write_to_the_terminal(world: Environment, photos: Photos) -> None:
    folder = photos("a\x1b[2J.jpg")
    stability(world, folder, models=[], others={"le\x1bft": lambda rgb: float(rgb[:, :9].mean())})
    assert "\x1b" not in printed(world)
    (folder / "b\x1b.jpg").write_bytes(b"\xff\xd8\xff")
    for function in (explore, stability):
        function(world, folder, models=[], others=SCORERS, allow_missing=True)
        with pytest.raises(ImageError) as caught:
            function(world, folder, models=[], others=SCORERS)
        assert "\x1b" not in str(caught.value)
    assert "\x1b" not in printed(world) + said(world)
    assert "1 photograph left out" in printed(world)


@pytest.mark.parametrize("function", [explore, stability])
def test_a_part_of_a_listed_folder_is_taken_alone(world: Environment, photos: Photos, function: Any) -> None:
    folder = photos("a.jpg", "b.jpg", "c.jpg")
    (folder / "sources.csv").write_text("image,split\na.jpg,train\nb.jpg,val\nc.jpg,val\n", encoding="utf-8")
    function(world, folder, models=[], others={"dark": dark}, part="val", form="json")
    found = json.loads(printed(world))
    assert found["photographs" if function is explore else "pictures"] == 2
    assert found["part"] == "val"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--exploration", ".", "--split", "val"), 2, "no sources.csv"),
        (
            ("--stability", ".", "--split", "a", "--split", "b"),
            2,
            "a folder is measured on one part",
        ),
        (("--exploration", "nowhere"), 4, "no such folder: 'nowhere'"),
        (("--stability", "nowhere"), 4, "no such folder: 'nowhere'"),
        (("--stability", "empty"), 4, "'empty' holds no pictures"),
        (("--exploration", ".", "--types", "jpg"), 2, "there is no distortion 'jpg'"),
        (("--exploration", ".", "--stability", "."), 2, "exclude each other"),
        (("--exploration", ".", "--model", "nothing"), 4, "there is no weight 'nothing'"),
        (("--stability", ".", "--limit", "0"), 2, "--limit"),
    ],
)
def test_what_cannot_be_is_one_line(
    iqa: Iqa, photos: Photos, options: tuple[str, ...], code: int, message: str
) -> None:
    (photos("a.jpg") / "empty").mkdir()
    result = iqa("eval", *options)
    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err
    assert result.out == b""


def test_a_side_too_small_to_distort_is_refused(world: Environment, photos: Photos) -> None:
    with pytest.raises(UsageError, match="32 pixels is too small"):
        explore(world, photos("a.jpg"), models=[], others=SCORERS, size=32)


@pytest.mark.parametrize("function", [explore, stability])
def test_an_interruption_leaves_no_figures(world: Environment, photos: Photos, function: Any) -> None:
    asked = []

    def interrupted(rgb: NDArray[np.uint8]) -> float:
        asked.append(1)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        function(world, photos("a.jpg"), models=[], others={"slow": interrupted})
    assert printed(world) == ""
    assert "nothing is measured" in said(world)
