"""Memory of `iqa score` while a long list of paths goes through it: prints a Markdown table with the slope.

    python -m benchmarks.many_inputs [--paths 1000000] [OPTION OF iqa score ...]

The paths come from a pipe and name nothing, so that each is a row with an error at little cost: what is
measured is what is kept of a path, not the network. The slope is that of a straight line through the memory
(resident, and what was swapped out) at every hundredth of the rows, the first fifth left out, with the
standard error that the residuals give. Ctrl-C ends it with what has been measured by then.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import numpy as np


def feed(stream: IO[bytes], paths: int) -> None:
    """Write the list: names of 60 characters."""
    # Ended early, the pipe has no reader any more.
    with contextlib.suppress(BrokenPipeError), stream:
        for start in range(0, paths, 1000):
            block = range(start, min(paths, start + 1000))
            names = (b"/nowhere/of/the/photographs/%06d/IMG_%014d.jpg\n" % (i // 500, i) for i in block)
            stream.write(b"".join(names))


def resident(process: int) -> float:
    """Memory of a process in MiB, what was swapped out included."""
    found = re.findall(r"^Vm(?:RSS|Swap):\s+(\d+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return sum(map(int, found)) / 1024


def slope(rows: list[int], mebibytes: list[float]) -> tuple[float, float]:
    """MiB for a million rows, and its standard error."""
    x, y = np.array(rows) / 1e6, np.array(mebibytes)
    centred = x - x.mean()
    rise = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - rise * centred
    return rise, float(np.sqrt(rest @ rest / (len(x) - 2) / (centred @ centred)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--paths", type=int, default=1_000_000)
    options, further = parser.parse_known_args()
    command = [sys.executable, "-m", "iqa_cli", "score", "-", "--format", "jsonl", "-q", *further]
    started = time.perf_counter()
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    threading.Thread(target=feed, args=(process.stdin, options.paths), daemon=True).start()
    rows, mebibytes = [], []
    every = max(1, options.paths // 100)
    reached = 0
    with contextlib.suppress(KeyboardInterrupt):
        for reached, _ in enumerate(process.stdout, start=1):
            if reached % every == 0 and reached < options.paths:
                rows.append(reached)
                mebibytes.append(resident(process.pid))
    process.kill()
    process.wait()
    seconds = time.perf_counter() - started
    if len(rows) < 10:
        raise SystemExit("too few rows to measure")
    kept = len(rows) // 5
    rise, error = slope(rows[kept:], mebibytes[kept:])
    print("| paths | options | s | at a fifth, MiB | at the end, MiB | slope, MiB per million |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(
        f"| {reached:,} | {' '.join(further) or '-'} | {seconds:.0f} | {mebibytes[kept]:.1f} |"
        f" {mebibytes[-1]:.1f} | {rise:+.1f} ± {error:.1f} |"
    )


if __name__ == "__main__":
    main()
