"""Where a network computes and how its batches are made: what may differ from machine to machine without
being part of what a run is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """The means of a run. None of them changes a batch or stands in `config.json`.

    Attributes:
        device: Where the network computes; under `accelerate launch` each process gets its own instead.
        threads: Threads that make batches.
        processes: Processes that make them instead, 0 for none; they are forked, so not on Windows or macOS.
        prefetch: Batches that each of these is ahead of the step.
        memory: Bytes of decoded pictures that are kept, further ones are decoded whenever they are drawn;
            None for half of the memory that is free.

    Raises:
        ValueError: A number is out of its range.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    threads: int = 1
    processes: int = 0
    prefetch: int = 2
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.threads < 1 or self.prefetch < 1 or self.processes < 0 or (self.memory or 0) < 0:
            raise ValueError("threads and prefetch must be at least 1, processes and memory not negative")


def dtype_of(precision: str) -> torch.dtype:
    """dtype of autocast for "bf16", "fp16" or "fp32"; float32 turns it off."""
    return _DTYPES[precision]


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Mixed precision on a device; none where `precision` is float32."""
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)


def random_state(device: torch.device) -> dict[str, Any]:
    """State of torch's generators that a step on this device draws from."""
    state: dict[str, Any] = {"random": torch.get_rng_state()}
    if device.type == "cuda":
        state["random_cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Undo what was drawn since `random_state`; a state of another kind of device is left aside."""
    torch.set_rng_state(state["random"])
    if device.type == "cuda" and "random_cuda" in state:
        torch.cuda.set_rng_state(state["random_cuda"], device)


def free_memory() -> int | None:
    """Bytes that may be taken before the machine, or the container, runs out; None where it cannot be
    told."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError):
        # "max" where the container has no limit, which is no number.
        limit = int((_CGROUP / "memory.max").read_text())
        found.append(max(0, limit - int((_CGROUP / "memory.current").read_text())))
    return min(found, default=None)
