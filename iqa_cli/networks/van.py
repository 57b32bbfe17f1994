"""VAN, the Visual Attention Network: backbone of MFE-Net's quality estimation branch (QEN).

Source: Guo et al., "Visual Attention Network", arXiv 2202.09741 (published code: Apache-2.0). Written from
the paper's equations; parameter names follow the published checkpoints, so a `van_b*.pth` converted to
safetensors loads unchanged.

    LKA(x)  = x * Conv1x1(DW7x7 dilation 3 (DW5x5 (x)))                     large kernel attention
    Attn(x) = x + Conv1x1(LKA(GELU(Conv1x1(x))))
    Block   : x = x + s1 * Attn(BN x);  x = x + s2 * MLP(BN x)               s1, s2: layer scale per channel
    MLP     = Conv1x1 -> DW3x3 -> GELU -> Conv1x1

A stage is a patch embedding (7x7 stride 4, later 3x3 stride 2, each with BN), its blocks and a closing
LayerNorm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class VANSize:
    """Widths, depths and MLP ratios of the four stages."""

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    mlp_ratios: tuple[int, int, int, int] = (8, 8, 4, 4)


#: B0 to B3 are the published sizes; "tiny" is ours, for tests and dry runs.
VAN_SIZES: Mapping[str, VANSize] = {
    "b0": VANSize((32, 64, 160, 256), (3, 3, 5, 2)),
    "b1": VANSize((64, 128, 320, 512), (2, 2, 4, 2)),
    "b2": VANSize((64, 128, 320, 512), (3, 3, 12, 3)),
    "b3": VANSize((64, 128, 320, 512), (3, 5, 27, 3)),
    "tiny": VANSize((8, 16, 24, 32), (1, 1, 1, 1), (2, 2, 2, 2)),
}


class DWConv(nn.Module):
    """Depthwise 3x3 of the MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return depthwise(x, self.dwconv)


class MLP(nn.Module):
    """Conv1x1 -> DW3x3 -> GELU -> Conv1x1, [N, C, H, W] to [N, C, H, W]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, hidden, 1)
        self.dwconv = DWConv(hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.dwconv(self.fc1(x))))


class LKA(nn.Module):
    """Large kernel attention: the input gated by a 21x21-equivalent decomposed convolution of itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.conv_spatial = nn.Conv2d(width, width, 7, padding=9, dilation=3, groups=width)
        self.conv1 = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv1(depthwise(depthwise(x, self.conv0), self.conv_spatial))


def depthwise(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """The same depthwise convolution, [N, C, H, W] to the same shape, in the form that is fast on a CPU.

    Two facts of CPU libraries, measured on two AVX-512 cores: the gradient of a depthwise weight takes five
    times as long in bfloat16 as in float32; and a dilated depthwise convolution six times as long as the d x
    d plain ones it consists of, each over every d-th pixel.
    """
    if x.device.type != "cpu" or torch.compiler.is_exporting():
        return conv(x)
    if torch.is_autocast_enabled("cpu") and torch.is_grad_enabled():
        with torch.autocast("cpu", enabled=False):
            return depthwise(x.float(), conv)
    if conv.dilation[0] == 1:
        return conv(x)
    n, c, h, w = x.shape
    d, k = conv.dilation[0], conv.kernel_size[0]
    rows, columns = -(-h // d), -(-w // d)
    # Zeros up to a multiple of d are what the convolution's own padding would read there.
    y = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, columns * d - w, 0, rows * d - h))
    y = y.reshape(n, rows, d, columns, d, c).permute(2, 4, 0, 1, 3, 5).reshape(d * d * n, rows, columns, c)
    y = F.conv2d(y.permute(0, 3, 1, 2), conv.weight, conv.bias, padding=k // 2, groups=c).permute(0, 2, 3, 1)
    y = y.reshape(d, d, n, rows, columns, c).permute(2, 3, 0, 4, 1, 5).reshape(n, rows * d, columns * d, c)
    return y[:, :h, :w].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


class SpatialAttention(nn.Module):
    """x + Conv1x1(LKA(GELU(Conv1x1(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj_1 = nn.Conv2d(width, width, 1)
        self.activation = nn.GELU()
        self.spatial_gating_unit = LKA(width)
        self.proj_2 = nn.Conv2d(width, width, 1)

    def added(self, x: Tensor) -> Tensor:
        """What is added to x."""
        return self.proj_2(self.spatial_gating_unit(self.activation(self.proj_1(x))))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.added(x)


class Block(nn.Module):
    """One VAN block with layer scale (1e-2 at the start).

    Folded, for evaluation, norms and layer scales are in the convolutions beside them. With n(x) = s x + t
    the first batch norm, and P what the attention adds to its input:

        x + l1 (n(x) + P(n(x)))  =  (1 + l1 s) x + [l1 P(n(x)) + l1 t]
    """

    #: 1 + l1 s of a folded block, [C, 1, 1].
    shortcut: Tensor | None

    def __init__(self, width: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width)
        self.attn = SpatialAttention(width)
        self.norm2 = nn.BatchNorm2d(width)
        self.mlp = MLP(width, width * mlp_ratio)
        self.layer_scale_1 = nn.Parameter(torch.full((width,), 1e-2))
        self.layer_scale_2 = nn.Parameter(torch.full((width,), 1e-2))
        self.register_buffer("shortcut", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.shortcut is not None:
            x = torch.addcmul(self.attn.added(x), self.shortcut, x)
            return x + self.mlp(x)
        x = x + self.layer_scale_1[:, None, None] * self.attn(self.norm1(x))
        return x + self.layer_scale_2[:, None, None] * self.mlp(self.norm2(x))

    @torch.no_grad()
    def fold(self) -> None:
        """Take norms and layer scales into the convolutions; the same function up to float32 rounding."""
        if self.shortcut is not None:
            return
        scale, shift = _take_norm(self.norm1, self.attn.proj_1)
        _take_norm(self.norm2, self.mlp.fc1)
        for conv, factor in ((self.attn.proj_2, self.layer_scale_1), (self.mlp.fc2, self.layer_scale_2)):
            assert conv.bias is not None
            conv.weight *= factor[:, None, None, None]
            conv.bias *= factor
        assert self.attn.proj_2.bias is not None
        self.attn.proj_2.bias += self.layer_scale_1 * shift
        self.shortcut = (1 + self.layer_scale_1 * scale)[:, None, None]


def _take_norm(norm: nn.BatchNorm2d, conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Let conv, 1x1 without padding, do what conv(norm(x)) did; what norm multiplies by and adds, [C]."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    assert conv.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    conv.bias += conv.weight[:, :, 0, 0] @ shift
    conv.weight *= scale[None, :, None, None]
    return scale, shift


class PatchEmbed(nn.Module):
    """Overlapping patch embedding: a strided convolution and BN."""

    def __init__(self, kernel: int, stride: int, in_channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, width, kernel, stride=stride, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.proj(x))


class VAN(nn.Module):
    """The four-stage backbone.

    Args:
        size: A key of `VAN_SIZES`.
        num_classes: Classes of the linear head; 0 leaves the head out, as in the QEN.
    """

    def __init__(self, size: str = "b0", num_classes: int = 0) -> None:
        super().__init__()
        spec = VAN_SIZES[size]
        self.widths = spec.widths
        self._frozen = 0
        previous = 3
        for i, (width, depth, ratio) in enumerate(
            zip(spec.widths, spec.depths, spec.mlp_ratios, strict=True), 1
        ):
            kernel, stride = (7, 4) if i == 1 else (3, 2)
            setattr(self, f"patch_embed{i}", PatchEmbed(kernel, stride, previous, width))
            setattr(self, f"block{i}", nn.ModuleList(Block(width, ratio) for _ in range(depth)))
            setattr(self, f"norm{i}", nn.LayerNorm(width, eps=1e-6))
            previous = width
        if num_classes:
            self.head = nn.Linear(previous, num_classes)
        self.apply(_initialise)

    def freeze(self, stages: int) -> None:
        """Keep the first stages as they are: no gradient, batch norms in evaluation mode.

        Args:
            stages: 0 to 4.

        Raises:
            ValueError: Another number.
        """
        if not 0 <= stages <= 4:
            raise ValueError(f"a VAN has 4 stages, of which {stages} cannot be frozen")
        self._frozen = stages
        for module in self._frozen_modules():
            module.requires_grad_(False).eval()

    def stage_modules(self, stage: int) -> list[nn.Module]:
        """Patch embedding, blocks and closing norm of a stage, 1 to 4."""
        return [getattr(self, f"{part}{stage}") for part in ("patch_embed", "block", "norm")]

    def _frozen_modules(self) -> list[nn.Module]:
        return [module for i in range(1, self._frozen + 1) for module in self.stage_modules(i)]

    def train(self, mode: bool = True) -> VAN:
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def stages(self, x: Tensor) -> list[Tensor]:
        """Stage maps F1 to F4.

        Args:
            x: Normalised RGB, [N, 3, H, W].

        Returns:
            Four maps [N, width_i, ceil(H / s), ceil(W / s)] with s = 4, 8, 16, 32.
        """
        maps = []
        for i in range(1, 5):
            x = getattr(self, f"patch_embed{i}")(x)
            for block in getattr(self, f"block{i}"):
                x = block(x)
            x = getattr(self, f"norm{i}")(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [N, num_classes], or the pooled last stage [N, C] where there is no head."""
        pooled = self.stages(x)[-1].mean((2, 3))
        return self.head(pooled) if hasattr(self, "head") else pooled


def _initialise(module: nn.Module) -> None:
    """Fan-out normal for convolutions, truncated normal for linear layers, as VAN was trained."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
