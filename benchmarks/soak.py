"""Does memory stay where it is? Many small pictures through one `iqa score`, with readers of three kinds.

    python -m benchmarks.soak [--pictures 20000] [--reader eager slow gone]

Each is one process with a tiny network and JSON Lines into a pipe: read at once; read slowly (the pipe stays
full, the process waits); closed after a quarter of the rows. Resident memory is taken at every 50th row from
a quarter of the rows on; its slope is that of least squares, with the standard error of Newey and West
(1987), since neighbouring samples are alike. Linux only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from iqa_cli.images.policy import SizePolicy
from tests.conftest import ROOT
from tests.tinyweight import make_tiny_weight

_EVERY = 50
_DIFFERENT = 100
# The slow reader takes so many rows, then rests so many seconds.
_MOUTHFUL, _REST = 200, 0.5


def main() -> None:
    """Run each reader and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--reader", nargs="+", default=["eager", "slow", "gone"])
    options = parser.parse_args()
    print("| reader | rows | exit code | stderr | MiB at a quarter | at the end | slope, bytes a picture |")
    print("| --- | --: | --: | --: | --: | --: | --: |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        make_tiny_weight(Path(folder), ROOT / "examples", policy=SizePolicy(crop=64))
        listed = make_pictures(Path(folder), options.pictures)
        for reader in options.reader:
            print(soak(Path(folder), listed, options.pictures, reader), flush=True)


def make_pictures(folder: Path, number: int) -> Path:
    """A list of many small pictures, most of them links to the same few files."""
    with Image.open(ROOT / "examples" / "dog.jpg") as photo:
        for i in range(_DIFFERENT):
            photo.crop((i, 2 * i, i + 64, 2 * i + 64)).save(folder / f"o{i}.png")
    names = []
    for i in range(number):
        place = folder / f"{i // 1000}"
        place.mkdir(exist_ok=True)
        name = place / f"{i:06}.png"
        os.link(folder / f"o{i % _DIFFERENT}.png", name)
        names.append(f"{name}\n")
    listed = folder / "list.txt"
    listed.write_text("".join(names))
    return listed


def soak(folder: Path, listed: Path, number: int, reader: str) -> str:
    """Run one process to its end; a row of the table."""
    environ = {**os.environ, "IQA_WEIGHTS": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "iqa_cli", "score", "--files-from", str(listed), "--format", "jsonl"]
    command += ["--threads", "1", "-q"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, **pipes)  # type: ignore[call-overload]
    samples, rows, quarter = [], 0, number // 4
    for rows, _ in enumerate(process.stdout, 1):
        if rows >= quarter and rows % _EVERY == 0:
            samples.append((rows, _resident(process.pid)))
        if reader == "slow" and rows % _MOUTHFUL == 0:
            time.sleep(_REST)
        if reader == "gone" and rows >= quarter:
            break
    process.stdout.close()
    said = process.stderr.read()
    code = process.wait()
    samples = [(row, size) for row, size in samples if size]
    first, last = samples[0][1] / 2**20, samples[-1][1] / 2**20
    slope = "" if reader == "gone" else "{:.1f} ± {:.1f}".format(*slope_of(samples))
    return f"| {reader} | {rows} | {code} | {len(said)} bytes | {first:.1f} | {last:.1f} | {slope} |"


def slope_of(samples: list[tuple[int, int]]) -> tuple[float, float]:
    """Slope of least squares in bytes a picture, and the half width of its 95 % interval."""
    rows, sizes = np.array(samples, dtype=float).T
    centred = rows - rows.mean()
    weight = (centred**2).sum()
    slope = (centred * sizes).sum() / weight
    scores = centred * (sizes - sizes.mean() - slope * centred)
    lags = int(len(rows) ** 0.5)
    variance = (scores**2).sum()
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (scores[lag:] * scores[:-lag]).sum()
    return float(slope), float(1.96 * max(variance, 0.0) ** 0.5 / weight)


def _resident(process: int) -> int:
    """Resident memory of a process in bytes; 0 where it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
