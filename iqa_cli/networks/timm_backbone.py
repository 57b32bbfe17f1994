"""Any timm network with spatial features as a backbone, cut behind a stage, under timm's own parameter names
so that published weights load unchanged. Those of `efficientnet_lite` are built without timm, which is
imported for the others only.

Licence of this file: that of the project; the networks are timm's (Apache-2.0).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.dan import use_caffe_strides
from iqa_cli.networks.efficientnet_lite import LITES, EfficientNetLite
from iqa_cli.networks.points import skip_before_points
from iqa_cli.networks.unfilled import on_no_device

#: Stages that rates and freezing count, as MFE-Net's: they end at strides 4, 8, 16, 32.
STAGES = 4


@dataclass(frozen=True)
class Layout:
    """What a backbone offers.

    Attributes:
        kind: "maps" for a pyramid of feature maps, "tokens" for a plain ViT.
        strides: Pixels between neighbouring features, finest first; one for a ViT.
        widths: Channels at these strides.
        places: Their positions in timm's list of features; none for a ViT.
        modules: Names of the modules behind which stages 1 to 3 end.
        bottlenecks: Whether it is a ResNet of bottlenecks, whose strides can be moved.
    """

    kind: Literal["maps", "tokens"]
    strides: tuple[int, ...]
    widths: tuple[int, ...]
    places: tuple[int, ...]
    modules: tuple[str, ...]
    bottlenecks: bool = False


@lru_cache(maxsize=32)
def layout_of(name: str) -> Layout:
    """The layout of a timm network, found without memory for it and without a random number.

    Args:
        name: One of `timm.list_models()`. Names that timm would fetch from somewhere are refused.

    Raises:
        ValueError: There is no such network, or it does not take pictures of any size.
    """
    if name not in LITES:
        _check_name(name)
    with torch.random.fork_rng(devices=[]), on_no_device():
        try:
            return _read_layout(_create(name))
        except (RuntimeError, TypeError, ValueError, AttributeError, KeyError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"backbone {name!r} cannot serve here: {reason[:120]}") from None


class Backbone(nn.Module):
    """A timm network that gives a class token, where it has one, and one or more grids of tokens.

    Args:
        name: Name in timm; random weights.
        stride: Pixels between tokens of the deepest grid; what lies behind is cut off. 0 for the deepest.
        levels: Number of grids: that one, and those of the stages before it.
        caffe: Whether a ResNet of bottlenecks halves the resolution in the 1x1 of a stage's first block, as
            some ImageNet weights need it; see `iqa_cli.networks.dan.DAN`.

    Raises:
        ValueError: As `check_cut`.
    """

    net: Any

    def __init__(self, name: str, stride: int = 0, levels: int = 1, caffe: bool = False) -> None:
        super().__init__()
        self.layout = layout_of(name)
        self.levels = check_cut(name, stride, levels)
        net: Any = _create(name)
        if caffe:
            use_caffe_strides(_first_blocks(net))
        self.places = [self.layout.places[i] for i in self.levels] if self.layout.places else []
        if self.places:
            net.prune_intermediate_layers(indices=self.places, prune_norm=True, prune_head=True)
        skip_before_points(net)
        self.net = net
        self.widths = tuple(self.layout.widths[i] for i in self.levels)
        self._frozen = 0

    def forward(self, x: Tensor) -> tuple[Tensor | None, list[Tensor]]:
        """Tokens of normalised RGB [N, 3, H, W].

        Returns:
            The class token [N, C], None where the network has none; and the grids, finest first, each
            [N, T_i, C_i], row by row.
        """
        return _features(self.net, self.layout, self.places, x)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The grids of normalised RGB [N, 3, H, W] as maps [N, C_i, ceil(H / s_i), ceil(W / s_i)], finest
        first.

        Raises:
            ValueError: The network is a ViT, which has no pyramid.
        """
        if not self.places:
            raise ValueError("a plain ViT has no pyramid of maps")
        return _maps(self.net, self.places, x)

    def stage_modules(self, stage: int) -> list[nn.Module]:
        """The parts of a stage, 1 to 4, in their order; the last has all behind the third."""
        names, ends = list(_units(self.net)), self.layout.modules
        first = _end(names, ends[stage - 2]) if stage > 1 else 0
        last = _end(names, ends[stage - 1]) if stage < STAGES else len(names)
        return [self.net.get_submodule(name) for name in names[first:last]]

    def freeze(self, stages: int) -> None:
        """Keep the first stages as they are: no gradient, batch norms in evaluation mode.

        Args:
            stages: 0 to 4.

        Raises:
            ValueError: Another number.
        """
        if not 0 <= stages <= STAGES:
            raise ValueError(f"a backbone has {STAGES} stages, of which {stages} cannot be frozen")
        self._frozen = stages
        for module in self._frozen_modules():
            module.requires_grad_(False).eval()
        if stages:  # class token and positions of a ViT, which belong to no module of a stage
            for parameter in self.net.parameters(recurse=False):
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def _frozen_modules(self) -> list[nn.Module]:
        return [module for i in range(1, self._frozen + 1) for module in self.stage_modules(i)]


def check_cut(name: str, stride: int, levels: int) -> list[int]:
    """Positions in the backbone's layout of the grids that are read, finest first.

    Raises:
        ValueError: As `layout_of`; or the backbone has no such stride, or not so many grids up to it.
    """
    strides = layout_of(name).strides
    if stride and stride not in strides:
        raise ValueError(f"stride of {name} must be one of {', '.join(map(str, strides))}, not {stride!r}")
    last = strides.index(stride) if stride else len(strides) - 1
    if not 1 <= levels <= last + 1:
        raise ValueError(f"levels must be 1 to {last + 1} with this backbone and stride, not {levels!r}")
    return list(range(last + 1 - levels, last + 1))


def _check_name(name: str) -> None:
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=1)
        raise ValueError(
            f"backbone {name!r} is no network of timm" + (f"; did you mean {near[0]}?" if near else "")
        )


def _create(name: str) -> nn.Module:
    if name in LITES:
        return EfficientNetLite(name)
    import timm

    facts: Any = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if not facts.fixed_input_size:
        return timm.create_model(name, pretrained=False, num_classes=0)
    try:  # a ViT resamples its positions when it is told to
        return timm.create_model(name, pretrained=False, num_classes=0, dynamic_img_size=True)
    except TypeError:
        raise ValueError("it takes pictures of one size only") from None


def _read_layout(net: Any) -> Layout:
    # Older timm has dictionaries here, newer a class; both can be gone through.
    info = [dict(entry) for entry in net.feature_info]
    if hasattr(net, "num_prefix_tokens"):
        from timm.layers import PatchEmbed

        if not isinstance(net.patch_embed, PatchEmbed):
            raise ValueError("its patches are not cut from the picture itself")
        quarters = [info[len(info) * stage // STAGES - 1]["module"] for stage in range(1, STAGES)]
        return Layout("tokens", (info[-1]["reduction"],), (net.num_features,), (), tuple(quarters))
    if not hasattr(net, "forward_intermediates"):
        raise ValueError("timm offers no feature maps of it")
    if net.pretrained_cfg.get("fixed_input_size"):
        raise ValueError("it takes pictures of one size only")
    # Of several features at one stride the last.
    by_stride = {entry["reduction"]: place for place, entry in enumerate(info)}
    strides = tuple(sorted(by_stride))
    places = tuple(by_stride[stride] for stride in strides)
    ends = []
    for stage in range(1, STAGES):
        inside = [place for stride, place in by_stride.items() if stride <= 2 ** (stage + 1)]
        ends.append(info[max(inside)]["module"] if inside else "")
    widths = tuple(info[place]["num_chs"] for place in places)
    return Layout("maps", strides, widths, places, tuple(ends), bool(_first_blocks(net)))


def _features(
    net: Any, layout: Layout, places: list[int] | tuple[int, ...], x: Tensor
) -> tuple[Tensor | None, list[Tensor]]:
    if layout.kind == "maps":
        return None, [m.flatten(2).transpose(1, 2) for m in _maps(net, places, x)]
    patch = net.patch_embed.patch_size
    # A ViT sees whole patches only; what is missing of the last ones repeats the border.
    short = [-side % step for side, step in zip(x.shape[2:], patch, strict=True)]
    if any(short):
        x = F.pad(x, (0, short[1], 0, short[0]), mode="replicate")
    tokens = net.forward_features(x)
    first = tokens[:, 0] if getattr(net, "cls_token", None) is not None else None
    return first, [tokens[:, net.num_prefix_tokens :]]


def _maps(net: Any, places: list[int] | tuple[int, ...], x: Tensor) -> list[Tensor]:
    maps: list[Tensor] = net.forward_intermediates(
        x, indices=list(places), output_fmt="NCHW", intermediates_only=True, stop_early=True
    )
    return maps


def _first_blocks(net: Any) -> list[Any]:
    """The first bottlenecks of stages 2 to 4, none where the network is no ResNet of bottlenecks."""
    layers = [getattr(net, layer, None) for layer in ("layer2", "layer3", "layer4")]
    blocks = [layer[0] for layer in layers if isinstance(layer, nn.Sequential) and len(layer)]
    if len(blocks) < 3:
        return []
    from timm.models.resnet import Bottleneck

    return blocks if all(isinstance(block, Bottleneck) for block in blocks) else []


def _units(net: nn.Module, prefix: str = "") -> list[str]:
    """Names of the parts in the order in which they are registered, which is that of computation; plain
    containers are gone into."""
    names: list[str] = []
    for name, child in net.named_children():
        whole = f"{prefix}{name}"
        inside = isinstance(child, nn.Sequential | nn.ModuleList)
        names += _units(child, f"{whole}.") if inside else [whole]
    return names


def _end(names: list[str], module: str) -> int:
    """Number of parts up to the end of a module, 0 where it has none."""
    same = [
        i
        for i, name in enumerate(names)
        if f"{name}.".startswith(f"{module}.") or module.startswith(f"{name}.")
    ]
    return same[-1] + 1 if module and same else 0
