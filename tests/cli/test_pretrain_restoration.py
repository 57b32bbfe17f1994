"""`iqa pretrain vcrnet-restoration` with a tiny network: the file, the report, resuming, refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.errors import ExitCode
from iqa_cli.images.distortions import TYPES
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.training.provenance import read_recipe
from iqa_cli.training.starts_vcrnet import load_restoration
from tests.cli.conftest import Iqa, Result
from tests.cli.test_train import InterruptedAt
from tests.training.test_restoration import TINY
from tests.training.tinydan import make_pristine
from tests.training.tinydata import make_data

pytest.importorskip("piq")

OPTIONS = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]

Pretrain = Callable[..., Result]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("iqa_cli.training.restoration.LOG_EVERY", 1)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    return make_pristine(tmp_path_factory.mktemp("restoration") / "pristine", examples, train=3, val=2)


def _command(pristine: Path) -> list[str]:
    return ["pretrain", "vcrnet-restoration", "--pristine", str(pristine), *OPTIONS, "--threads", "1"]


@pytest.fixture
def pretrain(iqa: Iqa, pristine: Path) -> Pretrain:
    return lambda *options: iqa(*_command(pristine), *options)


def test_a_run_ends_in_a_start_and_a_report_and_is_not_done_twice(
    pretrain: Pretrain, pristine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pretrain("-o", "whole")
    assert made.code == 0, made.err
    assert made.err.endswith("iqa: wrote whole/restoration.safetensors\n")
    assert made.out.decode() == Path("whole/report.md").read_text()
    report = json.loads(Path("whole/report.json").read_text())
    assert report["protocol"]["crops"] == report["all"]["crops"] == 2 * len(TYPES)
    assert report["pristine"]["crops"] == 2
    assert report["pristine"]["psnr_before"] == 80
    assert report["pristine"]["ssim_before"] == 1
    by_level = [report["by_level"][str(n)] for n in range(1, 6)]
    assert sum(means["crops"] for means in by_level) == 2 * len(TYPES)
    assert by_level[0]["psnr_before"] > by_level[4]["psnr_before"]
    for name in TYPES:
        assert report["by_type"][name]["crops"] == 2
        assert f"| {name} | 2 |" in made.out.decode()
    # A network after four steps still gives nearly what it is given, but for the rounding.
    assert abs(report["all"]["psnr_after"] - report["all"]["psnr_before"]) < 6

    start = Path("whole/restoration.safetensors")
    recipe = read_recipe(start)
    assert recipe is not None
    assert (recipe["preset"], recipe["steps"], recipe["config"]["size"]) == ("cpu", 4, 64)
    assert (recipe["data"]["pristine"], recipe["data"]["reported_on"], recipe["data"]["labels"]) == (
        3,
        2,
        "none",
    )
    assert load_restoration(RestorationNet("tiny"), start) == recipe

    # Ctrl-C, and the same command again, end in the same bytes.
    err = InterruptedAt("step 2/4")
    assert run([*_command(pristine), "-o", "cut"], Environment(io.BytesIO(), io.BytesIO(), err)) == 130
    assert err.getvalue().endswith("iqa: interrupted at step 2; the same command resumes\n")
    assert not Path("cut/restoration.safetensors").exists()
    resumed = pretrain("-o", "cut")
    assert "resumed at step 2 of 4" in resumed.err
    for name in ("restoration.safetensors", "report.md", "report.json"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()

    # Finished, it is neither run nor decoded again; another run is refused.
    monkeypatch.setattr("iqa_cli.training.crops.decode_all", None)
    again = pretrain("-o", "whole")
    assert (again.code, again.out) == (0, made.out)
    assert again.err == "iqa: whole/restoration.safetensors is finished\n"
    refused = pretrain("-o", "whole", "--set", "seed=1")
    assert refused.code == ExitCode.USAGE
    assert "whole holds another run: settings seed (0 there, 1 now)" in refused.err


def test_good_pictures_of_a_database_are_learnt_from_too(
    pretrain: Pretrain, tmp_path: Path, examples: Path
) -> None:
    root = make_data(tmp_path / "labels", examples)
    ended = pretrain("-o", "both", "--data", "csv", "--root", root, "--from-mos", "0.5", "--max-steps", "1")
    assert ended.code == 0, ended.err
    assert "ended by --max-steps" in ended.err
    data = json.loads(Path("both/config.json").read_text())["data"]
    assert data["dataset"] == "csv"
    assert data["pictures"] > 0
    assert data["labels"] == "MOS from 0.5 on taken for undistorted"
    assert f"decoding {data['pictures'] + 3} photographs" in ended.err
    assert torch.load("both/last.pt", weights_only=True)["step"] == 1
    none = pretrain("-o", "none", "--data", "csv", "--root", root, "--from-mos", "1")
    assert none.code == ExitCode.USAGE
    assert "--from-mos: the part train has no picture from 1 on" in none.err


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (["--preset", "cpus"], "--preset: there is no preset 'cpus'", "did you mean cpu?"),
        (["--set", "marginn=1"], "--set: there is no field 'marginn'", "did you mean margin?"),
        (["--device", "tpu"], "there is no device 'tpu'", "auto, cpu, cuda"),
        (["--root", "nowhere"], "--root: of which database?", "--data"),
        (["--data", "biq2022"], "there is no database 'biq2022'", "biq2021"),
        (["--pristine", "nowhere"], "nowhere", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(
    pretrain: Pretrain, options: list[str], message: str, hint: str
) -> None:
    result = pretrain("-o", "run", *options)
    assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE)
    line, *hints = result.err.splitlines()
    assert message in line
    assert hint in "".join(hints)
    assert not Path("run/last.pt").exists()
