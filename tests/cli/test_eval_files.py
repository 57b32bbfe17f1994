"""`iqa eval --scores`: scorers from elsewhere side by side, the formats, and what is refused. No picture is
there, and no network is loaded."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa
from tests.cli.evaldata import make_opinions, noisy, write_scores
from tests.conftest import ROOT

MY = ("eval", "--dataset", "csv", "--root", "my")


def test_scores_from_elsewhere_need_neither_pictures_nor_torch(opinions: list[float]) -> None:
    code = (
        "import sys\n"
        "from iqa_cli.cli.app import run\n"
        f"code = run({[*MY, '--scores', 'good.csv', '--format', 'json']!r})\n"
        "assert not {'torch', 'timm', 'cv2'} & set(sys.modules), 'a network was loaded'\n"
        "sys.exit(code)\n"
    )
    environ = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ, check=True)
    found = json.loads(result.stdout)
    scores = np.loadtxt("good.csv", delimiter=",", skiprows=1, usecols=1)
    assert found["model"] == "good"
    assert found["srcc"] == pytest.approx(stats.spearmanr(scores, opinions).statistic, abs=1e-12)
    assert found["krcc"] == pytest.approx(stats.kendalltau(scores, opinions).statistic, abs=1e-12)
    assert found["plcc"] == pytest.approx(stats.pearsonr(scores, opinions).statistic, abs=1e-12)
    assert (found["n_used"], found["n_total"], found["n_groups"], found["seen"]) == (60, 60, 30, None)
    for key in ("srcc", "krcc", "plcc", "plcc_fitted", "rmse"):
        low, high = found[f"{key}_ci"]
        assert low < found[key] < high


def test_signs_are_kept_unless_a_scorer_is_said_to_fall_with_quality(iqa: Iqa, opinions: list[float]) -> None:
    write_scores(Path("fall.csv"), [-score for score in noisy(opinions, 0.1, 1)])
    run = [*MY, "--scores", "fall.csv", "--format", "json"]
    falling = json.loads(iqa(*run).out)
    turned = json.loads(iqa(*run, "--lower-is-better", "fall").out)
    good = json.loads(iqa(*MY, "--scores", "good.csv", "--format", "json").out)
    assert falling["srcc"] == pytest.approx(-turned["srcc"], abs=1e-12)
    assert {**turned, "model": "good"} == good


def test_scorers_are_rows_and_bold_only_where_others_are_significantly_worse(
    iqa: Iqa, opinions: list[float]
) -> None:
    names = ("good", "close", "poor")
    files = [word for name in names for word in ("--scores", f"{name}.csv")]
    result = iqa(*MY, *files)
    title, header, *rows = result.lines[:5]
    assert title == "3 scorers on csv, part all"
    assert [row.split()[0] for row in rows] == list(names)
    assert [row.count("*") for row in rows] == [2, 2, 0]
    assert header.split()[:2] == ["n", "SRCC"]
    assert rows[0].split()[4].endswith("*")
    notes = " ".join(result.lines[5:])
    for said in ("60 pictures, 30 groups", "bootstrap of whole groups", "Meng, Rosenthal and Rubin", "Holm"):
        assert said in notes
    assert "tests on the 60 pictures that all have scored" in notes
    alone = [json.loads(iqa(*MY, "--scores", f"{name}.csv", "--format", "json").out) for name in names]
    for row, figures in zip(rows, alone, strict=True):
        assert f"{figures['srcc']:.4f}" in row
        assert f"{figures['rmse']:.2f}" in row
    equal = iqa(*MY, *files[:4])
    assert "*" not in "".join(equal.lines[1:4])
    assert "nothing is bold: no scorer is significantly worse" in equal.out.decode()


def test_a_terminal_gets_bold_and_a_file_or_pipe_stars(iqa: Iqa, opinions: list[float]) -> None:
    run = [*MY, "--scores", "good.csv", "--scores", "poor.csv"]
    shown = iqa(*run, terminal="stdout").lines
    assert shown[2].count("\x1b[1m") == 2
    assert "*" not in "".join(shown[:4])
    assert "\x1b" not in shown[3]
    for quiet in (iqa(*run), iqa("--no-color", *run, terminal="stdout")):
        assert b"\x1b" not in quiet.out
        assert quiet.lines[2].count("*") == 2
    # Beside the bold cells nothing moves.
    assert [re.sub("\x1b.*?m", "", line).replace(" ", "") for line in shown[1:4]] == [
        line.replace("*", "").replace(" ", "") for line in iqa(*run).lines[1:4]
    ]


def test_rows_by_distortion_and_level_in_every_format(iqa: Iqa, opinions: list[float]) -> None:
    run = [*MY, "--range", 0, 100, "--scores", "good.csv", "--by", "distortion", "--by", "level"]
    found = json.loads(iqa(*run, "--format", "json").out)
    assert [row["level"] for row in found["levels"]] == [str(level) for level in range(1, 13)]
    assert [row["n_total"] for row in found["distortions"]] == [20, 20, 20]
    assert "subsets" not in found
    scores = np.loadtxt("good.csv", delimiter=",", skiprows=1, usecols=1)
    jpeg = next(row for row in found["distortions"] if row["distortion"] == "jpeg")
    assert jpeg["srcc"] == pytest.approx(stats.spearmanr(scores[::3], opinions[::3]).statistic, abs=1e-12)
    rows = list(csv.DictReader(StringIO(iqa(*run, "--format", "csv").out.decode())))
    assert len(rows) == 1 + 3 + 12
    assert {(row["kind"], row["row"]): float(row["srcc"]) for row in rows} == {
        ("", "all"): found["srcc"],
        **{("distortion", row["distortion"]): row["srcc"] for row in found["distortions"]},
        **{("level", row["level"]): row["srcc"] for row in found["levels"]},
    }
    assert [float(rows[0][key]) for key in ("rmse_low", "rmse_high")] == found["rmse_ci"]
    lines = iqa(*run, "--format", "markdown").lines
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 1 + 3 + 12
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    assert table[3].startswith(r"| blur\|x | 20 of 20 |")
    text = iqa(*run).lines
    assert [line.split()[0] for line in text[2:7]] == ["all", "blur|x", "jpeg", r"noise\x1b[31m", "level"]
    assert text[15].startswith("level 10")


def test_outliers_are_told_where_deviations_of_the_opinions_are_known(
    iqa: Iqa, opinions: list[float], tmp_path: Path
) -> None:
    # A curve goes through none of these opinions, and misses none by twice the whole scale.
    make_opinions(tmp_path / "sure", 60, sd=lambda i: 0 if i % 4 else 100)
    run = ["eval", "--dataset", "csv", "--root", "sure", "--scores", "poor.csv"]
    header, row = iqa(*run).lines[1:3]
    assert header.split()[-2:] == ["outliers", "seen"]
    assert row.split()[-2:] == ["0.750", "-"]
    assert json.loads(iqa(*run, "--format", "json").out)["outlier_ratio"] == 0.75
    assert "outliers" not in iqa(*MY, "--scores", "poor.csv").lines[1]


def test_databases_are_columns_and_scorers_rows(iqa: Iqa, opinions: list[float], tmp_path: Path) -> None:
    further = make_opinions(tmp_path / "biq", 40, 1, split=lambda i: "val" if i < 30 else "train")
    write_scores(Path("both.csv"), noisy(further, 0.1, 5) + [0.5] * 20)
    roots = ["--dataset", "biq2021", "--root", f"biq2021={tmp_path / 'biq'}", "--root", "csv=my"]
    run = ["eval", "--dataset", "csv", *roots, "--scores", "both.csv", "--scores", "poor.csv"]
    result = iqa(*run)
    assert result.code == 0
    first, _, second = result.out.decode().partition("\n\n")
    assert first.startswith("SRCC, ")
    assert second.startswith("PLCC after the fitted logistic, ")
    assert first.splitlines()[1].split()[:2] == ["csv", "all"]
    assert "biq2021 val" in first
    found = json.loads(iqa(*run, "--format", "json").out)
    cells = {(cell["model"], cell["dataset"]): cell for cell in found["results"]}
    assert len(cells) == 4
    row = next(line for line in first.splitlines() if line.startswith("both"))
    assert f"{cells['both', 'csv']['srcc']:.4f}" in row
    assert f"{cells['both', 'biq2021']['srcc']:.4f}*" in row
    assert cells["both", "biq2021"]["n_total"] == 30
    assert [entry["srcc"] for entry in found["best"] if entry["dataset"] == "biq2021"] == [["both"]]
    (pair,) = (p for p in found["comparisons"] if (p["dataset"], p["what"]) == ("biq2021", "srcc"))
    expected = cells["both", "biq2021"]["srcc"] - cells["poor", "biq2021"]["srcc"]
    assert pair["difference"] == pytest.approx(expected, abs=1e-12)
    assert pair["p_holm"] == pair["p"] < 0.05
    parts = ["--split", "all", "--split", "biq2021=train"]
    sizes = [cell["n_total"] for cell in json.loads(iqa(*run, *parts, "--format", "json").out)["results"]]
    assert sizes == [60, 60, 10, 10]
    # One scorer on both: a row for each database.
    alone = iqa("eval", "--dataset", "csv", *roots, "--scores", "poor.csv").lines
    assert alone[0] == "poor on 2 databases"
    assert [line.split(",")[0] for line in alone[2:4]] == ["csv", "biq2021"]


def test_missing_scores_are_refused_or_counted(iqa: Iqa, opinions: list[float]) -> None:
    scores = ["nan", "", *noisy(opinions, 0.1, 1)[2:]]
    write_scores(Path("some.csv"), scores[:-1])
    refused = iqa(*MY, "--scores", "some.csv")
    assert (refused.code, refused.out) == (ExitCode.SOME_FAILED, b"")
    assert refused.err.splitlines()[-2] == (
        "iqa: error: some.csv: has no score for 3 of 60 pictures of csv, part all: "
        "d/p000.png, d/p001.png, d/p059.png"
    )
    run = [*MY, "--scores", "some.csv", "--allow-missing"]
    table = iqa(*run)
    assert table.lines[2].split()[:4] == ["all", "57", "of", "60"]
    assert "no score for 3 of 60 pictures" in table.err
    found = json.loads(iqa(*run, "--format", "json").out)
    expected = stats.spearmanr(np.array(scores[2:-1], float), opinions[2:-1]).statistic
    assert (found["n_used"], found["n_total"]) == (57, 60)
    assert found["srcc"] == pytest.approx(expected, abs=1e-12)


def test_a_file_of_one_database_may_be_missing_on_another(
    iqa: Iqa, opinions: list[float], tmp_path: Path
) -> None:
    make_opinions(tmp_path / "biq", 40, 1)
    text = (tmp_path / "biq" / "labels.csv").read_text(encoding="utf-8")
    (tmp_path / "biq" / "labels.csv").write_text(text.replace("d/p", "d/q"), encoding="utf-8")
    both = ["eval", "--dataset", "csv", "--root", "csv=my", "--dataset", "biq2021", "--root", "biq2021=biq"]
    refused = iqa(*both, "--scores", "good.csv")
    assert refused.code == ExitCode.NOT_AVAILABLE
    assert "good.csv: has no picture of biq2021, part all" in refused.err
    result = iqa(*both, "--scores", "good.csv", "--allow-missing")
    assert result.code == 0
    row = next(line for line in result.lines if line.startswith("biq2021, part all "))
    assert row.split()[3:6] == ["0", "of", "40"]
    Path("none.csv").write_text("path,score\nelsewhere.png,1\n", encoding="utf-8")
    assert iqa(*both, "--scores", "none.csv", "--allow-missing").code == ExitCode.NOT_AVAILABLE


def test_files_by_the_name_of_the_output(iqa: Iqa, opinions: list[float]) -> None:
    run = [*MY, "--scores", "good.csv"]
    for name, form in (("t.json", "json"), ("t.csv", "csv"), ("t.md", "markdown"), ("t.txt", "table")):
        result = iqa(*run, "-o", name)
        assert (result.code, result.out) == (0, b"")
        assert Path(name).read_bytes() == iqa(*run, "--format", form).out
    assert Path("t.json").read_bytes() == iqa(*run, "--format", "json", "-o", "-").out


def test_a_report_stands_beside_the_table(iqa: Iqa, opinions: list[float]) -> None:
    run = [*MY, "--scores", "good.csv", "--scores", "poor.csv"]
    result = iqa(*run, "--report", "page.html")
    assert result.out == iqa(*run).out
    page = Path("page.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("good", "poor", "blur|x"))
    assert "\x1b" not in page


def test_scores_without_a_correlation_are_dashes_and_a_line(iqa: Iqa, opinions: list[float]) -> None:
    write_scores(Path("flat.csv"), [3.5] * 60)
    run = [*MY, "--scores", "flat.csv", "--scores", "good.csv"]
    result = iqa(*run)
    assert result.code == 0
    assert result.lines[2].split() == ["flat", "60", "of", "60", *["-"] * 7]
    assert "flat on csv, part all, all: all values are the same" in result.err
    found = json.loads(iqa(*run, "--format", "json").out)["results"][0]
    assert (found["srcc"], found["srcc_ci"], found["rmse"], found["n_used"]) == (None, None, None, 60)


def test_ties_are_measured_as_scipy_has_them(iqa: Iqa, opinions: list[float]) -> None:
    scores = [round(4 * score) for score in noisy(opinions, 0.1)]
    found = json.loads(iqa(*MY, "--scores", write_scores(Path("ties.csv"), scores), "--format", "json").out)
    assert found["srcc"] == pytest.approx(stats.spearmanr(scores, opinions).statistic, abs=1e-12)
    assert found["krcc"] == pytest.approx(stats.kendalltau(scores, opinions).statistic, abs=1e-12)
