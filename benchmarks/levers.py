"""What each way to compute a network faster gains, and what it moves the scores by; prints a Markdown table.

    python -m benchmarks.levers [WEIGHT] --pictures PHOTOGRAPHS [--number 8] [--turns 2] [--only LEVER ...]

One thread; seconds of CPU by the picture, decoding included, the least of the turns, all levers in each turn.
"moves" is the greatest difference of a score to that of the first row, in points. "ready" is seconds of CPU
from the weight's file to a first score, which compiling and exporting make long. Take pictures enough for 16
crops: for fewer, with one thread, torch has a slow way to compute 1x1 convolutions, which all that is not
packed falls into. ONNX Runtime and OpenVINO are extras; int8 is the static quantisation of ONNX Runtime,
calibrated on crops of the same pictures, which flatters it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from iqa_cli.exporting import export_network
from iqa_cli.finding import find_weights
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.scoring import cropnet
from iqa_cli.scoring.engines import OnnxRuntimeNetwork, exported_network
from iqa_cli.scoring.network import CPU_BATCH, Network
from iqa_cli.scoring.scorer import Scorer
from iqa_cli.weights import load_network, read_card

_CPU = torch.device("cpu")


def plain(path: Path, *, batch: int, fold: bool = True, dtype: Any = torch.float32) -> Network:
    """The network by torch's own modules."""
    network = load_network(path)[1]
    network = fold_batchnorms(network) if fold else network
    with mock.patch("iqa_cli.networks.packing.can_pack", return_value=False):
        return cropnet.CropNetwork(network, _CPU, dtype, batch)


def compiled(path: Path) -> Network:
    """By torch's compiler."""
    made = plain(path, batch=CPU_BATCH)
    assert isinstance(made, cropnet.CropNetwork)
    module: Any = torch.compile(made.network)
    made.network = module
    return made


def quantised(path: Path, files: list[Path]) -> Network:
    """By ONNX Runtime in int8."""
    from onnxruntime import quantization

    card = read_card(path)
    crops = []
    for file in files[:4]:
        with open_photo(file) as photo:
            crops += [crop.pixels for crop in iter_crops(photo, card.policy(), quick=True)][:2]
    batches = iter(
        [{"rgb": np.stack([crop]).transpose(0, 3, 1, 2).astype(np.float32) / 255} for crop in crops]
    )

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> Any:
            return next(batches, None)

    with tempfile.TemporaryDirectory() as name:
        before, after = Path(name) / "before.onnx", Path(name) / "after.onnx"
        before.write_bytes(export_network(path))
        quantization.quantize_static(before, after, Reader(), per_channel=True)
        content = after.read_bytes()
    names = tuple(card.config.get("distortions", ()))
    return OnnxRuntimeNetwork(content, names, CPU_BATCH, 1)


def levers(path: Path, files: list[Path]) -> dict[str, Callable[[], Network]]:
    """Name -> what makes the network; the first is what scoring does by default."""
    bf16 = torch.bfloat16
    found: dict[str, Callable[[], Network]] = {
        "default: folded, channels-last, packed, batches of 4": lambda: _default(path, CPU_BATCH),
        "batches of 1": lambda: _default(path, 1),
        "batches of 2": lambda: _default(path, 2),
        "batches of 16": lambda: _default(path, 16),
        "not packed": lambda: plain(path, batch=CPU_BATCH),
        "not packed, batches of 16 (the default before)": lambda: plain(path, batch=16),
        "not packed, batches of 16, not folded": lambda: plain(path, batch=16, fold=False),
        "--precision bf16": lambda: plain(path, batch=CPU_BATCH, dtype=bf16),
        "torch.compile": lambda: compiled(path),
    }
    for engine in ("onnxruntime", "openvino"):
        if find_spec(engine) is not None:
            found[f"--engine {engine}"] = lambda engine=engine: exported_network(  # type: ignore[misc]
                path, read_card(path), engine, threads=1
            )
    if find_spec("onnxruntime") is not None:
        found["ONNX Runtime, int8"] = lambda: quantised(path, files)
    return found


def _default(path: Path, batch: int) -> Network:
    return cropnet.CropNetwork(fold_batchnorms(load_network(path)[1]), _CPU, torch.float32, batch)


def main() -> None:
    """Make all, run all in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("weight", nargs="?", default="mfenet")
    parser.add_argument("--pictures", type=Path, required=True, help="A folder of photographs.")
    parser.add_argument("--number", type=int, default=8, help="So many of them, spread evenly.")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="LEVER", help="Those whose name has one of these in it.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = find_weights(options.weight)
    every = sorted(file for file in options.pictures.iterdir() if file.is_file())
    files = every[:: max(1, len(every) // options.number)][: options.number]
    wanted = [*(options.only or [""]), "default:"]
    scorers: dict[str, Scorer] = {}
    ready: dict[str, float] = {}
    for name, make in levers(path, files).items():
        if any(part in name for part in wanted):
            began = time.process_time()
            try:
                scorers[name] = Scorer(read_card(path), make(), threads=1)
                scorers[name].score(files[0])
            except Exception as error:  # each has exceptions of its own; its row says which
                print(
                    f"<!-- {name}: {type(error).__name__}: {str(error).splitlines()[0][:120]} -->", flush=True
                )
                scorers.pop(name, None)
            ready[name] = time.process_time() - began
    seconds: dict[str, float] = {}
    scores: dict[str, Any] = {}
    for _ in range(options.turns):
        for name, scorer in scorers.items():
            began = time.process_time()
            scores[name] = np.array([p.score for p in scorer.score_many(files)], dtype=float)
            spent = (time.process_time() - began) / len(files)
            seconds[name] = min(spent, seconds.get(name, spent))
    first = next(iter(scorers))
    print(
        f"| {options.weight}, {len(files)} pictures | CPU, s | times the default | moves, points | ready, s |"
    )
    print("| --- | --: | --: | --: | --: |")
    for name, spent in seconds.items():
        moved = np.abs(scores[name] - scores[first]).max()
        times = spent / seconds[first]
        print(f"| {name} | {spent:.3f} | {times:.2f} | {moved:.5f} | {ready[name]:.1f} |")


if __name__ == "__main__":
    main()
