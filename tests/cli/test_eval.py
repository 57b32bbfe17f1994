"""`iqa eval`: the figures, what was met in training, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from iqa_cli.cli.app import COMMANDS, LazyCommand
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import split_hash
from iqa_cli.datasets.splitfile import write_split
from iqa_cli.datasets.splits import split
from iqa_cli.errors import ExitCode
from iqa_cli.seen import seen_path, write_seen
from tests.cli.conftest import Iqa, MakeData
from tests.cli.evaldata import teach


def figures(iqa: Iqa, *arguments: object) -> dict[str, Any]:
    result = iqa("eval", "--dataset", "csv", "--format", "json", *arguments)
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_the_figures_are_those_of_the_scores_that_iqa_score_prints(
    iqa: Iqa, make_eval_data: MakeData
) -> None:
    root = make_eval_data(11, split=lambda i: "val")
    found = figures(iqa, "--root", root, "--range", 1, 5)
    rows = [json.loads(line) for line in iqa("score", "-r", root, "--format", "jsonl").lines]
    scores = [row["score"] for row in rows]
    opinions = [25 * (i * 7 % 11) * 0.4 for i in range(11)]
    assert found["srcc"] == pytest.approx(stats.spearmanr(scores, opinions).statistic, abs=1e-9)
    assert found["krcc"] == pytest.approx(stats.kendalltau(scores, opinions).statistic, abs=1e-9)
    assert found["plcc"] == pytest.approx(stats.pearsonr(scores, opinions).statistic, abs=1e-5)
    assert found["plcc_fitted"] is None or found["plcc_fitted"] >= abs(found["plcc"]) - 1e-6
    assert found["rmse"] is None or 0 < found["rmse"] <= np.std(opinions) + 1e-6
    low, high = found["srcc_ci"]
    assert low <= found["srcc"] <= high
    assert (found["n_used"], found["n_total"], found["split"], found["model"]) == (11, 11, "val", "mfenet")
    assert (found["seen"], found["seen_near"], found["subsets"]) == (None, None, [])


@pytest.mark.parametrize(
    ("splits", "part", "n"),
    [(("train", "val", "test"), "val", 3), (("train", "test"), "test", 5), (("train",), "all", 10)],
)
def test_without_split_training_data_is_left_out_where_the_database_says_which(
    iqa: Iqa, make_eval_data: MakeData, splits: tuple[str, ...], part: str, n: int
) -> None:
    root = make_eval_data(10, split=lambda i: splits[i % len(splits)])
    result = iqa("eval", "--dataset", "csv", "--root", root)
    assert result.lines[0] == f"mfenet on csv, part {part}"
    assert f"{n} of {n}" in result.lines[2]
    assert "10 of 10" in iqa("eval", "--dataset", "csv", "--root", root, "--split", "all").lines[2]


def test_pictures_met_in_training_are_counted_whatever_their_names(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, tmp_path: Path
) -> None:
    root = make_eval_data(8, subset=lambda i: "sea" if i < 4 else "sky")
    again = tmp_path / "other-name.png"
    shutil.copy(root / "p05.png", again)
    recoded = tmp_path / "recoded.jpg"
    with Image.open(root / "p02.png") as image:
        image.save(recoded, quality=90)
    teach(weight, root / "p00.png", again, recoded)
    arguments = ["--root", root, "--model", weight]
    result = iqa("eval", "--dataset", "csv", *arguments)
    assert [line.split()[-1] for line in result.lines[1:5]] == ["seen", "2", "1", "1"]
    assert result.lines[5] == "! 2 of 8 pictures were met in training: these figures flatter"
    assert "resemble" in result.err
    found = figures(iqa, *arguments)
    assert found["seen"] == 2
    assert found["seen_near"] >= 1
    assert [row["seen"] for row in found["subsets"]] == [1, 1]


def test_a_weight_that_has_met_nothing_says_so(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, examples: Path
) -> None:
    root = make_eval_data(5)
    teach(weight, examples / "dog.jpg")
    result = iqa("eval", "--dataset", "csv", "--root", root, "--model", weight, "--range", 1, 5)
    assert result.lines[2].split()[-1] == "0"
    assert "flatter" not in result.out.decode()
    # Whether a curve can be fitted to five pictures is another matter.
    assert [line for line in result.err.splitlines() if "logistic fit" not in line] == []


def test_hashes_that_are_missing_or_of_another_weight_are_told(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, examples: Path
) -> None:
    root = make_eval_data(5)
    arguments = ["eval", "--dataset", "csv", "--root", root, "--range", 1, 5]
    unknown = iqa(*arguments)
    assert "keeps no hashes" in unknown.err
    assert unknown.lines[2].split()[-1] == "-"
    assert iqa(*arguments, "-q").err == ""
    teach(weight, examples / "dog.jpg")
    write_seen(seen_path(weight), [(1, 1), (2, 2)])
    other = iqa(*arguments, "--model", weight)
    assert other.code == ExitCode.NOT_AVAILABLE
    assert "holds 2 pictures, but the card of the weight says 1" in other.err
    # A weight that was renamed with its file of hashes, while its card still names another one's.
    renamed = weight.with_name("renamed.safetensors")
    renamed.write_bytes(weight.read_bytes())
    write_seen(seen_path(renamed), [(1, 1)])
    assert "holds 2" not in iqa(*arguments, "--model", renamed).err
    seen_path(weight).unlink()
    missing = iqa(*arguments, "--model", weight)
    assert missing.code == 0
    assert "mfenet.seen.safetensors is missing" in missing.err
    assert missing.lines[2].split()[-1] == "-"


def test_a_subset_without_a_correlation_is_a_row_of_dashes(iqa: Iqa, make_eval_data: MakeData) -> None:
    names = ["big"] * 6 + ["tiny\x1b[31m"] * 2 + ["flat"] * 3
    root = make_eval_data(11, subset=lambda i: names[i])
    text = (root / "labels.csv").read_text(encoding="utf-8").splitlines()
    for line in range(9, 12):
        image, _, *rest = text[line].split(",")
        text[line] = ",".join([image, "3", *rest])
    (root / "labels.csv").write_text("\n".join(text), encoding="utf-8")
    arguments = ["eval", "--dataset", "csv", "--root", root]
    result = iqa(*arguments)
    assert result.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.lines[2:]}
    assert rows["flat"] == ["3", "of", "3", *["-"] * 7]
    assert rows["tiny\\x1b[31m"] == ["2", "of", "2", *["-"] * 7]
    assert "-" not in rows["big"][:-1]
    assert b"\x1b" not in result.out
    assert "flat: all values are the same" in result.err
    flat = next(row for row in figures(iqa, "--root", root)["subsets"] if row["subset"] == "flat")
    assert (flat["srcc"], flat["srcc_ci"], flat["n_used"], flat["n_total"]) == (None, None, 3, 3)


@pytest.mark.parametrize("n", [3, 4])
def test_a_handful_of_pictures_is_measured_without_the_fit(
    iqa: Iqa, make_eval_data: MakeData, n: int
) -> None:
    found = figures(iqa, "--root", make_eval_data(n))
    assert -1 <= found["srcc"] <= 1
    assert (found["plcc_fitted"], found["rmse"]) == (None, None)


def test_what_cannot_be_measured_is_refused_before_scoring(
    iqa: Iqa, make_eval_data: MakeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iqa_cli.scoring.scorer.load", None)  # would be a defect
    root = make_eval_data(6, split=lambda i: "val" if i < 2 else "train")
    for arguments, code, line in (
        (["--root", root], 4, "csv, part val: 2 pictures, a correlation needs at least 3"),
        (["--root", root, "--split", "vla"], 4, "csv has no part 'vla'"),
        (["--root", root, "--split", "all", "--range", 1, 2], 4, "lies outside of 1 to 2"),
        (["--root", root, "--range", 5, 1], 2, "5 to 1 is no range"),
        (["--root", root, "--model", "mfnet"], 4, "did you mean 'mfenet'?"),
        (["--root", root / "none"], 4, "no such folder"),
    ):
        result = iqa("eval", "--dataset", "csv", *arguments)
        assert (result.code, result.out) == (code, b"")
        assert line in result.err.splitlines()[0]
    for i in (3, 5):
        (root / f"p{i:02}.png").unlink()
    result = iqa("eval", "--dataset", "csv", "--root", root, "--split", "all")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert result.err.splitlines()[0] == "iqa: error: csv: 2 of 6 pictures are missing: p03.png, p05.png"


def test_a_picture_that_cannot_be_scored_ends_the_run(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(5)
    (root / "p03.png").write_bytes((root / "p03.png").read_bytes()[:900])
    result = iqa("eval", "--dataset", "csv", "--root", root)
    assert (result.code, result.out) == (ExitCode.SOME_FAILED, b"")
    assert "p03.png" in result.err


def test_ctrl_c_is_130_and_prints_no_figures(
    iqa: Iqa, make_eval_data: MakeData, monkeypatch: pytest.MonkeyPatch, weight: Path
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    before = weight.read_bytes()
    monkeypatch.setattr("iqa_cli.cli.progress.Progress.show", interrupted)
    result = iqa("eval", "--dataset", "csv", "--root", make_eval_data(5), "--model", weight, "--record")
    assert (result.code, result.out) == (ExitCode.INTERRUPTED, b"")
    assert "interrupted; 1 of 5 pictures scored, nothing is measured" in result.err
    assert weight.read_bytes() == before


def test_the_help_fits_a_terminal_and_names_no_folder_of_ours(iqa: Iqa) -> None:
    text = LazyCommand("eval", *COMMANDS["eval"]).load().help
    assert max(map(len, text.splitlines())) <= 76
    assert "shared/" not in iqa("eval", "--help").out.decode()


def test_a_split_file_says_what_is_measured(iqa: Iqa, make_eval_data: MakeData, tmp_path: Path) -> None:
    root = make_eval_data(20)
    database = read_csv(root)
    parts = split(database.records, {"train": 0.5, "test": 0.5}, 2)
    write_split(tmp_path / "split.json", database, parts, 2)
    found = figures(iqa, "--root", root, "--split-file", tmp_path / "split.json")
    assert (found["split"], found["n_total"]) == ("test", len(parts["test"]))
    assert found["split_hash"] == split_hash(parts["test"])
    write_split(tmp_path / "split.json", replace(database, name="spaq"), parts, 2)
    refused = iqa("eval", "--dataset", "csv", "--root", root, "--split-file", tmp_path / "split.json")
    assert refused.code == ExitCode.USAGE
    assert "split.json: is of spaq, which is not in --data" in refused.err
