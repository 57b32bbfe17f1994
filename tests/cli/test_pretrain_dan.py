"""`iqa pretrain dan` with a small stand-in for the ResNet-50: the file, the report, resuming, refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa, Result
from tests.cli.test_train import InterruptedAt
from tests.training.tinydan import TINY_SETTINGS, TinyDAN, make_pristine, write_archive

OPTIONS = [word for key, value in TINY_SETTINGS.items() for word in ("--set", f"{key}={value}")]

Pretrain = Callable[..., Result]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("iqa_cli.networks.dan.DAN", TinyDAN)
    monkeypatch.setattr("iqa_cli.training.dan_heads.DECAYS", (1e-2,))
    monkeypatch.setattr("iqa_cli.training.dan_heads._ITERATIONS", 2)
    monkeypatch.setattr("iqa_cli.training.contrastive.LOG_EVERY", 1)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """Pristine photographs, and a start."""
    folder = tmp_path_factory.mktemp("dan")
    make_pristine(folder / "pristine", examples, val=1)
    write_archive(folder / "resnet.npz")
    return folder


def _command(data: Path) -> list[str]:
    start = ["--pristine", str(data / "pristine"), "--resnet50", str(data / "resnet.npz")]
    return ["pretrain", "dan", *start, *OPTIONS, "--threads", "1"]


@pytest.fixture
def pretrain(iqa: Iqa, data: Path) -> Pretrain:
    def call(*options: object) -> Result:
        return iqa(*_command(data), *options)

    return call


def test_a_run_ends_in_a_file_and_a_report_and_is_not_done_twice(
    pretrain: Pretrain, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pretrain("-o", "dan")
    assert made.code == 0, made.err
    assert made.err.endswith("iqa: wrote dan/dan.safetensors\n")
    report = json.loads(Path("dan/report.json").read_text())
    assert made.out.decode() == Path("dan/report.md").read_text()
    assert report["protocol"]["photographs"] == 1
    assert report["protocol"]["crops"] == 136
    assert report["recipe"]["preset"] == "cpu"
    assert report["recipe"]["config"]["images"] == 2
    assert report["recipe"]["teacher"]["origin"] == "origin not documented"
    assert (report["recipe"]["data"]["pristine"], report["recipe"]["data"]["reported_on"]) == (6, 1)
    confusion = report["networks"]["imagenet"]["confusion"]
    assert [sum(row) for row in confusion] == [1] + 27 * [5]

    # Ctrl-C, and the same command again, end in the same bytes.
    err = InterruptedAt("step 3/6")
    environment = Environment(io.BytesIO(), io.BytesIO(), err)
    assert run([*_command(data), "-o", "cut"], environment) == ExitCode.INTERRUPTED
    assert err.getvalue().endswith("iqa: interrupted at step 3; the same command resumes\n")
    assert not Path("cut/dan.safetensors").exists()
    resumed = pretrain("-o", "cut")
    assert "resumed at step 3 of 6" in resumed.err
    for name in ("dan.safetensors", "report.md", "report.json"):
        assert Path("cut", name).read_bytes() == Path("dan", name).read_bytes()

    # Finished, it is neither run nor decoded again; another run is refused.
    monkeypatch.setattr("iqa_cli.training.crops.decode_all", _never)
    before = {path.name: path.stat().st_mtime_ns for path in Path("dan").iterdir()}
    again = pretrain("-o", "dan")
    assert again.code == 0, again.err
    assert again.out == made.out
    assert again.err == "iqa: dan/dan.safetensors is finished\n"
    refused = pretrain("-o", "dan", "--set", "seed=1")
    assert refused.code == ExitCode.USAGE
    assert "dan holds another run: settings seed (0 there, 1 now)" in refused.err
    assert {path.name: path.stat().st_mtime_ns for path in Path("dan").iterdir()} == before


def _never(*_: object) -> None:
    raise AssertionError("decoded again")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (["--preset", "papers"], "--preset: there is no preset 'papers'", "did you mean paper?"),
        (["--set", "frozn=1"], "--set: there is no field 'frozn'", "did you mean frozen?"),
        (["--set", "rate=fast"], "--set: rate must be a finite number, not 'fast'", ""),
        (["--device", "tpu"], "there is no device 'tpu'", "auto, cpu, cuda"),
        (["--resnet50", "nowhere.npz"], "nowhere.npz", ""),
        (["--pristine", "nowhere"], "nowhere", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(
    pretrain: Pretrain, options: list[str], message: str, hint: str
) -> None:
    result = pretrain("-o", "dan", *options)
    assert result.code in (ExitCode.USAGE, ExitCode.NOT_AVAILABLE)
    (line, *hints) = result.err.splitlines()
    assert message in line
    assert hint in "".join(hints)
    assert "decoding" not in result.err
    assert not Path("dan/last.pt").exists()


def test_more_photographs_than_there_are(iqa: Iqa, data: Path) -> None:
    command = _command(data)
    command[command.index("photographs=4")] = "photographs=7"
    result = iqa(*command, "-o", "dan")
    assert result.code == ExitCode.USAGE
    assert "photographs must be at most the 6 photographs there are" in result.err


def test_photographs_to_report_on_are_needed(iqa: Iqa, data: Path, tmp_path: Path, examples: Path) -> None:
    make_pristine(tmp_path / "none", examples, train=4, val=0)
    result = iqa(*_command(data), "-o", "dan", "--pristine", tmp_path / "none")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "has no part 'val'" in result.err
    make_pristine(tmp_path / "lost", examples)
    (tmp_path / "lost" / "images" / "p7.png").unlink()
    result = iqa(*_command(data), "-o", "dan", "--pristine", tmp_path / "lost")
    assert result.code == ExitCode.NOT_AVAILABLE
    assert "--pristine, part val: 1 of 2 pictures are missing" in result.err


def test_the_presets_are_said_in_the_help(iqa: Iqa) -> None:
    text = " ".join(iqa("pretrain", "dan", "--help").out.decode().split())
    assert "cpu or paper" in text
    assert "temperature" in text
