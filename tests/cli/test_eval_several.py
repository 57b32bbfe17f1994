"""`iqa eval` with several weights and baselines on pictures: each is looked at once, what was met in training
is marked or held out, and pictures that cannot be scored are counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

from iqa_cli.errors import ExitCode
from iqa_cli.weights import load_state, save_weights
from tests.cli.conftest import Iqa, MakeData
from tests.cli.evaldata import make_data, teach

CSV = ("eval", "--dataset", "csv", "--range", 1, 5)


@pytest.fixture
def second(weight: Path) -> Path:
    """Another weight with other scores, called "second", that was trained on three databases by its card."""
    card, tensors = load_state(weight)
    training = [{"dataset": name} for name in ("koniq10k", "spaq", "koniq10k", "bad\x1b")]
    start = {"what": "another weight", "origin": {"training": [{"dataset": "spaq"}, {"dataset": "csv"}]}}
    points = [{"origin": {**start["origin"], "starting_points": [start]}}, start, {"origin": "unknown"}]
    path = weight.with_name("second.safetensors")
    changed = {key: value * (1.05 if key.endswith("weight") else 1) for key, value in tensors.items()}
    save_weights(path, changed, replace(card, name="second", training=training, starting_points=points))
    return path


def results(iqa: Iqa, *arguments: object) -> list[dict[str, Any]]:
    found = iqa(*CSV, "--format", "json", *arguments)
    assert found.code == 0, found.err
    document = json.loads(found.out)
    return list(document["results"]) if "results" in document else [document]


def models(*names: object) -> list[object]:
    return [word for name in names for word in ("--model", name)]


def test_every_scorer_has_the_figures_that_it_has_alone(
    iqa: Iqa, make_eval_data: MakeData, second: Path
) -> None:
    root = make_eval_data(9)
    baselines: list[list[object]] = [["--baseline", "laplacian"], ["--baseline", "piqe"]]
    scorers = [models("mfenet"), models(second), *baselines]
    together = results(iqa, "--root", root, *(word for words in scorers for word in words))
    assert [cells["model"] for cells in together] == ["mfenet", "second", "laplacian", "piqe"]
    assert [cells["kind"] for cells in together] == ["weight", "weight", "baseline", "baseline"]
    for words, cells in zip(scorers, together, strict=True):
        (alone,) = results(iqa, "--root", root, *words)
        for key in ("srcc", "krcc", "n_used"):
            assert cells[key] == pytest.approx(alone[key], abs=1e-12)
        assert cells["plcc"] == pytest.approx(alone["plcc"], abs=1e-5)
    assert together[1]["trained_on"] == "koniq10k, spaq, bad\\x1b, labels of its own"
    table = iqa(*CSV, "--root", root, *(word for words in scorers for word in words))
    assert table.lines[1].split()[:2] == ["trained", "on"]
    assert table.lines[3].startswith("second     koniq10k, spaq, bad\\x1b, labels of its own  ")
    assert table.lines[5].split()[1] == "nothing"
    assert b"\x1b" not in table.out


def test_each_picture_is_opened_once_for_all_weights(
    iqa: Iqa, make_eval_data: MakeData, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import iqa_cli.scoring.group as group

    opened: list[Path] = []
    real = group.open_photo

    def counting(source: Any, **options: Any) -> Any:
        opened.append(source)
        return real(source, **options)

    monkeypatch.setattr(group, "open_photo", counting)
    root = make_eval_data(6)
    assert len(results(iqa, "--root", root, *models("mfenet", second))) == 2
    assert sorted(path.name for path in opened) == [f"p{i:02}.png" for i in range(6)]


def _laplacian(path: Path) -> float:
    """Variance of the Laplacian of the grey picture, by SciPy."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"), dtype=np.float64)
    return float(ndimage.laplace(grey, mode="mirror").var())


def test_baselines_alone_need_no_weight(
    iqa: Iqa, make_eval_data: MakeData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IQA_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("iqa_cli.scoring.scorer.load_many", None)  # would be a defect
    root = make_eval_data(8)
    (found,) = results(iqa, "--root", root, "--baseline", "laplacian")
    assert (found["model"], found["n_used"], found["seen"]) == ("laplacian", 8, 0)
    expected = [_laplacian(root / f"p{i:02}.png") for i in range(8)]
    opinions = [i * 7 % 11 for i in range(8)]
    assert found["srcc"] == pytest.approx(stats.spearmanr(expected, opinions).statistic, abs=1e-12)


def test_what_was_met_is_marked_in_every_table(
    iqa: Iqa, make_eval_data: MakeData, second: Path, tmp_path: Path
) -> None:
    root = make_eval_data(8, subset=lambda i: "ab"[i % 2])
    biq = make_data(tmp_path / "biq", 8, mos=lambda i: (i * 3 % 8) / 8)
    teach(second, root / "p00.png", root / "p02.png")
    scorers = [*models("mfenet", second), "--baseline", "laplacian"]
    rows = iqa(*CSV, "--root", root, *scorers).lines
    assert rows[3].startswith("second ! ")
    assert [line.split()[-1] for line in rows[2:5]] == ["-", "2", "0"]
    assert "! second on csv, part all: 2 of 8 pictures were met in training: these figures flatter" in rows
    assert "a scorer that has met pictures of a database in training (!) is not compared on it" in rows
    by_subset = rows[rows.index("SRCC by subset, csv, part all") :]
    assert [line.split()[3].endswith("!") for line in by_subset[2:]] == [True, False]
    both = [*CSV, "--root", f"csv={root}", "--dataset", "biq2021", "--root", f"biq2021={biq}", *scorers]
    matrix = iqa(*both).lines
    row = next(line.split() for line in matrix if line.startswith("second"))
    # The two folders hold the same pictures, whatever they are called.
    assert row.count("2!") == 2
    markdown = iqa(*both, "--format", "markdown").lines
    assert next(line for line in markdown if line.startswith("| second")).count(" 2! |") == 2


def test_held_out_drops_for_all_scorers_what_one_of_them_has_met(
    iqa: Iqa, make_eval_data: MakeData, second: Path, examples: Path, tmp_path: Path
) -> None:
    root = make_eval_data(30, group=lambda i: f"g{i // 6}")
    # Cuttings of one photograph resemble each other; those that are far apart do not.
    teach(second, root / "p00.png")
    met = results(iqa, "--root", root, *models(second))[0]
    dropped = met["seen"] + met["seen_near"]
    assert 1 <= dropped < 27
    scorers = [*models(second), "--baseline", "laplacian"]
    run = [*CSV, "--root", root, *scorers, "--held-out"]
    kept = results(iqa, "--root", root, *scorers, "--held-out")
    assert [cells["n_total"] for cells in kept] == [30 - dropped] * 2
    assert [cells["dropped"] for cells in kept] == [dropped] * 2
    assert [(cells["seen"], cells["seen_near"]) for cells in kept] == [(0, 0), (0, 0)]
    table = iqa(*run)
    assert f"{dropped} met in training were left out" in table.out.decode()
    assert f"{dropped} of 30 pictures left out as met in training" in table.err
    assert "!" not in table.out.decode()
    # The figures are those of a database without these pictures.
    from iqa_cli.seen import hash_file, read_seen, seen_path

    seen = read_seen(seen_path(second))
    lines = (root / "labels.csv").read_text(encoding="utf-8").splitlines()
    hashes = [hash_file(root / line.split(",")[0]) for line in lines[1:]]
    left = [line for line, h in zip(lines[1:], hashes, strict=True) if not seen.near(h) and not seen.met(h)]
    (root / "labels.csv").write_text("\n".join([lines[0], *left]), encoding="utf-8")
    for fresh, cells in zip(results(iqa, "--root", root, *scorers), kept, strict=True):
        assert cells["srcc"] == pytest.approx(fresh["srcc"], abs=1e-12)
        assert cells["srcc_ci"] == pytest.approx(fresh["srcc_ci"], abs=1e-12)


def test_held_out_is_refused_where_nothing_is_known_or_left(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iqa_cli.scoring.scorer.load", None)
    root = make_eval_data(5)
    run = [*CSV, "--root", root, "--held-out", "--model", weight]
    unknown = iqa(*run)
    assert (unknown.code, unknown.out) == (ExitCode.NOT_AVAILABLE, b"")
    assert "--held-out: what mfenet has met in training is not known" in unknown.err
    assert iqa(*run, "--record").code == ExitCode.USAGE
    teach(weight, *sorted(root.glob("*.png")))
    nothing = iqa(*run)
    assert (nothing.code, nothing.out) == (ExitCode.NOT_AVAILABLE, b"")
    assert "of 5 pictures 5 were met in training: 0 pictures, a correlation needs at least 3" in nothing.err


@pytest.mark.parametrize("taught", [False, True])
def test_pictures_that_cannot_be_scored_are_left_out_only_when_allowed(
    iqa: Iqa, make_eval_data: MakeData, weight: Path, taught: bool
) -> None:
    root = make_eval_data(9)
    if taught:
        teach(weight, root / "p01.png")
    lines = (root / "labels.csv").read_text(encoding="utf-8").splitlines()
    (root / "p03.png").write_bytes((root / "p03.png").read_bytes()[:900])
    (root / "p05.png").unlink()
    scorers = ["--root", root, *models(weight), "--baseline", "laplacian"]
    assert iqa(*CSV, *scorers).code == ExitCode.NOT_AVAILABLE
    found = results(iqa, *scorers, "--allow-missing")
    assert [(cells["n_used"], cells["n_total"]) for cells in found] == [(7, 9)] * 2
    told = iqa(*CSV, *scorers, "--allow-missing")
    assert told.lines[2].split("of 9")[0].split()[-1] == "7"
    assert [line.split(": ")[1] for line in told.err.splitlines() if "left out" in line] == [
        "p03.png",
        "p05.png",
    ]
    (root / "labels.csv").write_text("\n".join([*lines[:4], lines[5], *lines[7:]]), encoding="utf-8")
    for cells, fresh in zip(found, results(iqa, *scorers), strict=True):
        assert cells["srcc"] == pytest.approx(fresh["srcc"], abs=1e-12)
    (root / "labels.csv").write_text("\n".join(lines[:5]), encoding="utf-8")
    refused = iqa(*CSV, *scorers)
    assert (refused.code, refused.out) == (ExitCode.SOME_FAILED, b"")
    assert len([line for line in refused.err.splitlines() if line.startswith("iqa: error: p03.png: ")]) == 1


def test_a_run_without_any_score_is_no_table(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(5)
    for path in root.glob("*.png"):
        path.write_bytes(b"not a picture")
    for scorer in (models("mfenet"), ["--baseline", "laplacian"]):
        result = iqa(*CSV, "--root", root, *scorer, "--allow-missing")
        assert (result.code, result.out) == (ExitCode.SOME_FAILED, b"")
        assert "csv, part all: no picture can be scored; the first: p00.png: " in result.err


def test_ctrl_c_while_pictures_are_compared_prints_no_figures(
    iqa: Iqa, make_eval_data: MakeData, monkeypatch: pytest.MonkeyPatch, weight: Path, examples: Path
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    teach(weight, examples / "dog.jpg")
    monkeypatch.setattr("iqa_cli.cli.progress.Progress.show", interrupted)
    result = iqa(*CSV, "--root", make_eval_data(5), "--model", weight, "-o", weight.with_name("t.csv"))
    assert (result.code, result.out) == (ExitCode.INTERRUPTED, b"")
    assert "1 of 5 pictures compared with those of the training, nothing is measured" in result.err
    assert not list(weight.parent.glob("*t.csv*"))


def test_baselines_and_files_work_without_opinions_too(iqa: Iqa, make_eval_data: MakeData) -> None:
    root = make_eval_data(2)
    run: Iterable[object] = ["--baseline", "laplacian", "--limit", 1]
    moved = iqa("eval", "--stability", root, *run, "-o", root / "moved.json")
    assert (moved.code, moved.out) == (0, b"")
    assert [entry["model"] for entry in json.loads((root / "moved.json").read_bytes())["models"]] == [
        "laplacian"
    ]
