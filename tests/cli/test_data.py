"""`iqa data list`, `check` and `show`: what is printed, which problems are named, and the exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.datasets.contact import Histogram, spread_evenly
from iqa_cli.datasets.registry import DATABASES, FACTS
from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, MakeData
from tests.datasets import trees


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the config file nor the environment of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("IQA_CONFIG", "IQA_DATA"):
        monkeypatch.delenv(name, raising=False)


def test_the_list_has_a_row_for_each_database_with_its_folder(
    iqa: Iqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spaq").mkdir()
    monkeypatch.setenv("IQA_DATA", str(tmp_path))
    rows = {row[0]: row for row in iqa("data", "list").rows}
    assert list(rows) == list(DATABASES)
    assert rows["live"][1:6] == ["779", "29", "-3 to 112", "lower", "reference"]
    assert rows["spaq"][6] == str(tmp_path / "spaq")
    assert rows["live"][6] == f"missing: {tmp_path / 'live'}"
    assert rows["csv"][1] == "-"


def test_the_list_says_where_nothing_is_set_and_json_has_all_facts(iqa: Iqa) -> None:
    assert {row[6] for row in iqa("data", "list").rows} == {"not set"}
    rows = {row["name"]: row for row in json.loads(iqa("data", "list", "--format", "json").out)}
    assert rows["koniq10k"]["images"] == FACTS["koniq10k"].images
    assert rows["koniq10k"]["layout"] == list(FACTS["koniq10k"].layout)
    assert (rows["csv"]["folder"], rows["csv"]["found"]) == (None, False)


def test_the_table_of_the_list_is_aligned_on_a_terminal(iqa: Iqa) -> None:
    lines = iqa("data", "list", terminal="stdout", columns=60, colour=False).lines
    column = lines[0].index("folder")
    assert {line.split()[0] for line in lines} == {"name", *DATABASES}
    assert all(line[column:] == "not set" for line in lines[1:])


def test_a_broken_config_file_is_told(iqa: Iqa, tmp_path: Path) -> None:
    (tmp_path / "config/iqa").mkdir(parents=True)
    (tmp_path / "config/iqa/config.toml").write_text("[data\n")
    result = iqa("data", "list")
    assert result.code == ExitCode.USAGE
    assert "config.toml" in result.err.splitlines()[0]


@pytest.mark.parametrize("arguments", [["data"], ["data", "list", "-h"], ["data", "check", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = ("torch", "scipy", "cv2", "numpy", "PIL")
    code = (
        "import sys\nfrom iqa_cli.cli.app import run\n"
        f"run({arguments!r})\nprint([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_whole_database_has_no_problem(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(6, split=lambda i: "val" if i == 0 else "train")
    result = iqa("data", "check", "csv", "--root", root)
    assert (result.code, result.err) == (0, "")
    assert "parts       train 5, val 1" in result.lines
    assert "scores      1 to 5 on a scale of 1 to 5, higher is better" in result.lines
    assert result.lines[-1] == "no problem"
    report = json.loads(iqa("data", "check", "csv", "--root", root, "--format", "json").out)
    assert (report["problems"], report["pictures"], report["decoded"]) == (0, 6, True)


def test_every_kind_of_problem_is_named_and_the_exit_code_is_3(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(8)
    (root / "p00.png").unlink()
    (root / "p01.png").write_bytes((root / "p01.png").read_bytes()[:300])
    (root / "p02.png").write_bytes(b"")
    (root / "p03.png").write_bytes(b"<html>not found</html>")
    Image.new("RGB", (8, 8)).save(root / "p04.png")
    shutil.copy(root / "p05.png", root / "extra.png")
    result = iqa("data", "check", "csv", "--root", root)
    assert result.code == ExitCode.SOME_FAILED
    told = result.lines
    assert "missing     p00.png" in told
    assert [line.split()[1] for line in told if line.startswith("unreadable")] == [
        f"p{number:02}.png:" for number in (1, 2, 3, 4)
    ]
    assert any("p01.png: the file is truncated" in line for line in told)
    assert any("8x8 pixels is too small" in line for line in told)
    assert f"unlabelled  {root / 'extra.png'}" in told
    assert told[-1] == "6 problems"
    report = json.loads(iqa("data", "check", "csv", "--root", root, "--format", "json").out)
    assert report["missing"] == ["p00.png"]
    assert sorted(report["unreadable"]) == ["p01.png", "p02.png", "p03.png", "p04.png"]
    fast = json.loads(iqa("data", "check", "csv", "--root", root, "--fast", "--format", "json").out)
    assert sorted(fast["unreadable"]) == ["p02.png", "p03.png"]
    assert fast["decoded"] is False


def test_only_the_first_problems_of_a_kind_are_named_unless_all_are_asked_for(
    iqa: Iqa, make_eval_data: MakeData
) -> None:
    root = make_eval_data(15)
    for number in range(13):
        (root / f"p{number:02}.png").unlink()
    lines = iqa("data", "check", "csv", "--root", root).lines
    assert sum(line.startswith("missing") for line in lines) == 11
    assert "missing     ... and 3 more; --all names them" in lines
    assert lines[-1] == "13 problems"
    every = iqa("data", "check", "csv", "--root", root, "--all").lines
    assert sum(line.startswith("missing     p") for line in every) == 13


def test_counts_are_compared_with_the_published_ones_unless_it_is_a_part(iqa: Iqa, tmp_path: Path) -> None:
    root = trees.kadid10k(tmp_path / "kadid", size=(24, 20))
    result = iqa("data", "check", "kadid10k", "--root", root)
    assert result.code == ExitCode.SOME_FAILED
    assert "counts      100 pictures with a score, 10,125 published" in result.lines
    assert "counts      2 references, 81 published" in result.lines
    assert iqa("data", "check", "kadid10k", "--root", root, "--partial").code == 0


def test_progress_is_drawn_on_a_terminal_only(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(3)
    assert "of 3 pictures" in iqa("data", "check", "csv", "--root", root, terminal="stderr").err
    assert iqa("data", "check", "csv", "--root", root).err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check", "koniq"], ExitCode.USAGE, "there is no database 'koniq'"),
        (["check", "live"], ExitCode.USAGE, "where is live?"),
        (["show", "live", "--root", "nowhere"], ExitCode.NOT_AVAILABLE, "no such folder: 'nowhere'"),
        (["split", "spaq", "--root", "."], ExitCode.NOT_AVAILABLE, "no SPAQ under '.'"),
        (["show", "csv", "--root", "x", "-o", "a.tif"], ExitCode.USAGE, ".png, .jpg or .webp"),
        (["show", "csv", "--root", "x", "--duplicates", "d.json"], ExitCode.USAGE, "give -o FILE"),
        (["chekc", "csv"], ExitCode.USAGE, "no such command 'chekc'"),
    ],
)
def test_wrong_usage_and_missing_data_are_one_line(
    iqa: Iqa,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: ExitCode,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = iqa("data", *arguments)
    assert (result.code, result.out) == (code, b"")
    assert said in result.err.splitlines()[0]
    assert len(result.err.splitlines()) <= 2


def test_the_histogram_counts_every_score_once(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(11)
    result = iqa("data", "show", "csv", "--root", root, "--range", 1, 5, columns=70)
    bins = [line.split() for line in result.lines[1:-1]]
    assert sum(int(cells[-1]) for cells in bins) == 11
    assert (bins[0][0], bins[-1][0]) == ("1", "4.8")
    assert max(len(line) for line in result.lines[1:]) <= 70
    report = json.loads(iqa("data", "show", "csv", "--root", root, "--format", "json").out)
    assert sum(report["counts"]) == 11
    assert len(report["edges"]) == 21


def test_bars_are_plain_where_the_terminal_shows_no_blocks(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(5)
    out = iqa("data", "show", "csv", "--root", root, stdout_encoding="ascii").out
    assert b"###" in out
    assert out.isascii()
    assert "█" in iqa("data", "show", "csv", "--root", root).out.decode()


def test_the_contact_sheet_shows_the_pictures_from_the_lowest_score_to_the_highest(
    iqa: Iqa, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    shades = [250, 20, 90, 200, 140, 60]
    for shade in shades:
        Image.new("RGB", (160, 160), (shade, shade, shade)).save(root / f"{shade}.png")
    rows = "".join(f"{shade}.png,{shade / 50}\n" for shade in shades)
    (root / "labels.csv").write_text(f"image,mos\n{rows}")
    result = iqa("data", "show", "csv", "--root", root, "-o", tmp_path / "s.png", "--columns", 3)
    assert (result.code, result.err) == (0, f"iqa: 6 pictures on {tmp_path / 's.png'}\n")
    with Image.open(tmp_path / "s.png") as picture:
        sheet = np.asarray(picture)
    flat = [
        int(sheet[y, x, 0])
        for y in range(0, sheet.shape[0], 4)
        for x in range(8, sheet.shape[1], 168)
        if (sheet[y : y + 40, x : x + 120] == sheet[y, x]).all() and sheet[y, x, 0] != 255
    ]
    seen = list(dict.fromkeys(flat))
    assert seen == sorted(shades)
    assert {path.name for path in tmp_path.iterdir()} >= {"s.png"}
    assert not list(tmp_path.glob(".*part"))


def test_a_picture_that_cannot_be_read_is_named_and_the_sheet_written(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path
) -> None:
    root = make_eval_data(4)
    (root / "p02.png").write_bytes(b"")
    result = iqa("data", "show", "csv", "--root", root, "-o", tmp_path / "s.jpg")
    assert result.code == ExitCode.SOME_FAILED
    assert f"{root / 'p02.png'}: the file is empty" in result.err
    with Image.open(tmp_path / "s.jpg") as picture:
        assert picture.format == "JPEG"


def test_the_same_pictures_are_chosen_each_time_and_evenly() -> None:
    assert spread_evenly(100, 5) == [0, 25, 50, 74, 99]
    assert spread_evenly(3, 5) == [0, 1, 2]
    histogram = Histogram.of([0.5, 1.0, 1.0, 4.9], 1, 5, bins=4)
    assert (histogram.edges[0], histogram.edges[-1], sum(histogram.counts)) == (0.5, 5, 4)
