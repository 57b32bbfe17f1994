"""Seconds from the shell to `iqa --help` and to a first score, beside a bare interpreter and bare imports of
torch and timm, in one run.

    python benchmarks/startup.py [--runs 9] [--exported mfenet.onnx] [--only "import torch" ...]

"CPU" is what the process and its threads have computed, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PHOTO = str(Path(__file__).resolve().parents[1] / "examples" / "dog.jpg")
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "iqa --version": ["-m", "iqa_cli", "--version"],
    "iqa --help": ["-m", "iqa_cli", "--help"],
    "iqa models": ["-m", "iqa_cli", "models"],
    "import torch": ["-c", "import torch"],
    "import torch, timm": ["-c", "import torch, timm"],
    "iqa score dog.jpg": ["-m", "iqa_cli", "score", PHOTO],
    "iqa score --model qfm-iqm dog.jpg": ["-m", "iqa_cli", "score", "--model", "qfm-iqm", PHOTO],
    "iqa score --model vcrnet dog.jpg": ["-m", "iqa_cli", "score", "--model", "vcrnet", PHOTO],
}


def measure(arguments: list[str]) -> tuple[float, float]:
    """Seconds on the clock, and of CPU, of one fresh process."""
    before = os.times()
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    seconds, after = time.perf_counter() - started, os.times()
    return seconds, (after[2] + after[3]) - (before[2] + before[3])


def main() -> None:
    """Measure in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--exported", help="A file of `iqa export`, scored as well.")
    parser.add_argument("--only", nargs="+", metavar="COMMAND", help="These rows of the table.")
    options = parser.parse_args()
    commands = dict(COMMANDS)
    if options.exported:
        commands["iqa score --model FILE.onnx dog.jpg"] = [
            *["-m", "iqa_cli", "score", "--model", str(Path(options.exported).resolve()), PHOTO]
        ]
    if options.only:
        commands = {name: commands[name] for name in options.only}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(options.runs + 1):
        for name, arguments in commands.items():
            measured = measure(arguments)
            # The first turn fills the disk cache.
            if turn:
                found[name].append(measured)
    print("| command | median, s | CPU, s |\n| --- | --- | --- |")
    for name, pairs in found.items():
        seconds, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"| `{name}` | {seconds:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
