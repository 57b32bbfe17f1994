"""Do the engines agree, and how fast are they? Prints a Markdown table.

    for name in mfenet qfm-iqm vcrnet; do iqa export $name -o exported/$name.onnx; done
    python -m benchmarks.engines exported/*.onnx --pictures PHOTOGRAPHS [--number 16]

Each file of `iqa export` is scored by ONNX Runtime and OpenVINO, where they are installed, and the weight of
its name by torch, all with one thread. "CPU" is what the process has computed, decoding included, by the
picture; "differs" the greatest difference of a score to that by torch, in points.
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from iqa_cli.scoring.scorer import Scorer, load


def timed(scorer: Scorer, files: list[Path]) -> tuple[np.ndarray, float]:
    """Scores, and seconds of CPU by the picture; what comes before the first picture is left out."""
    scorer.score(files[0])
    started = time.process_time()
    scores = np.array([prediction.score for prediction in scorer.score_many(files)], dtype=float)
    return scores, (time.process_time() - started) / len(files)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("exported", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path, required=True, help="A folder of photographs.")
    parser.add_argument("--number", type=int, default=16, help="So many of them, spread evenly.")
    options = parser.parse_args()
    found = sorted(path for path in options.pictures.iterdir() if path.is_file())
    files = found[:: max(1, len(found) // options.number)][: options.number]
    print(
        f"| weight | engine | CPU, s ({len(files)} pictures) | differs, points |\n| --- | --- | --: | --: |"
    )
    for path in options.exported:
        wanted, seconds = timed(load(path.stem, device="cpu", threads=1), files)
        print(f"| {path.stem} | torch | {seconds:.3f} | |", flush=True)
        for engine in ("onnxruntime", "openvino"):
            if find_spec(engine) is not None:
                scores, seconds = timed(load(path, engine=engine, threads=1), files)  # type: ignore[arg-type]
                difference = np.abs(scores - wanted).max()
                print(f"| {path.stem} | {engine} | {seconds:.3f} | {difference:.6f} |", flush=True)


if __name__ == "__main__":
    main()
