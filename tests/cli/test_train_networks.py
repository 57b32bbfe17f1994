"""`iqa train` of the networks beside MFE-Net, from their starts to a weight that scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from iqa_cli.errors import ExitCode
from iqa_cli.networks.registry import build
from iqa_cli.seen import read_seen, seen_path
from iqa_cli.training.starts_vcrnet import save_restoration
from tests.cli.conftest import Iqa, Result

SHORT = ["--set", "size=64", "--set", "batch=4", "--set", "distorted=1", "--threads", "1"]
VCRNET = ["--net", "backbone=tiny", "--net", "head_width=8"]
QFM = ["--net", "backbone=test_efficientnet", "--net", "width=16", "--net", "heads=2", "--net", "memory=32"]

TrainNetwork = Callable[..., Result]


@pytest.fixture
def train_network(
    iqa: Iqa, train_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TrainNetwork:
    """`iqa train NETWORK OPTIONS` on the tiny data in an empty folder, for two steps."""
    monkeypatch.chdir(tmp_path)

    def call(network: str, *options: object) -> Result:
        arguments = ["--data", "csv", "--root", train_data, *SHORT, "--max-steps", "2", *options]
        return iqa("train", network, *arguments)

    return call


@pytest.fixture
def restoration(tmp_path: Path) -> Path:
    """A restoration network of random values."""
    torch.manual_seed(7)
    path = tmp_path / "restoration.safetensors"
    save_restoration(path, build("vcrnet", {"restoration": "tiny", "backbone": "tiny"}).restoration, None)  # type: ignore[arg-type]
    return path


def _card(iqa: Iqa, path: str) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(iqa("models", "show", path, "--format", "json").out)["card"]
    return card


def test_a_vcrnet_is_trained_from_its_restoration_network(
    iqa: Iqa, train_network: TrainNetwork, restoration: Path, train_data: Path, examples: Path
) -> None:
    result = train_network("vcrnet", *VCRNET, "--restoration", restoration, "--set", "freeze=1")
    assert result.code == 0, result.err
    weight = "runs/vcrnet/vcrnet.safetensors"
    card = _card(iqa, weight)
    assert (card["name"], card["network"], card["config"]["restoration"]) == ("vcrnet", "vcrnet", "tiny")
    (point,) = card["starting_points"]
    assert (point["branch"], point["weights"]) == ("restoration network", "restoration.safetensors")
    assert "the origin of the start of restoration network" in card["licence"]["weights"]
    # Frozen, it is what it was.
    from safetensors.torch import load_file

    ours, theirs = load_file(weight), load_file(restoration)
    for name, value in theirs.items():
        stored = ours[f"restoration.{name}"]
        assert torch.equal(stored.float(), value.to(stored.dtype).float()), name
    scored = iqa("score", examples / "dog.jpg", "--model", "mfenet", "--model", weight, "--format", "json")
    assert scored.code == 0, scored.err
    (row,) = json.loads(scored.out)
    assert list(row["scores"]) == ["mfenet", "vcrnet"]
    measured = iqa("eval", "--data", "csv", "--root", train_data, "--model", weight, "--format", "json")
    assert measured.code == 0, measured.err
    figures = json.loads(measured.out)
    assert figures["model"] == weight
    # Another start is another run.
    other = train_network("vcrnet", *VCRNET, "--net", "restoration=tiny", "--set", "freeze=1")
    assert "runs/vcrnet holds another run: starts --restoration (" in other.err
    text = Path("runs/vcrnet/config.toml").read_text()
    assert f'restoration = "{restoration}"' in text
    again = iqa(
        "train", "--config", "runs/vcrnet/config.toml", "--threads", "1", "--max-steps", "2", "--resume"
    )
    assert again.code == 0, again.err


def test_a_qfm_iqm_learns_from_a_teacher(
    iqa: Iqa, train_network: TrainNetwork, train_data: Path, tmp_path: Path, examples: Path
) -> None:
    unlabelled = tmp_path / "photos"
    unlabelled.mkdir()
    for i in range(4):
        shutil.copy(train_data / "images" / f"val{i:02}.png", unlabelled)
    options = [*QFM, "--teacher", "mfenet", "--unlabelled", unlabelled]
    result = train_network("qfm-iqm", *options)
    assert result.code == 0, result.err
    assert "mfenet.safetensors scores 4 unlabelled pictures" in result.err
    assert "distillation" in result.err or "dry run" in result.err
    weight = Path("runs/qfm-iqm/qfm-iqm.safetensors")
    card = _card(iqa, str(weight))
    point = next(p for p in card["starting_points"] if "teacher" in p["branch"])
    assert point["weights"] == "mfenet.safetensors"
    entry = next(e for e in card["training"] if e.get("dataset") == "unlabelled")
    assert (entry["images"], entry["part"]) == (4, "fit")
    assert card["licence"]["unlabelled"].startswith("4 pictures: ")
    # The pictures count as seen: 12 to fit, 6 to choose on, 4 scored by the teacher.
    assert len(read_seen(seen_path(weight)).pixels) == 22
    from iqa_cli.tensorfile import read_header

    assert not any(name.startswith("memory.") for name in read_header(weight).tensors)
    assert iqa("score", examples / "dog.jpg", "--model", weight).code == 0
    kept = Path("runs/qfm-iqm/teacher.json").read_bytes()
    resumed = train_network("qfm-iqm", *options, "--max-steps", "3")
    assert resumed.code == 0, resumed.err
    assert "the scores of mfenet.safetensors are there already" in resumed.err
    assert "resumed at step 2" in resumed.err
    assert Path("runs/qfm-iqm/teacher.json").read_bytes() == kept
    alone = train_network("qfm-iqm", *QFM)
    assert alone.code == ExitCode.USAGE
    assert "runs/qfm-iqm holds another run" in alone.err


def test_an_mfenet_takes_the_backbone_of_a_finished_weight_as_its_quality_branch(
    iqa: Iqa, train_network: TrainNetwork, examples: Path
) -> None:
    first = train_network("qfm-iqm", *QFM)
    assert first.code == 0, first.err
    given = "runs/qfm-iqm/qfm-iqm.safetensors"
    options = ["--net", "dan=none", "--net", "head_width=8", "--set", "freeze=4"]
    result = train_network("mfenet", *options, "--backbone", given)
    assert result.code == 0, result.err
    assert f"6 of 6 pictures to choose on were met in the training of --backbone {given}" in result.err
    weight = Path("runs/mfenet/mfenet.safetensors")
    card = _card(iqa, str(weight))
    assert card["config"]["backbone"] == "test_efficientnet"
    (point,) = card["starting_points"]
    assert (point["branch"], point["weights"]) == ("backbone", "qfm-iqm.safetensors")
    assert point["origin"]["training"]
    from safetensors.torch import load_file

    ours, theirs = load_file(weight), load_file(given)
    taken = {
        name.removeprefix("encoder.backbone.") for name in theirs if name.startswith("encoder.backbone.")
    }
    assert taken
    for name in taken:
        assert torch.equal(ours[f"qen.{name}"], theirs[f"encoder.backbone.{name}"]), name
    assert iqa("score", examples / "dog.jpg", "--model", weight).code == 0
    # In a finished MFE-Net with a backbone of that kind it takes the place of that one alone.
    untrained = ["--set", "epochs=0", "-o", "again"]
    again = train_network("mfenet", *options, "--start", weight, "--backbone", given, *untrained)
    assert again.code == 0, again.err
    points = _card(iqa, "again/mfenet.safetensors")["starting_points"]
    assert [p["branch"] for p in points] == ["all but qen", "backbone"]
    kept = load_file("again/mfenet.safetensors")
    assert all(torch.equal(kept[name], ours[name]) for name in ours if not name.startswith("qen."))


def test_a_backbone_of_another_kind_leaves_only_the_distortion_branch_of_a_start(
    iqa: Iqa, train_network: TrainNetwork
) -> None:
    options = ["--net", "dan=none", "--net", "head_width=8"]
    van = train_network("mfenet", *options, "--net", "van=tiny", "-o", "van")
    assert van.code == 0, van.err
    assert train_network("qfm-iqm", *QFM).code == 0
    given = "runs/qfm-iqm/qfm-iqm.safetensors"
    result = train_network(
        "mfenet", *options, "--start", "van/mfenet.safetensors", "--backbone", given, "-o", "again"
    )
    assert result.code == 0, result.err
    points = _card(iqa, "again/mfenet.safetensors")["starting_points"]
    assert points[0]["branch"] == "all but qen, projections, fusions, hfen, ffms, head"


@pytest.mark.parametrize(("network", "net"), [("vcrnet", VCRNET), ("mfenet", ["--net", "dan=none"])])
def test_a_finished_weight_without_a_backbone_of_timm_s_is_no_start(
    train_network: TrainNetwork, network: str, net: list[str]
) -> None:
    made = train_network(network, *net, *(["--net", "van=tiny"] if network == "mfenet" else []), "-o", "made")
    assert made.code == 0, made.err
    refused = train_network("mfenet", "--net", "dan=none", "--backbone", f"made/{network}.safetensors")
    assert refused.code == ExitCode.NOT_AVAILABLE
    assert "has no backbone of timm's that could be taken over" in refused.err


def test_splits_share_what_the_teacher_says(
    iqa: Iqa, train_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unlabelled = tmp_path / "photos"
    unlabelled.mkdir()
    for i in range(2):
        shutil.copy(train_data / "images" / f"val{i:02}.png", unlabelled)
    short = [
        "--set",
        "epochs=1",
        "--set",
        "size=64",
        "--set",
        "batch=4",
        "--set",
        "distorted=1",
        "--threads",
        "1",
    ]
    options = [*QFM, *short, "--teacher", "mfenet", "--unlabelled", unlabelled, "--splits", "2"]
    data = ["--data", "csv", "--root", train_data, "--splits", "2"]
    result = iqa("train", "qfm-iqm", *data, *options, "-o", "run")
    assert result.code == 0, result.err
    assert result.err.count("scores 2 unlabelled pictures") == 1
    assert result.err.count("are there already") == 1
    assert [path.parent.name for path in Path("run").rglob("teacher.json")] == ["run"]


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("vcrnet", ["--qen", "q"], "--qen: a vcrnet has no such start"),
        ("qfm-iqm", ["--restoration", "r"], "--restoration: a qfm-iqm has no such start"),
        ("vcrnet", ["--backbone", "b.npz"], "--backbone b.npz: a vcrnet has no such start"),
        ("qfm-iqm", ["--unlabelled", "d"], "belong together"),
        ("qfm-iqm", ["--start", "qfm-iqm", "--backbone", "lite2"], "holds a backbone already"),
        ("vcrnet", ["--start", "vcrnet", "--backbone", "lite0"], "holds a backbone already"),
        ("mfenet", ["--qen", "q", "--backbone", "lite0"], "--qen and --backbone exclude each other"),
        ("mfenet", ["--net", "backbone=lite0"], "is no network of timm"),
    ],
)
def test_a_start_that_a_network_does_not_have_is_one_line(
    train_network: TrainNetwork, network: str, options: list[str], message: str
) -> None:
    result = train_network(network, *options)
    assert result.code == ExitCode.USAGE
    assert message in result.err
    assert sum(line.startswith("iqa: error") for line in result.err.splitlines()) == 1
    assert not Path("runs", network, "config.json").exists()
