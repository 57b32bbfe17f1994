"""The start of QFM-IQM's backbone: published ImageNet weights, from a package or from a file."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load
from torch import Tensor, nn

from iqa_cli.errors import WeightsError
from iqa_cli.networks.qfm_iqm import QFMIQM
from iqa_cli.tensorfile import read_file
from iqa_cli.text import one_line, printable
from iqa_cli.training.efficientnet import PACKAGED, architecture_of, efficientnet_lite
from iqa_cli.training.fields import nearest
from iqa_cli.training.provenance import UNKNOWN
from iqa_cli.training.starts import INT8_STRIDES, file_sha256, load_resnet50_int8

_INT8 = ".npz"


def network_fields(name_or_path: str | Path) -> dict[str, Any]:
    """The fields of a QFM-IQM's config that a start fixes.

    Args:
        name_or_path: As of `load_backbone`.

    Returns:
        Fields; of a safetensors file none, which does not say of which network it is.
    """
    name = str(name_or_path)
    if name in PACKAGED:
        return {"backbone": architecture_of(name), "normalisation": "half", "conv_strides": "torch"}
    if name.endswith(_INT8):
        return {"backbone": "resnet50", "normalisation": "imagenet", "conv_strides": INT8_STRIDES}
    return {}


def load_backbone(module: QFMIQM, name_or_path: str | Path) -> dict[str, Any]:
    """Fill the backbone of a QFM-IQM.

    Args:
        module: The network; of the backbone only what lies before its cut is filled.
        name_or_path: "lite0", "lite1" or "lite2" for EfficientNet-Lite of an installed package; an .npz file
            with an int8 ResNet-50 (`load_resnet50_int8`); or a .safetensors file under timm's names, such as
            a user has of `deit3_small_patch16_224`.

    Returns:
        The entry of the card's `starting_points`.

    Raises:
        WeightsError: The package is not installed; the file is missing, damaged or of another network; or the
            network's config does not fit the weights. `module` is as it was.
    """
    name = str(name_or_path)
    if name in PACKAGED:
        _check_config(module, name, network_fields(name))
        return _load_packaged(module, name)
    path = Path(name_or_path)
    if name.endswith(_INT8):
        _check_config(module, one_line(path), network_fields(name))
        whole: Any = timm.create_model("resnet50", pretrained=False, num_classes=0)
        load_resnet50_int8(whole, path)
        _fill(module, whole.state_dict(), one_line(path))
        what = f"ImageNet ResNet-50, {INT8_STRIDES}-style strides, int8, batch norms folded"
    elif name.endswith(".safetensors"):
        _fill(module, load(bytes(read_file(path)[1])), one_line(path))
        what = f"weights of timm's {module.config.backbone}"
    else:
        raise WeightsError(
            f"there is no backbone {one_line(name)!r}",
            hint=f"{nearest(name, PACKAGED)}; or an .npz or .safetensors file",
        )
    point = {"branch": "backbone", "weights": printable(path.name), "sha256": file_sha256(path), "what": what}
    return {**point, "origin": UNKNOWN, "licence": "not documented"}


def _load_packaged(module: QFMIQM, name: str) -> dict[str, Any]:
    packaged = efficientnet_lite(name)
    _fill(module, packaged.state, packaged.package)
    return {
        "branch": "backbone",
        "weights": printable(packaged.path.name),
        "sha256": file_sha256(packaged.path),
        "what": f"ImageNet EfficientNet-{name.title()}",
        "origin": {"package": packaged.package, "version": metadata.version(packaged.package)},
        "licence": f"{packaged.package}, Apache-2.0",
    }


def _check_config(module: QFMIQM, start: str, needed: dict[str, Any]) -> None:
    wrong = {k: v for k, v in needed.items() if getattr(module.config, k) != v}
    if wrong:
        have = ", ".join(f"{key}={getattr(module.config, key)}" for key in wrong)
        raise WeightsError(
            f"{start} does not fit this network ({have})",
            hint=" ".join(f"--net {key}={value}" for key, value in wrong.items()),
        )


def _fill(module: QFMIQM, state: dict[str, Tensor], where: str) -> None:
    """Fill the backbone from a whole network's state; what lies behind the cut, and a classifier, is left."""
    net: nn.Module = module.encoder.backbone.net
    wanted = net.state_dict()
    for key, value in wanted.items():
        if key not in state:
            raise WeightsError(
                f"{where}: is no {module.config.backbone}: it lacks {one_line(key)}",
                hint="the network is --net backbone=NAME, as timm calls it",
            )
        if state[key].shape != value.shape:
            raise WeightsError(
                f"{where}: other shape of {one_line(key)}: {list(state[key].shape)} for {list(value.shape)}",
                hint="the network is --net backbone=NAME, as timm calls it",
            )
        if not torch.isfinite(state[key]).all():
            raise WeightsError(f"{where}: {one_line(key)} is not finite")
    net.load_state_dict({key: state[key].to(value.dtype) for key, value in wanted.items()})
