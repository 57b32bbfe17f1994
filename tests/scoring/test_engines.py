"""Exported networks: the same scores by other engines, without torch, and one line for what does not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iqa_cli import load
from iqa_cli.checksums import write_file
from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from iqa_cli.onnxfile import read_metadata
from iqa_cli.scoring import engines
from iqa_cli.scoring.scorer import Scorer, load_many
from iqa_cli.weights import read_card
from tests.conftest import ROOT
from tests.scoring.conftest import SHIPPED
from tests.tinygraph import mean_graph

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

ENGINES = ["onnxruntime", "openvino"]
BIQ2021 = ROOT.parent / "shared" / "data" / "biq2021"


@pytest.fixture(scope="session", name="mean_graph")
def _mean_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a graph of one node, without a manifest beside it."""
    path = tmp_path_factory.mktemp("graph") / "mean.onnx"
    path.write_bytes(mean_graph())
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_graph_is_scored_as_its_card_says(engine: str, mean_graph: Path, examples: Path) -> None:
    pytest.importorskip(engine)
    scorer = load(mean_graph, engine=engine, threads=1)  # type: ignore[arg-type]
    prediction = scorer.score(examples / "dog.jpg")
    with open_photo(examples / "dog.jpg") as photo:
        crops = [(crop.pixels.mean() / 255, crop.weight) for crop in iter_crops(photo, SizePolicy())]
    raw = sum(mean * weight for mean, weight in crops)
    assert prediction.raw == pytest.approx(raw, abs=1e-5)
    assert prediction.score == pytest.approx(100 / (1 + np.exp(-(raw - 0.5) / 0.2)), abs=1e-3)
    assert (prediction.model, scorer.engine, scorer.precision) == ("mean", engine, "fp32")


def test_an_exported_network_is_scored_without_torch(mean_graph: Path, examples: Path) -> None:
    code = f"""
import sys
sys.argv[1:] = ["score", "--format", "jsonl", "--model", {str(mean_graph)!r}, {str(examples / "dog.jpg")!r}]
from iqa_cli.cli.app import run
code = run(sys.argv[1:])
print(code, "torch" in sys.modules, "onnx" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.split()[-3:] == ["0", "False", "False"]
    assert json.loads(done.stdout)["score"] == pytest.approx(
        load(mean_graph).score(examples / "dog.jpg").score
    )


def test_what_an_engine_refuses(
    mean_graph: Path, tiny_weight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(error: type[Exception], match: str, path: Path = mean_graph, **options: Any) -> None:
        with pytest.raises(error, match=match):
            load(path, **options)

    refused(UsageError, "no engine 'caffe'", engine="caffe")
    refused(UsageError, "torch does not compute", engine="torch")
    refused(UsageError, "precision fp32 only", precision="bf16")
    refused(UsageError, "device cpu only", device="cuda")
    content = bytearray(mean_graph.read_bytes())
    content[content.index(b"ReduceMean") + 2] = ord("X")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(content)
    refused(WeightsError, "damaged.onnx: onnxruntime cannot read it", damaged)
    bare = tmp_path / "bare.onnx"
    bare.write_bytes(content[: content.index(b"iqa_card") - 6])
    refused(WeightsError, "has no card|no ONNX file", bare)
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    refused(UsageError, "the engine onnxruntime is not installed")
    refused(UsageError, "the engine openvino is not installed", engine="openvino")
    refused(UsageError, "exporting needs ONNX|not installed", tiny_weight, engine="onnxruntime")


def test_where_only_openvino_is_installed_it_is_taken(
    mean_graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: name if name == "openvino" else None)
    assert engines.choose_engine("auto", mean_graph) == "openvino"
    assert engines.choose_engine("auto", Path("mfenet.safetensors")) == "torch"


@pytest.fixture(scope="module")
def exported(tiny_weight: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny weight as an ONNX file."""
    from iqa_cli.exporting import export_network

    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    write_file(path, export_network(tiny_weight))
    return path


def test_an_exported_weight_brings_its_card_and_its_scores(
    exported: Path, tiny_weight: Path, scorer: Scorer, examples: Path
) -> None:
    assert read_card(exported) == read_card(tiny_weight)
    name, digest = read_metadata(exported)["iqa_weight"].split()
    assert name == tiny_weight.name
    assert f"{digest}  {name}" in (tiny_weight.parent / "SHA256SUMS").read_text()
    files = sorted(examples.glob("*.jpg"))
    wanted = [prediction.score for prediction in scorer.score_many(files)]
    for engine in ENGINES:
        if engines.find_spec(engine) is None:
            continue
        for size in (1, 16):
            other = load(exported, engine=engine, batch_size=size, threads=1)  # type: ignore[arg-type]
            found = [prediction.score for prediction in other.score_many(files)]
            assert found == pytest.approx(wanted, abs=0.01), engine
    group = load_many([exported], engine="onnxruntime")
    assert [next(group.score_many(files[:1])).score] == pytest.approx(wanted[:1], abs=0.01)


@pytest.mark.slow
def test_a_weight_is_exported_on_the_way(tiny_weight: Path, scorer: Scorer, examples: Path) -> None:
    other = load(tiny_weight, engine="onnxruntime")
    wanted = scorer.score(examples / "dog.jpg").score
    assert other.score(examples / "dog.jpg").score == pytest.approx(wanted, abs=0.01)


@pytest.mark.slow
def test_height_and_width_can_be_free(tiny_weight: Path, scorer: Scorer) -> None:
    from iqa_cli.exporting import export_network

    graph = engines.OnnxRuntimeNetwork(export_network(tiny_weight, any_size=True), (), 4, 1)
    for side in (224, 97):
        crops = np.random.default_rng(1).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
        assert graph.rows(crops)[:, 0] == pytest.approx(scorer.predict_crops(crops), abs=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not BIQ2021.is_dir(), reason="the given copy of BIQ2021 is not here")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SHIPPED)
def test_engines_agree_on_500_photographs(name: str, engine: str, tmp_path: Path) -> None:
    """The tenth of a point that issue 8 allows."""
    pytest.importorskip(engine)
    from iqa_cli.exporting import export_network

    path = tmp_path / f"{name}.onnx"
    path.write_bytes(export_network(name))
    files = sorted((BIQ2021 / "images").iterdir())[::3][:500]
    score: Callable[[Scorer], list[float | None]] = lambda s: [p.score for p in s.score_many(files)]  # noqa: E731
    assert len(files) == 500
    assert score(load(path, engine=engine)) == pytest.approx(score(load(name)), abs=0.1)  # type: ignore[arg-type]
