"""Our weights and baselines beside pyiqa, on the same pictures, with as many threads, in float32; Markdown.

    python -m benchmarks.compare [--pyiqa VENV/bin/python] [--turns 3] [--only iqa:mfenet pyiqa:musiq ...]

Each contestant is a fresh process (`compare_worker.py`), one at a time, all of them in each turn: what is
compared has run within the same minutes. The figure is seconds of CPU, which other work on the machine
disturbs less than those of the clock; "faster" is how many times the pictures a second of the first
contestant, by turns, the median of them. pyiqa is not installed with this project, and its licence
(PolyForm Noncommercial) is not ours; without an interpreter that has it its rows say so:

    python -m venv pyiqa-venv && pyiqa-venv/bin/pip install pyiqa

Its networks have random weights here, which takes as long as learnt ones. Each contestant is given the file,
and looks at it as it does by default: some at all pixels, others at a reduced picture or at some crops.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.score_sizes import SIZES, mosaic

WORKER = Path(__file__).with_name("compare_worker.py")
COPIES = 2
CONTESTANTS = (
    *("iqa:mfenet", "iqa:mfenet --fast", "iqa:qfm-iqm", "iqa:qfm-iqm --fast", "iqa:vcrnet"),
    *("iqa:vcrnet --fast", "pyiqa:topiq_nr", "pyiqa:musiq", "pyiqa:hyperiqa", "pyiqa:maniqa", "pyiqa:nima"),
    *("baseline:laplacian", "baseline:brisque", "baseline:niqe", "baseline:piqe"),
    *("pyiqa:brisque", "pyiqa:niqe", "pyiqa:piqe"),
)
Steps = dict[str, dict[str, Any]]


def run(contestant: str, python: str, files: list[str], options: argparse.Namespace) -> Steps:
    """Step -> its figures; "stopped" -> why there are no more."""
    name, _, mode = contestant.partition(" --")
    limits = ["--budget", str(options.budget), "--memory", str(options.memory)]
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    # Weights that are not there are not waited for.
    environ = {**os.environ, **threads, "HF_HUB_OFFLINE": "1", "COMPARE_BEGAN": repr(time.time())}
    command = [python, str(WORKER), name, "--mode", mode or "default", *limits, *files]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    found: Steps = {}
    for line in done.stdout.splitlines():
        with contextlib.suppress(ValueError):  # what a package prints
            row = json.loads(line)
            if isinstance(row, dict):
                found[row.get("step", "stopped")] = row
    if done.returncode and "stopped" not in found:
        found["stopped"] = {"stopped": f"ended by {done.returncode}"}
    return found


def median(turns: list[Steps], step: str, figure: str) -> float | None:
    """Of the turns that came so far."""
    values = [steps[step][figure] for steps in turns if step in steps]
    return statistics.median(values) if values else None


def times(ratio: float) -> str:
    """Two digits, none behind the point from 10 on."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def cells(turns: list[Steps], first: list[Steps]) -> list[str]:
    """Of a contestant, all but its name."""
    cpu, wall = (median(turns, "first", figure) for figure in ("cpu", "wall"))
    row = ["-" if cpu is None or wall is None else f"{cpu:.1f} ({wall:.1f})"]
    for size in SIZES:
        each = median(turns, size, "cpu")
        pairs = [
            theirs[size]["cpu"] / ours[size]["cpu"]
            for ours, theirs in zip(turns, first, strict=True)
            if size in ours and size in theirs
        ]
        row.append("-" if each is None else f"{1 / each:.3g}")
        row.append(times(statistics.median(pairs)) if pairs else "-")
    peaks = [steps[step]["peak"] for steps in turns for step in (*SIZES, "first") if step in steps]
    reasons = {steps["stopped"]["stopped"] for steps in turns if "stopped" in steps}
    return [*row, f"{max(peaks):.0f}" if peaks else "-", "; ".join(sorted(reasons)).replace("|", "/")]


def main() -> None:
    """Make the pictures, run all in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pyiqa", help="An interpreter that has pyiqa; default: this one, or $PYIQA_PYTHON.")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=float, default=10, help="Seconds of CPU for a size, about.")
    parser.add_argument("--memory", type=float, default=4, help="GiB that a process may take.")
    parser.add_argument("--only", nargs="+", metavar="CONTESTANT", default=CONTESTANTS)
    options = parser.parse_args()
    other = options.pyiqa or os.environ.get("PYIQA_PYTHON") or sys.executable
    missing = subprocess.run([other, "-c", "import importlib.util as u; exit(u.find_spec('pyiqa') is None)"])
    found: dict[str, list[Steps]] = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as name:
        files = []
        for label, size in SIZES.items():
            copies = [Path(name) / f"{label[:2].strip()}-{i}.jpg" for i in range(COPIES)]
            mosaic(*size).save(copies[0], quality=92)
            for path in copies[1:]:
                path.write_bytes(copies[0].read_bytes())
            files.append(f"{label}={','.join(map(str, copies))}")
        files.insert(0, files[0].partition("=")[2].split(",")[0])
        for turn in range(options.turns):
            for contestant, turns in found.items():
                theirs = contestant.startswith("pyiqa:")
                if theirs and missing.returncode:
                    turns.append({"stopped": {"stopped": "pyiqa is not installed"}})
                    continue
                turns.append(run(contestant, other if theirs else sys.executable, files, options))
                print(f"turn {turn + 1}: {contestant}: {turns[-1]}", file=sys.stderr, flush=True)
    sizes = [cell for size in SIZES for cell in (f"{size}, pictures a CPU second", "faster")]
    titles = ["contestant", "first score, CPU s (clock)", *sizes, "peak, MiB", "ended"]
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    first = next(iter(found.values()))
    for contestant, turns in found.items():
        print(f"| {contestant} | {' | '.join(cells(turns, first))} |")


if __name__ == "__main__":
    main()
