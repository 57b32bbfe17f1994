"""One convolution as the CPU library (oneDNN) computes it fastest, with what follows it: see
`iqa_cli.networks.packing`. Licence of this file: that of the project."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.points import every
from iqa_cli.networks.same_padding import ParityPadded

_NOTHING: tuple[str, list[float], str] = ("none", [], "")
#: Channels from which on a 1x1 convolution is a matrix product.
_MANY = 512


class PackedConv(nn.Module):
    """A convolution and the activation behind it.

    Args:
        conv: Two-dimensional, float32, zeros as padding.
        activation: As `post_operation` knows it, or None.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.dilation = conv.dilation
        padding: Any = conv.padding
        self._shape = (list(padding), list(conv.stride), list(conv.dilation), conv.groups)
        # Neither parameters nor buffers: nothing but the library can read them.
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight.detach(), *self._shape)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._after = _NOTHING if activation is None else post_operation(activation) or _NOTHING

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, out, h, w]."""
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._shape, *self._after
        )
        return found

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        """activation(conv(x) + other), written where `other` is, which nobody else may need any more."""
        attribute, values, algorithm = self._after
        # The library does a sum and a ReLU in one go, but no other slope.
        sloped = attribute == "leaky_relu"
        unary = None if sloped or attribute == "none" else attribute
        found: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            other, x, self._weight, self._bias, *self._shape, "add", 1.0, unary, values, algorithm or None
        )
        return F.leaky_relu(found, values[0], inplace=True) if sloped else found


class PackedPoint(nn.Module):
    """A 1x1 convolution of many channels as a matrix product, and the activation behind it.

    As convolutions, the library computes some that `is_deep_point` tells at an eighth of its usual rate on
    processors of AMD's family 25; as products of weights that lie in its layout, none (docs/performance.md).

    Args:
        conv, activation: As of `PackedConv`.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None = None) -> None:
        super().__init__()
        stride: Any = conv.stride
        self._stride: tuple[int, int] = stride
        self._weight = torch.ops.mkldnn._reorder_linear_weight(conv.weight.detach().flatten(1), None)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._after = _NOTHING if activation is None else post_operation(activation) or _NOTHING
        self.activation = activation or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, out, h, w]."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            self._positions(x), self._weight, self._bias, *self._after
        )
        return found.permute(0, 3, 1, 2)

    def added_to(self, other: Tensor, x: Tensor) -> Tensor:
        """activation(conv(x) + other)."""
        added = torch.ops.mkldnn._linear_pointwise.binary(
            self._positions(x), other.permute(0, 2, 3, 1), self._weight, self._bias, "add"
        )
        found: Tensor = self.activation(added)
        return found.permute(0, 3, 1, 2)

    def _positions(self, x: Tensor) -> Tensor:
        return every(x, *self._stride).permute(0, 2, 3, 1)


class PackedParityPadded(nn.Module):
    """`ParityPadded` and the activation behind it.

    The library pads all sides alike, where TensorFlow pads an even side by one pixel less before its first.
    With a row and a column of zeros before those of the kernel both are the same function, without a copy of
    the map, one of the largest of a network. That pays for depthwise convolutions, which wait for memory and
    not for products.

    Args:
        conv: Float32.
        activation: As of `PackedConv`.
    """

    def __init__(self, conv: ParityPadded, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.margins = conv.margins
        self.padded = PackedConv(conv_of(conv.weight, conv.bias, conv.stride, 0, conv.groups), activation)
        self.even: PackedConv | None = None
        if conv.groups == conv.in_channels:
            rows, columns = conv.kernel_size
            wider = F.pad(conv.weight, (1, 0, 1, 0))
            halves = (rows // 2, columns // 2)
            self.even = PackedConv(conv_of(wider, conv.bias, conv.stride, halves, conv.groups), activation)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, out, ceil(H / 2), ceil(W / 2)]."""
        height, width = x.shape[2:]
        if self.even is not None and height % 2 == width % 2 == 0:
            return self.even(x)
        return self.padded(F.pad(x, self.margins(height, width)))


def packed_conv(
    conv: nn.Conv2d, activation: nn.Module | None = None
) -> PackedConv | PackedPoint | PackedParityPadded:
    """What takes the place of a convolution that `is_packable`."""
    if isinstance(conv, ParityPadded):
        return PackedParityPadded(conv, activation)
    return packed_plain(conv, activation)


def packed_plain(conv: nn.Conv2d, activation: nn.Module | None = None) -> PackedConv | PackedPoint:
    """The same for a convolution that pads all sides alike."""
    return PackedPoint(conv, activation) if is_deep_point(conv) else PackedConv(conv, activation)


def is_deep_point(conv: nn.Conv2d) -> bool:
    """Whether it is a 1x1 convolution of many channels, which is a matrix product here."""
    return (
        conv.kernel_size == (1, 1)
        and conv.padding == (0, 0)
        and conv.groups == 1
        and conv.in_channels >= _MANY
        and conv.out_channels % 64 == 0
    )


def is_packable(module: object) -> TypeGuard[nn.Conv2d]:
    """Whether it is a convolution that the library has; a dilated depthwise one has a faster form
    (`iqa_cli.networks.van.depthwise`), and what pads by itself in another way is of another class."""
    return type(module) is ParityPadded or (
        type(module) is nn.Conv2d
        and not isinstance(module.padding, str)
        and module.padding_mode == "zeros"
        and not (module.groups > 1 and module.dilation != (1, 1))
    )


def post_operation(activation: object) -> tuple[str, list[float], str] | None:
    """An activation as the library calls it: name, numbers, algorithm; None where it does not have it."""
    if isinstance(activation, nn.ReLU6):
        return "hardtanh", [0.0, 6.0], ""
    if isinstance(activation, nn.ReLU):
        return "relu", [], ""
    if isinstance(activation, nn.GELU):
        return "gelu", [], activation.approximate
    if isinstance(activation, nn.PReLU) and activation.num_parameters == 1:
        return "leaky_relu", [activation.weight.item()], ""
    return None


def conv_of(weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, groups: int = 1) -> nn.Conv2d:
    """A convolution of these numbers, of a kernel [out, in / groups, h, w]."""
    kernel: Any = tuple(weight.shape[2:])
    made = nn.Conv2d(
        weight.shape[1] * groups, len(weight), kernel, stride, padding, groups=groups, bias=False
    )
    made.weight = nn.Parameter(weight.detach(), requires_grad=False)
    made.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
    return made
