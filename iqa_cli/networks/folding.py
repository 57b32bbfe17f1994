"""Batch norms folded into the convolutions beside them: the same function in evaluation, with fewer passes
over memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)

#: Attributes of one module that are always applied one right after the other.
_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("proj", "norm"))
#: Those of timm's EfficientNet, by the attribute that tells its kinds of modules apart.
_EFFICIENTNET_PAIRS = {
    "conv_pwl": (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")),
    "conv_dw": (("conv_dw", "bn1"), ("conv_pw", "bn2")),
    "conv_head": (("conv_stem", "bn1"), ("conv_head", "bn2")),
}


def fold_batchnorms(network: Network) -> Network:
    """Fold, in place, every batch norm that directly follows a convolution.

    A module with a method `fold` is told to fold what only it knows of, as a norm ahead of a convolution.

    Outputs agree with the unfolded network up to float32 rounding. The folded network can only be evaluated:
    its state no longer fits a checkpoint.

    Raises:
        ValueError: The network is in training mode.
    """
    if network.training:
        raise ValueError("batch norms are folded in evaluation mode only")
    for module in network.modules():
        for first, second in pairs_of(module):
            conv, norm = getattr(module, first, None), getattr(module, second, None)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                # timm has an activation inside of some of its batch norms.
                setattr(module, second, getattr(norm, "act", nn.Identity()))
        fold = getattr(module, "fold", None)
        if callable(fold):
            fold()
    return network


def pairs_of(module: nn.Module) -> tuple[tuple[str, str], ...]:
    """Attributes of a module that are applied one right after the other."""
    if isinstance(module, nn.Sequential):
        return tuple(pairwise(list(module._modules)))
    for attribute, pairs in _EFFICIENTNET_PAIRS.items():
        if hasattr(module, attribute):
            return pairs
    return _PAIRS
