"""Seconds and peak memory of `iqa score` for 1, 12 and 50 megapixel JPEGs; prints a Markdown table.

    python benchmarks/score_sizes.py [--runs 5]

The pictures are mosaics of the examples, each enlarged to 1024 pixels. "First" is a whole fresh process
that scores one picture; "further" a fifth of what a process that scores six copies takes longer; "peak" the
largest resident size of the first, read by itself at its end; "beyond imports" the same less that of one that
scores a 64x64 picture.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SIZES = {"1 MP": (1224, 816), "12 MP": (4242, 2828), "50 MP": (8660, 5774)}
COPIES = 6
# `iqa`, with its own peak in KiB as the last word on stderr. The ru_maxrss of a child is second best:
# it begins with the size of the process that started it (and macOS counts it in bytes).
CHILD = """
import atexit, re, resource, sys
from pathlib import Path

@atexit.register
def peak():
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()) if status.exists() else None
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(found[1] if found else usage // (1024 if sys.platform == "darwin" else 1), file=sys.stderr)

from iqa_cli.cli.app import main
main()
"""


def mosaic(width: int, height: int) -> Image.Image:
    """A picture of that size, of example photographs enlarged at most twice."""
    tiles = []
    for path in sorted(EXAMPLES.glob("*.jpg")):
        if "-" not in path.stem:
            with Image.open(path) as image:
                tiles.append(image.convert("RGB").resize((1024, 1024), Image.Resampling.LANCZOS))
    canvas = Image.new("RGB", (width, height))
    for index, (y, x) in enumerate(np.ndindex(-(-height // 1024), -(-width // 1024))):
        canvas.paste(tiles[index % len(tiles)], (x * 1024, y * 1024))
    return canvas


def measure(paths: list[Path], options: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of one fresh process that scores `paths`."""
    arguments = ["score", "--format", "jsonl", *options, *map(str, paths)]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(f"exit code {done.returncode}: iqa {' '.join(arguments)}\n{done.stderr}")
    return seconds, int(done.stderr.split()[-1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3, help="Runs of each; the median is printed.")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.new("RGB", (64, 64), (90, 120, 60)).save(folder / "tiny.png")
        bare = statistics.median(measure([folder / "tiny.png"], [])[1] for _ in range(runs))
        print("| picture | options | first, s | further, s | peak, MiB | beyond imports, MiB |")
        print("| --- | --- | --- | --- | --- | --- |")
        for label, size in SIZES.items():
            picture = mosaic(*size)
            copies = [folder / f"{label[:2].strip()}-{i}.jpg" for i in range(COPIES)]
            for path in copies:
                picture.save(path, quality=92)
            for options in ([], ["--fast"]):
                once = [measure(copies[:1], options) for _ in range(runs)]
                many = [measure(copies, options) for _ in range(runs)]
                first = statistics.median(seconds for seconds, _ in once)
                more = (statistics.median(seconds for seconds, _ in many) - first) / (COPIES - 1)
                peak = statistics.median(mib for _, mib in once)
                shown = " ".join(options) or "-"
                row = (f"{first:.1f}", f"{more:.2f}", f"{peak:.0f}", f"{peak - bare:.0f}")
                print(f"| {label} ({size[0]}x{size[1]}) | {shown} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
