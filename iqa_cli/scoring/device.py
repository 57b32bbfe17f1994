"""Where and how exactly the network computes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from iqa_cli.errors import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"auto": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """The device of "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: It is none of these, or this machine has no such GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if not re.fullmatch(r"cuda(:\d{1,2})?", name):
        raise UsageError(f"there is no device '{name[:40]}'", hint="devices: auto, cpu, cuda")
    if not torch.cuda.is_available():
        raise UsageError("no CUDA GPU can be used on this machine", hint="use --device cpu, or leave it out")
    device = torch.device(name)
    if (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"there is no {name}: this machine has {torch.cuda.device_count()} CUDA GPU(s)")
    return device


def choose_precision(name: str) -> torch.dtype:
    """The type that the network computes in.

    Raises:
        UsageError: There is no such precision.
    """
    if name not in _DTYPES:
        raise UsageError(
            f"there is no precision '{name[:40]}'", hint=f"one of {', '.join(get_args(Precision))}"
        )
    return _DTYPES[name]


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Within it a GPU computes float32 as float32, by the same algorithm every time; nothing to do on a CPU.

    By default torch lets convolutions round to TF32, which keeps 10 bits of the mantissa and moves scores.
    What the caller's program had set is put back.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
