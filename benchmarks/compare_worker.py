"""One contestant of `compare.py`, in a process and an interpreter of its own; prints a JSON line for each
step.

    python compare_worker.py CONTESTANT [--mode M] [--budget S] [--memory GIB] FIRST.jpg LABEL=FILE,FILE ...

A contestant is "iqa:WEIGHT", "baseline:NAME" or "pyiqa:NAME". The public interface of each is used as its
documentation shows it. The networks of pyiqa have random weights here, as theirs would have to be fetched:
`pretrained=False`, and timm is told the same for their backbones.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Score = Callable[[Sequence[str]], list[float]]


def scorer_of(contestant: str, mode: str) -> Score:
    """Loads it."""
    kind, _, name = contestant.partition(":")
    if kind == "pyiqa":
        return _of_pyiqa(name)
    if kind == "baseline":
        from iqa_cli.baselines import baseline
        from iqa_cli.baselines.picture import judge

        known = [baseline(name)]
        return lambda paths: [judge(path, known)[name].score or 0.0 for path in paths]
    from iqa_cli import load

    loaded: Any = load(name, device="cpu", threads=int(os.environ["OMP_NUM_THREADS"]))
    return lambda paths: [prediction.score for prediction in loaded.score_many(paths, mode=mode)]


def _of_pyiqa(name: str) -> Score:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    timm: Any = importlib.import_module("timm")
    create = timm.create_model

    @functools.wraps(create)
    def without_weights(model: str, pretrained: bool = False, **options: Any) -> Any:
        return create(model, pretrained=False, **options)

    timm.create_model = without_weights
    pyiqa: Any = importlib.import_module("pyiqa")
    try:
        metric = pyiqa.create_metric(name, device="cpu", pretrained=False)
    except TypeError:  # those without a network have no such option
        metric = pyiqa.create_metric(name, device="cpu")

    def score(paths: Sequence[str]) -> list[float]:
        with torch.inference_mode():
            return [float(metric(path)) for path in paths]

    return score


def peak() -> float:
    """Largest resident size of this process so far, MiB."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (int(found[1]) if found else usage / (1024 if sys.platform == "darwin" else 1)) / 1024


def say(step: str, cpu: float, wall: float, pictures: int) -> None:
    """Seconds by the picture."""
    row = {"step": step, "cpu": cpu / pictures, "wall": wall / pictures, "peak": peak(), "pictures": pictures}
    print(json.dumps(row), flush=True)


def main() -> None:
    """Load, score the first, then as many of each size as the budget allows; stop where one takes too
    long."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant")
    parser.add_argument("--mode", default="default")
    parser.add_argument("--budget", type=float, default=10.0)
    parser.add_argument("--memory", type=float, default=4.0)
    parser.add_argument("first")
    parser.add_argument("sizes", nargs="*")
    options = parser.parse_args()
    limit = int(options.memory * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        score = scorer_of(options.contestant, options.mode)
        loaded, began = time.process_time(), time.perf_counter()
        score([options.first])
        waited = time.perf_counter() - began
        # The process began when its parent says; CPU seconds count from there by themselves.
        say("first", time.process_time(), time.time() - float(os.environ["COMPARE_BEGAN"]), 1)
        each = time.process_time() - loaded
        for number, (label, files) in enumerate(size.split("=", 1) for size in options.sizes):
            if number == 0 and each > options.budget:  # the first picture is of this size
                say(label, each, waited, 1)
            else:
                paths = files.split(",")
                chosen = paths[: max(1, min(len(paths), int(options.budget / each)))]
                cpu, wall = time.process_time(), time.perf_counter()
                score(chosen)
                each = (time.process_time() - cpu) / len(chosen)
                say(label, each * len(chosen), time.perf_counter() - wall, len(chosen))
            if each > options.budget:
                print(json.dumps({"stopped": f"{each:.0f} s of CPU at {label}"}), flush=True)
                return
    except Exception as error:  # whatever a package raises, its row says it
        text = "more than the memory allowed" if _is_memory(error) else f"{type(error).__name__}: {error}"
        print(json.dumps({"stopped": text.splitlines()[0][:100]}), flush=True)


def _is_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError) or "allocate memory" in str(error) or "not enough memory" in str(error)
    )


if __name__ == "__main__":
    main()
