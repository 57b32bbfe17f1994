"""Batch norms folded into the convolutions beside them: the same function in evaluation, with fewer passes
over memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from iqa_cli.networks.van import Block

Network = TypeVar("Network", bound=nn.Module)

#: Attributes of one module that are always applied one right after the other.
_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("proj", "norm"))


def fold_batchnorms(network: Network) -> Network:
    """Fold, in place, every batch norm that directly follows a convolution or directly precedes a 1x1 one.

    Outputs agree with the unfolded network up to float32 rounding. The folded network can only be evaluated:
    its state no longer fits a checkpoint.

    Raises:
        ValueError: The network is in training mode.
    """
    if network.training:
        raise ValueError("batch norms are folded in evaluation mode only")
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            names = list(module._modules)
            pairs = tuple(pairwise(names))
        else:
            pairs = _PAIRS
        for first, second in pairs:
            conv, norm = getattr(module, first, None), getattr(module, second, None)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                setattr(module, second, nn.Identity())
        if isinstance(module, Block):
            _fold_into_next(module.norm2, module.mlp.fc1)
            module.norm2 = nn.Identity()  # type: ignore[assignment]
    return network


@torch.no_grad()
def _fold_into_next(norm: nn.BatchNorm2d, conv: nn.Conv2d) -> None:
    """conv(norm(x)) becomes conv(x), for a 1x1 convolution without padding."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    assert conv.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    conv.bias += conv.weight[:, :, 0, 0] @ shift
    conv.weight *= scale[None, :, None, None]
