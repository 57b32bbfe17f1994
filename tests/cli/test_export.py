"""`iqa export`: the file, where it goes, and what is refused; and `iqa score` with what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iqa_cli.errors import ExitCode
from tests.cli.conftest import Iqa
from tests.tinygraph import mean_graph


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_weight_is_exported_and_scored(iqa: Iqa, examples: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    done = iqa("export", "mfenet", "-o", "out.onnx")
    assert done.code == ExitCode.OK, done.err
    picture = str(examples / "dog.jpg")
    by_torch = iqa("score", "--format", "jsonl", picture)
    exported = iqa("score", "--format", "jsonl", "--model", "out.onnx", picture)
    assert (by_torch.code, exported.code) == (ExitCode.OK, ExitCode.OK), by_torch.err + exported.err
    one, other = json.loads(by_torch.out), json.loads(exported.out)
    assert other["score"] == pytest.approx(one["score"], abs=0.01)
    assert [other[name] for name in ("model", "crops", "distortion")] == [
        one[name] for name in ("model", "crops", "distortion")
    ]


def test_the_file_is_new_listed_and_checked(
    iqa: Iqa, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("iqa_cli.exporting.export_network", lambda weight, any_size: mean_graph())
    done = iqa("export", "mfenet", "-o", "out.onnx")
    assert (done.code, done.out) == (ExitCode.OK, b""), done.err
    assert "wrote out.onnx" in done.err
    assert Path("SHA256SUMS").read_text().endswith("  out.onnx\n")
    again = iqa("export", "mfenet", "-o", "out.onnx")
    assert again.code == ExitCode.USAGE
    assert "out.onnx exists" in again.err
    picture = str(examples / "dog.jpg")
    scored = iqa("score", "--format", "jsonl", "--weights", "out.onnx", picture)
    assert scored.code == ExitCode.OK, scored.err
    assert json.loads(scored.out)["model"] == "mean"
    refused = iqa("score", "--engine", "torch", "--model", "out.onnx", picture)
    assert refused.code == ExitCode.USAGE
    assert "torch does not compute" in refused.err
    content = bytearray(Path("out.onnx").read_bytes())
    content[40] ^= 1
    Path("out.onnx").write_bytes(content)
    damaged = iqa("score", "--model", "out.onnx", picture)
    assert damaged.code == ExitCode.NOT_AVAILABLE
    assert "SHA-256" in damaged.err or "damaged" in damaged.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["mfenet", "-o", "out.safetensors"], ExitCode.USAGE, "should end in .onnx"),
        (["none", "-o", "out.onnx"], ExitCode.NOT_AVAILABLE, "there is no weight 'none'"),
        (["mfenet"], ExitCode.USAGE, "-o"),
        (["mfenet", "-o", "x" * 300 + ".onnx"], ExitCode.USAGE, "File name too long\n"),
    ],
)
def test_what_is_refused(iqa: Iqa, arguments: list[str], code: ExitCode, said: str) -> None:
    done = iqa("export", *arguments)
    assert (done.code, done.out) == (code, b"")
    assert said in done.err
    assert not Path("out.onnx").exists()


def test_without_the_extra_it_says_what_to_install(iqa: Iqa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iqa_cli.exporting.find_spec", lambda name: None)
    done = iqa("export", "mfenet", "-o", "out.onnx")
    assert done.code == ExitCode.USAGE
    assert "pip install 'iqa-cli[onnx]'" in done.err
