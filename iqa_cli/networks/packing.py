"""Convolutions as the CPU library (oneDNN) computes them fastest: the same function in evaluation, float32.

Three things are gained over torch's own modules, by the operators that torch's compiler emits as well:

- weights lie in the library's own layout, once, instead of being brought into it for every batch;
- what follows a convolution (ReLU, GELU, a sum) is done while its result is in the processor, instead of in
  another pass over memory;
- a 1x1 convolution of less than 16 crops by one thread goes to the library too: torch has an old
  implementation of its own for that case, which takes up to ten times as long.

Our own; `benchmarks/levers.py` measures what it gains.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from iqa_cli.networks.efficientnet_lite import InvertedResidual
from iqa_cli.networks.folding import pairs_of
from iqa_cli.networks.packed_conv import (
    PackedConv,
    PackedPoint,
    is_packable,
    packed_conv,
    packed_plain,
    post_operation,
)
from iqa_cli.networks.packed_decoder import pack_decoder_ends
from iqa_cli.networks.packed_vcrnet import PackedReduction, pack_restoration
from iqa_cli.networks.resnet import Bottleneck
from iqa_cli.networks.same_padding import pad_by_parity
from iqa_cli.networks.van import Block, depthwise
from iqa_cli.networks.vcrnet import VCRNet
from iqa_cli.networks.vcrnet_quality import Reduction
from iqa_cli.networks.vcrnet_restoration import RestorationNet

Network = TypeVar("Network", bound=nn.Module)

_OPERATORS = (
    "_convolution_pointwise",
    "_convolution_pointwise_",
    "_convolution_transpose_pointwise",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_reorder_convolution_transpose_weight",
    "_reorder_linear_weight",
)


@cache
def can_pack() -> bool:
    """Whether this build of torch has the library, and its operators do what they do in the one that this was
    written for: they are not part of torch's public interface."""
    operators = getattr(torch.ops, "mkldnn", None)
    if not torch.backends.mkldnn.is_available() or not all(hasattr(operators, name) for name in _OPERATORS):
        return False
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        return _as_torch(PackedConv, 3) and _as_torch(PackedPoint, 1)


def _as_torch(kind: type[PackedConv | PackedPoint], side: int) -> bool:
    """Whether a small packed convolution gives what torch's own one gives."""
    conv = nn.Conv2d(2, 2, side, padding=side // 2, bias=False)
    x = torch.linspace(-1, 1, 2 * 2 * 5 * 5).reshape(2, 2, 5, 5).to(memory_format=torch.channels_last)
    weight = torch.linspace(-0.5, 0.5, conv.weight.numel())
    conv.weight.copy_(weight.reshape(conv.weight.shape))
    wanted = conv(x).relu()
    try:
        packed = kind(conv, nn.ReLU())
        alone, added = packed(x), packed.added_to(torch.zeros_like(wanted), x)
    except (RuntimeError, TypeError, AttributeError):  # another signature
        return False
    return all(torch.allclose(found, wanted, atol=1e-4) for found in (alone, added))


def pack_convolutions(network: Network) -> Network:
    """Replace, in place, every plain convolution by one that is packed, together with what follows it.

    Args:
        network: In evaluation mode, float32, on the CPU, batch norms folded (`fold_batchnorms`).

    Returns:
        The network, or what takes its place. It can only be evaluated, on the CPU, and its state no longer
        fits a checkpoint. Outputs agree up to float32 rounding.
    """
    if not can_pack():
        return network
    pad_by_parity(network)
    packed: Network = _packed(network)
    return packed


class PackedBottleneck(nn.Module):
    """`Bottleneck` of the ResNet, norms folded."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.conv1 = packed_plain(block.conv1, block.act)
        self.conv2 = packed_plain(block.conv2, block.act)
        self.conv3 = packed_plain(block.conv3, block.act)
        self.downsample = None if block.downsample is None else _packed(block.downsample)

    def forward(self, x: Tensor) -> Tensor:
        # Without a convolution of its own the shortcut is what the block before has made for this one alone:
        # the map of a stage is read by a first block, which has one.
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.conv3.added_to(shortcut, self.conv2(self.conv1(x)))


class PackedBlock(nn.Module):
    """`Block` of the VAN, folded: see there for the equation."""

    shortcut: Tensor

    def __init__(self, block: Block) -> None:
        super().__init__()
        attention, gate, mlp = block.attn, block.attn.spatial_gating_unit, block.mlp
        assert block.shortcut is not None
        self.register_buffer("shortcut", block.shortcut, persistent=False)
        self.proj_1 = PackedConv(attention.proj_1, attention.activation)
        self.conv0 = PackedConv(gate.conv0)
        self.conv_spatial = gate.conv_spatial
        self.conv1 = PackedConv(gate.conv1)
        self.proj_2 = PackedConv(attention.proj_2)
        self.fc1 = PackedConv(mlp.fc1)
        self.dwconv = PackedConv(mlp.dwconv.dwconv, mlp.act)
        self.fc2 = PackedConv(mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        gated = self.proj_1(x)
        gated = gated * self.conv1(depthwise(self.conv0(gated), self.conv_spatial))
        x = torch.addcmul(self.proj_2(gated), self.shortcut, x)
        return self.fc2.added_to(x, self.dwconv(self.fc1(x)))


class PackedInvertedResidual(nn.Module):
    """`InvertedResidual` of the EfficientNet, norms folded."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        self.conv_pw = packed_plain(block.conv_pw, block.bn1)
        self.conv_dw = packed_conv(block.conv_dw, block.bn2)
        self.conv_pwl = packed_plain(block.conv_pwl)
        self.has_skip = block.has_skip

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_dw(self.conv_pw(x))
        # As of the bottlenecks: maps that others read come from the last block of a group, and the first one
        # of the next adds nothing to them, since it has another width.
        return self.conv_pwl.added_to(x, y) if self.has_skip else self.conv_pwl(y)


def _packed(module: nn.Module) -> Any:
    if is_packable(module):
        return packed_conv(module)
    if isinstance(module, Bottleneck) and isinstance(module.bn1, nn.Identity):
        return PackedBottleneck(module)
    if isinstance(module, InvertedResidual) and isinstance(module.bn3, nn.Identity):
        return PackedInvertedResidual(module)
    if isinstance(module, Block) and module.shortcut is not None:
        return PackedBlock(module)
    if isinstance(module, VCRNet):
        pack_decoder_ends(module)
    if isinstance(module, RestorationNet) and module.is_folded:
        return pack_restoration(module)
    if isinstance(module, Reduction) and isinstance(module.norm, nn.Identity):
        return PackedReduction(module)
    for first, second in _followed(module):
        conv, activation = getattr(module, first), getattr(module, second)
        if is_packable(conv) and post_operation(activation) is not None:
            setattr(module, first, packed_conv(conv, activation))
            setattr(module, second, nn.Identity())
    for name, child in list(module.named_children()):
        setattr(module, name, _packed(child))
    return module


def _followed(module: nn.Module) -> list[tuple[str, str]]:
    """Names of children that are applied one right after the other."""
    if isinstance(module, nn.Sequential):
        names = [name for name, child in module.named_children() if not isinstance(child, nn.Identity)]
        return list(pairwise(names))
    return [pair for pair in pairs_of(module) if all(hasattr(module, name) for name in pair)]
