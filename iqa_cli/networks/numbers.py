"""Numbers that all networks share: what their input is normalised by, and where they compute in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

#: Channel means and deviations of ImageNet; applied inside the networks.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
#: Standardised features of a crop end here: one that is clipped all over is far outside of what was fitted.
CUT_OFF = 6.0
#: Channel means and deviations that the weights of timm's networks expect.
NORMALISATIONS = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
}


def register_channels(module: nn.Module, **constants: tuple[float, ...]) -> None:
    """Give a module constants for each channel, [3, 1, 1], as buffers that no file brings.

    Their values stand in `module.channels`, from which `iqa_cli.networks.filling` takes them where the module
    was laid out without memory.
    """
    module.__dict__["channels"] = constants
    for name, values in constants.items():
        module.register_buffer(name, channel_values(values), persistent=False)


def channel_values(values: tuple[float, ...]) -> Tensor:
    """Three values as [3, 1, 1]."""
    return torch.tensor(values)[:, None, None]


def in_float32(x: Tensor) -> AbstractContextManager[object]:
    """A context in which autocast, where it is on for the device of `x`, is off.

    What comes behind the last maps (pooling, attention among a few tokens, linear layers) costs next to
    nothing, and the steps of bfloat16 are 1/256 between 0.5 and 1: 0.4 points. What is computed within has
    to be float32 (`x.float()`).
    """
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()
