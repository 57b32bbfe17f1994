"""Strided 1x1 convolutions made of pixels skipped and a convolution at stride 1: the same function.

The gradient of a strided 1x1 convolution of channels-last maps writes beyond its memory in torch 2.15 on the
CPU (8 to 6 channels, stride 2: "double free or corruption"), so no network has one while it learns.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn


def every(x: Tensor, rows: int, columns: int | None = None) -> Tensor:
    """Every `rows`-th row and `columns`-th column (`rows` if not given) of [N, C, H, W]: a 1x1 convolution of
    it is one with that stride."""
    columns = rows if columns is None else columns
    return x if rows == columns == 1 else x[:, :, ::rows, ::columns]


def skip_before_points(net: nn.Module) -> None:
    """Let strided 1x1 convolutions of a network see only the pixels that they use, at stride 1.

    Names and shapes of the parameters stay. A network that has been through this is left as it is.
    """
    for module in net.modules():
        if type(module) is nn.Conv2d and module.kernel_size == (1, 1) and max(module.stride) > 1:
            rows, columns = module.stride
            module.register_forward_pre_hook(partial(_skip, rows=rows, columns=columns))
            module.stride = (1, 1)


def _skip(module: nn.Module, given: tuple[Tensor], rows: int, columns: int) -> tuple[Tensor]:
    return (every(given[0], rows, columns),)
