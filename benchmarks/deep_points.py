"""1x1 convolutions of many channels by oneDNN, and as matrix products of torch and of oneDNN; prints a
Markdown table.

    OMP_NUM_THREADS=1 python -m benchmarks.deep_points

Four maps, one thread, float32; milliseconds of CPU, the least of five. By it
`iqa_cli/networks/packed_conv.py` takes products of oneDNN; it is worth another look on another processor.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.roofline import least
from iqa_cli.networks.packed_conv import PackedConv, PackedPoint

#: Channels in and out, side of the map: those of ResNet-50 and of EfficientNet-Lite0 at 288x288.
SHAPES = (
    *((512, 128, 36), (512, 256, 36), (512, 1024, 18), (1024, 256, 18), (1024, 512, 18)),
    *((512, 2048, 9), (1024, 2048, 9), (2048, 512, 9), (672, 192, 9), (1152, 192, 9), (1152, 320, 9)),
)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print("| channels | map | convolution, ms | GFLOP/s | torch, ms | GFLOP/s | product, ms | GFLOP/s |")
    print("| --- | --- | --: | --: | --: | --: | --: | --: |")
    for channels, out, side in SHAPES:
        conv = nn.Conv2d(channels, out, 1)
        matrix = conv.weight.flatten(1)
        x = torch.rand(4, channels, side, side).contiguous(memory_format=torch.channels_last)
        rows = x.permute(0, 2, 3, 1)
        ways = (
            partial(PackedConv(conv), x),
            partial(F.linear, rows, matrix, conv.bias),
            partial(PackedPoint(conv), x),
        )
        seconds = [least(way, 4) for way in ways]
        rates = [2.0 * x.numel() * out / one / 1e9 for one in seconds]
        cells = " | ".join(f"{1e3 * one:.1f} | {rate:.0f}" for one, rate in zip(seconds, rates, strict=True))
        print(f"| {channels} to {out} | {side}x{side} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
