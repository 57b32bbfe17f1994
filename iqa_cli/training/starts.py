"""Starting points: published ImageNet weights that the branches of a network begin training from.

None of them is part of the product; training is told where they are, and the card of the result names them
(`provenance.py`).
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import nn

from iqa_cli.checksums import open_regular
from iqa_cli.errors import WeightsError
from iqa_cli.networks.van import VAN
from iqa_cli.tensorfile import read_file, read_header
from iqa_cli.text import one_line
from iqa_cli.training.efficientnet import efficientnet_lite

#: Strides that the int8 archive's weights were trained with; see `DAN`.
INT8_STRIDES = "caffe"
_INT8_PARTS = ("q", "log2s", "b")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        WeightsError: It is missing, no regular file or cannot be read.
    """
    digest = hashlib.sha256()
    with open_regular(path) as (file, _):
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def load_resnet50_int8(resnet: nn.Module, path: Path) -> None:
    """Fill a ResNet-50 from an int8 archive with folded batch norms.

    The archive holds, per convolution NAME, `NAME.q` (int8 weight), `NAME.log2s` (weight = q * 2**log2s) and
    `NAME.b` (the bias the folded BN left). Each BN becomes the identity plus that bias, so that the output
    is the archive's.

    Args:
        resnet: Under the names of torchvision and timm, its strides already `INT8_STRIDES`. A classifier, if
            it has one, is filled too.
        path: The `.npz` file; read without pickle.

    Raises:
        WeightsError: The file is missing, unreadable, of another network, or lacks a part of it; `resnet` is
            as it was.
    """
    arrays = _read_npz(path)
    state = resnet.state_dict()
    filled: dict[str, torch.Tensor] = {}
    names = {key.rpartition(".")[0] for key in arrays}
    try:
        for name in names:
            q, log2s, b = (arrays[f"{name}.{part}"] for part in _INT8_PARTS)
            if q.dtype != np.int8 or b.dtype.kind != "f" or log2s.size != 1 or not np.isfinite(b).all():
                raise ValueError(f"{name} is not an int8 weight with its exponent and bias")
            weight = torch.from_numpy(q.astype(np.float32) * 2.0 ** float(log2s))
            bias = torch.from_numpy(b.astype(np.float32))
            if name == "fc":
                if "fc.weight" in state:
                    filled["fc.weight"], filled["fc.bias"] = weight, bias
                continue
            norm = _norm_of(name)
            eps = cast("nn.BatchNorm2d", resnet.get_submodule(norm)).eps
            filled[f"{name}.weight"] = weight
            filled[f"{norm}.running_mean"] = torch.zeros_like(bias)
            filled[f"{norm}.running_var"] = torch.ones_like(bias)
            filled[f"{norm}.weight"] = torch.full_like(bias, math.sqrt(1 + eps))
            filled[f"{norm}.bias"] = bias
        missing = [n for n, m in resnet.named_modules() if isinstance(m, nn.Conv2d) and n not in names]
        if missing:
            raise ValueError(f"lacks {missing[0]} and {len(missing) - 1} more convolutions")
        for key, value in filled.items():
            if key not in state or state[key].shape != value.shape:
                raise ValueError(f"{key} has no place there, or another shape")
        resnet.load_state_dict({**state, **filled})
    except KeyError as error:
        raise _no_resnet(path, f"lacks {error.args[0]}") from None
    except (ValueError, AttributeError, RuntimeError) as error:
        raise _no_resnet(path, str(error)) from None


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    with open_regular(path) as (file, _):
        try:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("is no .npz archive")
            return {name: archive[name] for name in archive.files}
        except Exception as error:  # whatever zipfile, zlib and NumPy happen to raise on damage
            reason = str(error).strip() or type(error).__name__
            raise _no_resnet(path, f"cannot be read ({reason})") from None


def _no_resnet(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{one_line(path)}: is no int8 archive of a whole ResNet-50: {one_line(reason.splitlines()[0])}"
    )


def _norm_of(convolution: str) -> str:
    """timm's name of the BN behind a convolution: conv2 -> bn2, downsample.0 -> downsample.1."""
    head, _, last = convolution.rpartition(".")
    norm = "1" if last == "0" else last.replace("conv", "bn")
    return f"{head}.{norm}" if head else norm


def load_qen(van: VAN, path: Path) -> None:
    """Fill a VAN from a safetensors file under the published names; a classifier in the file is left out.

    Raises:
        WeightsError: The file is missing, damaged, no safetensors, or of another network; `van` is as it
            was.
    """
    wanted = {name: tuple(value.shape) for name, value in van.state_dict().items()}
    held = {n: t.shape for n, t in read_header(path).tensors.items() if not n.startswith("head.")}
    if held != wanted:
        odd = sorted(set(held) ^ set(wanted)) or [n for n in wanted if held[n] != wanted[n]]
        what = (
            "lacks" if odd[0] not in held else "has too much:" if odd[0] not in wanted else "other shape of"
        )
        raise WeightsError(
            f"{one_line(path)}: does not fit this VAN: {what} {one_line(odd[0])}",
            hint="the size of the VAN is `--net van=...` here, and --van where the start was made",
        )
    state = {name: value.float() for name, value in load(bytes(read_file(path)[1])).items() if name in wanted}
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{one_line(path)}: {one_line(name)} is not finite")
    van.load_state_dict({name: value.to(van.state_dict()[name].dtype) for name, value in state.items()})


def efficientnet_maps(kind: str) -> nn.Module:
    """EfficientNet-Lite with its ImageNet weights, as a frozen extractor of five stages (of Lite0 16, 24, 40,
    112 and 320 channels).

    It expects RGB normalised by mean and deviation 0.5.

    Args:
        kind: As of `efficientnet_lite`.

    Raises:
        WeightsError: As `efficientnet_lite`.
    """
    packaged = efficientnet_lite(kind)
    extractor = timm.create_model(packaged.architecture, pretrained=False, features_only=True)
    extractor.load_state_dict(packaged.state, strict=False)
    return extractor.eval().requires_grad_(False)
