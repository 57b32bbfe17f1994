"""The starts of VCRNet: the restoration network that `iqa pretrain vcrnet-restoration` writes, and the
ImageNet weights of EfficientNet-Lite0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from iqa_cli.errors import WeightsError
from iqa_cli.finding import find_weights
from iqa_cli.networks.folding import fold_batchnorms
from iqa_cli.networks.vcrnet import VCRNet
from iqa_cli.networks.vcrnet_quality import Trunk
from iqa_cli.networks.vcrnet_restoration import RESTORATION_WIDTHS, RestorationNet
from iqa_cli.tensorfile import read_file, read_header
from iqa_cli.text import one_line
from iqa_cli.training.checkpoint import save_start
from iqa_cli.training.efficientnet import efficientnet_lite
from iqa_cli.training.provenance import RECIPE_KEY, read_recipe
from iqa_cli.weights import load_network

#: Metadata that says of what shape a restoration network is.
SHAPE_KEY = "iqa_restoration"
_REMAKE = "make it with iqa pretrain vcrnet-restoration"


def save_restoration(path: Path, module: RestorationNet, recipe: dict[str, Any] | None) -> None:
    """Write a restoration network as a start, with the recipe where there is one.

    Raises:
        WeightsError: It cannot be written.
    """
    tensors = {name: value.cpu().contiguous() for name, value in module.state_dict().items()}
    shape = json.dumps({"net": module.size, "residual": module.residual}, sort_keys=True)
    save_start(
        path,
        tensors,
        {SHAPE_KEY: shape, **({RECIPE_KEY: json.dumps(recipe, sort_keys=True)} if recipe else {})},
    )


def read_restoration_shape(path: Path) -> dict[str, Any] | None:
    """Arguments of the `RestorationNet` that fits a start, {"size": ..., "residual": ...}; None where the
    file is no such start.

    Raises:
        WeightsError: The file is missing or damaged, or says nonsense.
    """
    text = read_header(path).metadata.get(SHAPE_KEY)
    if text is None:
        return None
    try:
        shape = json.loads(text)
        size, residual = shape["net"], shape["residual"]
        if size not in RESTORATION_WIDTHS or not isinstance(residual, bool):
            raise ValueError("unknown shape")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{one_line(path)}: is no start of a restoration network: {one_line(str(error))}", hint=_REMAKE
        ) from None
    return {"size": size, "residual": residual}


def load_restoration(module: RestorationNet, path: Path) -> dict[str, Any]:
    """Fill a restoration network from a start.

    Args:
        module: Of the file's shape.
        path: A `restoration.safetensors` of `iqa pretrain vcrnet-restoration`, or what `iqa convert vcrnet`
            made of a published checkpoint of the restoration network.

    Returns:
        The file's recipe; {} where it carries none, as a converted one.

    Raises:
        WeightsError: The file is missing, damaged, or of another network; `module` is as it was.
    """
    shape = read_restoration_shape(path)
    if shape is None:
        raise WeightsError(
            f"{one_line(path)}: is no start of a restoration network (no {SHAPE_KEY})", hint=_REMAKE
        )
    if shape != {"size": module.size, "residual": module.residual}:
        flag = str(shape["residual"]).lower()
        raise WeightsError(
            f"{one_line(path)}: holds another restoration network than this VCRNet has",
            hint=f"--net restoration={shape['size']} --net residual={flag}",
        )
    state = module.state_dict()
    held = read_header(path).tensors
    _same_shapes(path, {n: t.shape for n, t in held.items()}, {n: tuple(v.shape) for n, v in state.items()})
    values = load(bytes(read_file(path)[1]))
    for name, value in values.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{one_line(path)}: {one_line(name)} is not finite", hint=_REMAKE)
    module.load_state_dict({name: value.to(state[name].dtype) for name, value in values.items()})
    return read_recipe(path) or {}


def load_restorer(name: str) -> tuple[RestorationNet, str]:
    """The restoration network of a weight of VCRNet or of a start, ready for evaluation on the CPU.

    Args:
        name: Name or file of a weight, or a `restoration.safetensors` of `iqa pretrain vcrnet-restoration`.

    Returns:
        The network, and what the file is called.

    Raises:
        WeightsError: The file is missing, damaged, or holds no restoration network.
    """
    path = find_weights(name)
    shape = read_restoration_shape(path)
    if shape is not None:
        network = RestorationNet(**shape)
        load_restoration(network, path)
    else:
        whole = load_network(path)[1]
        if not isinstance(whole, VCRNet):
            raise WeightsError(
                f"{one_line(path)}: holds no restoration network",
                hint="a weight of VCRNet has one, and iqa pretrain vcrnet-restoration makes one",
            )
        network = whole.restoration
    return fold_batchnorms(network.eval()).requires_grad_(False), path.name


def load_lite0_trunk(module: Trunk) -> None:
    """Fill a trunk of the kind "lite0" with the ImageNet weights of EfficientNet-Lite0.

    Raises:
        ValueError: The trunk is of another kind.
        WeightsError: As `efficientnet_lite`.
    """
    if module.spec.timm_name != "tf_efficientnet_lite0":
        raise ValueError(f"a trunk of the kind {module.spec.timm_name} has no such weights")
    published = efficientnet_lite("lite0").state
    wanted = module.net.state_dict()
    module.net.load_state_dict({name: value for name, value in published.items() if name in wanted})


def _same_shapes(path: Path, held: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]) -> None:
    if held == wanted:
        return
    odd = sorted(set(held) ^ set(wanted)) or [name for name in wanted if held[name] != wanted[name]]
    what = "lacks" if odd[0] not in held else "has too much:" if odd[0] not in wanted else "other shape of"
    raise WeightsError(f"{one_line(path)}: {what} {one_line(odd[0])}", hint=_REMAKE)
