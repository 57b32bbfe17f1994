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
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from iqa_cli.networks.folding import pairs_of
from iqa_cli.networks.resnet import Bottleneck
from iqa_cli.networks.van import Block, depthwise
from iqa_cli.networks.vcrnet_restoration import AsymmetricConv

Network = TypeVar("Network", bound=nn.Module)

_NOTHING: tuple[str, list[float], str] = ("none", [], "")


@cache
def can_pack() -> bool:
    """Whether this build of torch has the library, and its operators do what they do in the one that this was
    written for: they are not part of torch's public interface."""
    operators = getattr(torch.ops, "mkldnn", None)
    if not (
        torch.backends.mkldnn.is_available()
        and hasattr(operators, "_convolution_pointwise")
        and hasattr(operators, "_reorder_convolution_weight")
    ):
        return False
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        x = torch.linspace(-1, 1, 2 * 2 * 5 * 5).reshape(2, 2, 5, 5).to(memory_format=torch.channels_last)
        weight = torch.linspace(-0.5, 0.5, conv.weight.numel())
        conv.weight.copy_(weight.reshape(conv.weight.shape))
        wanted = conv(x).relu()
        try:
            packed = PackedConv(conv, nn.ReLU())
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
    packed: Network = _packed(network)
    return packed


class PackedConv(nn.Module):
    """A convolution and the activation behind it.

    Args:
        conv: Two-dimensional, float32, zeros as padding.
        activation: As `_activation` knows it, or None.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.dilation = conv.dilation
        padding: Any = conv.padding
        self._shape = (list(padding), list(conv.stride), list(conv.dilation), conv.groups)
        # Neither parameters nor buffers: nothing but the library can read them.
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight.detach(), *self._shape)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._after = _NOTHING if activation is None else _after(activation) or _NOTHING

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, out, h, w]."""
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._shape, *self._after
        )
        return found

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        """activation(conv(x) + other), written where `other` is, which nobody else may need any more."""
        attribute, values, algorithm = self._after
        unary = None if attribute == "none" else attribute
        found: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            other, x, self._weight, self._bias, *self._shape, "add", 1.0, unary, values, algorithm or None
        )
        return found


class PackedBottleneck(nn.Module):
    """`Bottleneck` of the ResNet, norms folded."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.conv1 = PackedConv(block.conv1, block.act)
        self.conv2 = PackedConv(block.conv2, block.act)
        self.conv3 = PackedConv(block.conv3, block.act)
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


def _packed(module: nn.Module) -> Any:
    if _is_plain(module):
        return PackedConv(module)
    if isinstance(module, Bottleneck) and isinstance(module.bn1, nn.Identity):
        return PackedBottleneck(module)
    if isinstance(module, Block) and module.shortcut is not None:
        return PackedBlock(module)
    if isinstance(module, AsymmetricConv) and module.vertical is None:
        return PackedConv(module.square)
    for first, second in _followed(module):
        conv, activation = getattr(module, first), getattr(module, second)
        if _is_plain(conv) and _after(activation) is not None:
            setattr(module, first, PackedConv(conv, activation))
            setattr(module, second, nn.Identity())
    for name, child in list(module.named_children()):
        setattr(module, name, _packed(child))
    return module


def _is_plain(module: object) -> TypeGuard[nn.Conv2d]:
    """Whether it is a convolution that the library has as it is; a dilated depthwise one has a faster form
    (`depthwise`), and those of timm that pad by themselves are of another class."""
    return (
        type(module) is nn.Conv2d
        and not isinstance(module.padding, str)
        and module.padding_mode == "zeros"
        and not (module.groups > 1 and module.dilation != (1, 1))
    )


def _followed(module: nn.Module) -> list[tuple[str, str]]:
    """Names of children that are applied one right after the other."""
    if isinstance(module, nn.Sequential):
        names = [name for name, child in module.named_children() if not isinstance(child, nn.Identity)]
        return list(pairwise(names))
    return [pair for pair in pairs_of(module) if all(hasattr(module, name) for name in pair)]


def _after(activation: object) -> tuple[str, list[float], str] | None:
    """An activation as the library calls it: name, numbers, algorithm; None where it does not have it."""
    if isinstance(activation, nn.ReLU6):
        return "hardtanh", [0.0, 6.0], ""
    if isinstance(activation, nn.ReLU):
        return "relu", [], ""
    if isinstance(activation, nn.GELU):
        return "gelu", [], activation.approximate
    return None
