"""The start of a timm backbone, of QFM-IQM or of MFE-Net: published ImageNet weights, from a package or from
a file, or the backbone of a finished weight."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load
from torch import Tensor, nn

from iqa_cli.errors import WeightsError
from iqa_cli.networks.timm_backbone import Backbone
from iqa_cli.tensorfile import read_file, read_header
from iqa_cli.text import one_line, printable
from iqa_cli.training.config import PACKAGED
from iqa_cli.training.efficientnet import LICENCE, architecture_of, efficientnet_lite
from iqa_cli.training.fields import nearest
from iqa_cli.training.provenance import UNKNOWN
from iqa_cli.training.starts import INT8_STRIDES, file_sha256, load_resnet50_int8
from iqa_cli.weights import CARD_KEY, read_card

_INT8 = ".npz"
#: Networks that have such a backbone -> what timm's names stand behind in their weights.
_PREFIXES = {"qfm-iqm": "encoder.backbone.net.", "mfenet": "qen.net."}
#: Fields of a config that say which backbone it is, and what they are where a config has no such field.
_FIELDS = {"backbone": "", "normalisation": "half", "conv_strides": "torch"}


def network_fields(name_or_path: str | Path) -> dict[str, Any]:
    """The fields of a network's config that a start fixes.

    Args:
        name_or_path: As of `load_backbone`.

    Returns:
        Fields; none of a safetensors file under timm's names, which does not say of which network it is.

    Raises:
        WeightsError: It is a finished weight, and damaged or without such a backbone.
    """
    name = str(name_or_path)
    if name in PACKAGED:
        return {"backbone": architecture_of(name), "normalisation": "half", "conv_strides": "torch"}
    if name.endswith(_INT8):
        return {"backbone": "resnet50", "normalisation": "imagenet", "conv_strides": INT8_STRIDES}
    if is_finished(name):
        card = read_card(Path(name))
        if card.network not in _PREFIXES or not card.config.get("backbone"):
            raise WeightsError(f"{one_line(name)}: has no backbone of timm's that could be taken over")
        return {key: card.config.get(key, default) for key, default in _FIELDS.items()}
    return {}


def is_finished(name_or_path: str | Path) -> bool:
    """Whether a start is a finished weight, with a card.

    Raises:
        WeightsError: It is a file that is damaged.
    """
    path = Path(name_or_path)
    named = str(name_or_path).endswith(".safetensors") and path.is_file()
    return named and CARD_KEY in read_header(path).metadata


def load_backbone(backbone: Backbone, config: Any, name_or_path: str | Path) -> dict[str, Any]:
    """Fill the backbone of a network.

    Args:
        backbone: What lies before its cut is filled.
        config: Of the network; says which backbone it is.
        name_or_path: "lite0", "lite1" or "lite2" for EfficientNet-Lite of an installed package; an .npz file
            with an int8 ResNet-50 (`load_resnet50_int8`); a .safetensors file under timm's names, such as
            a user has of `deit3_small_patch16_224`; or a finished weight of a QFM-IQM or of an MFE-Net that
            has such a backbone.

    Returns:
        The entry of the card's `starting_points`.

    Raises:
        WeightsError: The package is not installed; the file is missing, damaged or of another network; or the
            network's config does not fit the weights. `backbone` is as it was.
    """
    name = str(name_or_path)
    if name in PACKAGED:
        _check_config(config, name, network_fields(name))
        return _load_packaged(backbone, config, name)
    path = Path(name_or_path)
    if name.endswith(_INT8):
        _check_config(config, one_line(path), network_fields(name))
        whole: Any = timm.create_model("resnet50", pretrained=False, num_classes=0)
        load_resnet50_int8(whole, path)
        _fill(backbone, config, whole.state_dict(), one_line(path))
        what = f"ImageNet ResNet-50, {INT8_STRIDES}-style strides, int8, batch norms folded"
    elif name.endswith(".safetensors"):
        _check_config(config, one_line(path), network_fields(name))
        _fill(backbone, config, _own_names(load(bytes(read_file(path)[1]))), one_line(path))
        what = f"weights of timm's {config.backbone}"
    else:
        raise WeightsError(
            f"there is no backbone {one_line(name)!r}",
            hint=f"{nearest(name, PACKAGED)}; or an .npz or .safetensors file",
        )
    point = {"branch": "backbone", "weights": printable(path.name), "sha256": file_sha256(path), "what": what}
    return {**point, "origin": UNKNOWN, "licence": "not documented"}


def _own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a backbone under timm's names, of a finished weight or as they are."""
    for prefix in _PREFIXES.values():
        inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if inside:
            return inside
    return state


def _load_packaged(backbone: Backbone, config: Any, name: str) -> dict[str, Any]:
    packaged = efficientnet_lite(name)
    _fill(backbone, config, packaged.state, packaged.package)
    return {
        "branch": "backbone",
        "weights": printable(packaged.path.name),
        "sha256": file_sha256(packaged.path),
        "what": f"ImageNet EfficientNet-{name.title()}",
        "origin": {"package": packaged.package, "version": metadata.version(packaged.package)},
        "licence": f"{packaged.package}, {LICENCE}",
    }


def contradicted(config: Any, needed: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Field -> what a network's config says and what a start needs, where they differ."""
    said = {key: getattr(config, key, _FIELDS[key]) for key in needed}
    return {key: (said[key], value) for key, value in needed.items() if said[key] != value}


def _check_config(config: Any, start: str, needed: dict[str, Any]) -> None:
    wrong = contradicted(config, needed)
    if wrong:
        have = ", ".join(f"{key}={said}" for key, (said, _) in wrong.items())
        raise WeightsError(
            f"{start} does not fit this network ({have})",
            hint=" ".join(f"--net {key}={value}" for key, (_, value) in wrong.items()),
        )


def _fill(backbone: Backbone, config: Any, state: dict[str, Tensor], where: str) -> None:
    """Fill the backbone from a whole network's state; what lies behind the cut, and a classifier, is left."""
    net: nn.Module = backbone.net
    wanted = net.state_dict()
    for key, value in wanted.items():
        if key not in state:
            raise WeightsError(
                f"{where}: is no {config.backbone}: it lacks {one_line(key)}",
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
