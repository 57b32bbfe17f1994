"""Modules built without the values that are soon replaced: quickly, or without any memory for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_RANDOM_FILLS = frozenset(
    {"normal_", "uniform_", "trunc_normal_", "erfinv_"}
    | {"kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"}
)


@contextmanager
def on_no_device() -> Iterator[None]:
    """A context in which a module is built without memory for its tensors.

    Without the random fills, since a single one on no device has torch import its compiler and SymPy: as many
    seconds again as for torch itself.
    """
    with torch.device("meta"), without_random_fills():
        yield


def without_random_fills() -> Any:
    """A context in which a module is built without drawing the random values soon replaced."""

    class Skip(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name, given = getattr(func, "__name__", ""), kwargs or {}
            # Those of torch.nn.init give their tensor by name.
            if name not in _RANDOM_FILLS or not (args or "tensor" in given):
                return func(*args, **given)
            if not args:
                return given["tensor"]
            # trunc_normal_ draws until all values lie within its bounds: the mean does, but what happened to
            # be in the memory may never do so.
            mean = args[1] if len(args) > 1 else given.get("mean", 0.0)
            return args[0].fill_(mean) if name == "normal_" else args[0]

    return Skip()
