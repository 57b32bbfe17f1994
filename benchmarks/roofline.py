"""Where the seconds of a network go, beside what the processor can do: operations, bytes and seconds for
each group of layers; prints Markdown.

    python -m benchmarks.roofline [WEIGHT ...] [--turns 5] [--batch 4]

The network is as `iqa score` has it on a CPU, with one thread, and each operator is timed by itself: seconds
of CPU of that thread, the least of the turns. "Best" is the greatest rate of a few plain convolutions,
"bandwidth" that of copying what no cache holds, both measured on the same core in the same turns. A group
could not take less than "least": operations at the best rate, or its bytes (inputs, outputs, weights) at the
bandwidth where that is longer. What stays in the caches can be had for less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.packed_conv import PackedConv
from iqa_cli.networks.packing import can_pack, pack_convolutions
from iqa_cli.networks.said import Said
from iqa_cli.weights import load_network

#: Plain convolutions: channels, side of the map, kernel. None of ours is larger.
PROBES = ((256, 18, 3), (512, 9, 3), (128, 36, 3), (512, 18, 1))
#: Parts of a module's name that hold one child only.
_WRAPPERS = ("network", "resnet", "net")
_MATRICES = ("mm", "addmm", "bmm", "baddbmm", "_scaled_dot_product_flash_attention_for_cpu")
#: Groups that take less than this share of the seconds are taken together.
_SMALL = 0.015


@dataclass
class Spent:
    """By a group of layers in one pass."""

    operations: float = 0.0
    moved: float = 0.0
    seconds: float = 0.0

    def add(self, other: Spent) -> None:
        """The sum of both."""
        self.operations += other.operations
        self.moved += other.moved
        self.seconds += other.seconds


class Meter(TorchDispatchMode):
    """Times every operator, and puts it down to the module that is running.

    Attributes:
        spent: (module, kind of operator) -> what it took.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spent: dict[tuple[str, str], Spent] = {}
        self.running: list[str] = [""]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = time.thread_time()
        found = func(*args, **(kwargs or {}))
        seconds = time.thread_time() - began
        kind, operations = _kind(func, args, found)
        tensors = [x for x in (*args, found) if isinstance(x, Tensor)]
        moved = 0.0 if _is_view(func) else sum(float(x.numel()) * x.element_size() for x in tensors)
        one = self.spent.setdefault((self.running[-1], kind), Spent())
        one.add(Spent(operations, moved, seconds))
        return found

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Within it the names of the running modules are kept."""
        handles = []
        for name, module in network.named_modules():
            group = _group(name)
            handles.append(module.register_forward_pre_hook(lambda *_, group=group: self._enter(group)))
            handles.append(module.register_forward_hook(lambda *_: self._leave()))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, group: str) -> None:
        self.running.append(group or self.running[-1])

    def _leave(self) -> None:
        self.running.pop()


def _group(name: str) -> str:
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    return ".".join(parts[:2])


def _is_view(func: Any) -> bool:
    return func._schema.name.rpartition("::")[2] in ("view", "permute", "slice", "as_strided", "t", "expand")


def _kind(func: Any, args: Any, found: Any) -> tuple[str, float]:
    """What an operator is called in the table, and its floating-point operations (a multiplication and an
    addition are two)."""
    name = func._schema.name.rpartition("::")[2]
    if name == "convolution":
        x, weight, transposed, groups = args[0], args[1], args[6], args[8]
    elif name == "_convolution_transpose_pointwise":
        x, weight, transposed, groups = args[0], args[1], True, 1
    elif name.startswith("_convolution_pointwise"):
        # What adds to another tensor has that one first.
        x, weight = args[1:3] if name.endswith("_") else args[:2]
        transposed, groups = False, int(x.shape[1] // weight.shape[1])
    elif name == "_linear_pointwise":
        return "matrix", 2.0 * found.numel() * args[0].shape[-1]
    elif name in _MATRICES and isinstance(found, Tensor):
        inner = args[-1].shape[-2] if name != "addmm" else args[2].shape[-2]
        return "matrix", 2.0 * found.numel() * inner
    else:
        return "other", 0.0
    height, width = weight.shape[-2:]
    each = weight.shape[1] * height * width
    if transposed:  # what is packed does not say which of its channels come out
        each = found.shape[1] // groups * height * width
    operations = 2.0 * (x.numel() if transposed else found.numel()) * each
    if transposed:
        return f"{height}x{width} transposed", operations
    return (f"{height}x{width} depthwise" if groups > 1 else f"{height}x{width}"), operations


def best_rate(turns: int, batch: int) -> float:
    """Operations a second of the fastest of the plain convolutions."""
    best = 0.0
    for width, side, kernel in PROBES:
        conv = nn.Conv2d(width, width, kernel, padding=kernel // 2).requires_grad_(False)
        run: nn.Module = PackedConv(conv) if can_pack() else conv
        x = torch.rand(batch, width, side, side).contiguous(memory_format=torch.channels_last)
        operations = 2.0 * x.numel() * width * kernel**2
        best = max(best, operations / least(lambda run=run, x=x: run(x), turns))  # type: ignore[misc]
    return best


def bandwidth(turns: int) -> float:
    """Bytes a second of copying 64 MiB, read and written."""
    source, target = torch.rand(2**24), torch.empty(2**24)
    return 2.0 * 2**26 / least(lambda: target.copy_(source), turns)


def least(run: Callable[[], object], turns: int) -> float:
    """Least seconds of CPU of this thread."""
    seconds = []
    for _ in range(turns + 1):
        began = time.thread_time()
        run()
        seconds.append(time.thread_time() - began)
    return min(seconds)


def measured(name: str, turns: int, batch: int) -> dict[tuple[str, str], Spent]:
    """Group and kind -> what it takes of a crop, the least of the turns."""
    card, network = load_network(name)
    said = Said(fold_batchnorms(network)).eval().requires_grad_(False)
    ready: nn.Module = pack_convolutions(said.to(memory_format=torch.channels_last))
    side = card.policy().crop
    rgb = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    found: dict[tuple[str, str], Spent] = {}
    for _ in range(turns):
        meter = Meter()
        with torch.no_grad(), meter.watching(ready):
            ready(rgb)
        for key, spent in meter.spent.items():
            one = Spent(spent.operations / batch, spent.moved / batch, spent.seconds / batch)
            if key not in found or one.seconds < found[key].seconds:
                found[key] = one
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("weights", nargs="*", default=["mfenet", "qfm-iqm", "vcrnet"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    best, speed = best_rate(options.turns, options.batch), bandwidth(options.turns)
    print(f"Best convolution {best / 1e9:.0f} GFLOP/s, bandwidth {speed / 1e9:.1f} GB/s, one thread")
    for weight in options.weights:
        found = measured(weight, options.turns, options.batch)
        whole = Spent()
        for spent in found.values():
            whole.add(spent)
        rows: dict[tuple[str, str], Spent] = {}
        for key, spent in sorted(found.items(), key=lambda item: -item[1].seconds):
            small = spent.seconds < _SMALL * whole.seconds
            rows.setdefault(("the rest", "") if small else key, Spent()).add(spent)
        rows["all", ""] = whole
        print(
            f"\n| {weight} | operator | GFLOP a crop | MB | ms | of all | GFLOP/s | of the best | least, ms |"
        )
        print(f"| --- | --- |{' --: |' * 7}")
        for (group, kind), spent in rows.items():
            rate = spent.operations / spent.seconds
            lowest = max(spent.operations / best, spent.moved / speed)
            print(
                f"| {group or '-'} | {kind} | {spent.operations / 1e9:.2f} | {spent.moved / 1e6:.1f} "
                f"| {1e3 * spent.seconds:.1f} | {spent.seconds / whole.seconds:.0%} | {rate / 1e9:.0f} "
                f"| {rate / best:.0%} | {1e3 * lowest:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
