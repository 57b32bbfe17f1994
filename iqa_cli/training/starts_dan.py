"""The start of the DAN that `iqa pretrain dan` writes: ResNet-50, heads, and what the file says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load
from torch import nn

from iqa_cli.errors import WeightsError
from iqa_cli.networks.dan import DAN
from iqa_cli.networks.distortion_head import HEAD_LEVELS, DistortionHead
from iqa_cli.tensorfile import read_file, read_header
from iqa_cli.text import one_line
from iqa_cli.training.provenance import RECIPE_KEY

_REMAKE = "make it with iqa pretrain dan"


def read_dan_recipe(path: Path) -> dict[str, Any]:
    """What a start of the DAN says of itself.

    Returns:
        The recipe, as `contrastive_finish.dan_recipe` makes it, with "head" ("stages": "all" or "last").

    Raises:
        WeightsError: The file is missing, damaged, no safetensors, or no start of a DAN.
    """
    text = read_header(path).metadata.get(RECIPE_KEY)
    if text is None:
        raise WeightsError(f"{one_line(path)}: does not say what it is (no {RECIPE_KEY})", hint=_REMAKE)
    try:
        recipe = json.loads(text)
        names, data = recipe["distortions"]["types"], recipe["data"]
        whole = (recipe["distortions"]["levels"], recipe["steps"], data["pristine"], data["pictures"])
        texts = (recipe["what"], recipe["preset"], data["pristine_hash"], *_start(recipe), *names)
        if not names or not all(isinstance(n, int) for n in whole) or not _are_texts(texts):
            raise ValueError("a field is of the wrong type")
        if recipe["strides"] not in ("torch", "caffe") or recipe["head"]["stages"] not in ("all", "last"):
            raise ValueError("unknown strides or stages")
        if whole[0] != HEAD_LEVELS:
            raise ValueError(f"{whole[0]} levels, not {HEAD_LEVELS}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{one_line(path)}: is no start of a DAN: {one_line(str(error))}", hint=_REMAKE
        ) from None
    return cast("dict[str, Any]", recipe)


def network_fields(recipe: dict[str, Any]) -> dict[str, Any]:
    """The fields of an MFE-Net's config that a start of the DAN fixes."""
    return {
        "dan": "contrastive",
        "dan_strides": recipe["strides"],
        "distortions": tuple(recipe["distortions"]["types"]),
        "distortion_stages": recipe["head"]["stages"],
        "distortion_head": "nominal",
    }


def load_dan(dan: DAN, path: Path) -> dict[str, Any]:
    """Fill a DAN from the result of `iqa pretrain dan`; its head too where it has one.

    Args:
        dan: With the strides of the file, and with a `DistortionHead` of its names and stages, or without.
        path: A `dan.safetensors`.

    Returns:
        The file's recipe.

    Raises:
        WeightsError: The file is missing, damaged, or of another network; `dan` is as it was.
    """
    recipe = read_dan_recipe(path)
    if (have := strides_of(dan)) != recipe["strides"]:
        raise WeightsError(
            f"{one_line(path)}: needs {recipe['strides']} strides, and this DAN has {have} ones",
            hint=f"--net dan_strides={recipe['strides']}",
        )
    head = getattr(dan, "head", None)
    parts: dict[str, nn.Module] = {"": dan.resnet}
    if head is not None:
        _check_head(head, recipe, path)
        parts["head."] = head
    wanted = {f"{prefix}{key}": v for prefix, part in parts.items() for key, v in part.state_dict().items()}
    held = read_header(path).tensors
    for name, value in wanted.items():
        if name not in held:
            raise WeightsError(f"{one_line(path)}: lacks {name}", hint=_REMAKE)
        if held[name].shape != tuple(value.shape):
            raise WeightsError(f"{one_line(path)}: other shape of {name}", hint=_REMAKE)
    values = load(bytes(read_file(path)[1]))
    for name in wanted:
        if not torch.isfinite(values[name]).all():
            raise WeightsError(f"{one_line(path)}: {name} is not finite", hint=_REMAKE)
    for prefix, part in parts.items():
        part.load_state_dict({key: values[prefix + key].to(v.dtype) for key, v in part.state_dict().items()})
    return recipe


def strides_of(dan: DAN) -> str:
    """Where a DAN halves the resolution: "caffe" or "torch"; see `DAN`."""
    first = cast("nn.Conv2d", dan.resnet.get_submodule("layer2.0.conv1"))
    return "caffe" if first.stride == (2, 2) else "torch"


def _check_head(head: DistortionHead, recipe: dict[str, Any], path: Path) -> None:
    if head.names != tuple(recipe["distortions"]["types"]) or head.stages != recipe["head"]["stages"]:
        raise WeightsError(
            f"{one_line(path)}: its head names other distortions, or reads other stages, than this network's"
        )


def _start(recipe: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(recipe["teacher"][key] for key in ("network", "file", "sha256", "origin", "licence"))


def _are_texts(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, str) for value in values)
