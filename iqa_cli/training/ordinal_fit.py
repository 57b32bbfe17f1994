"""The head that names distortions from frozen features and statistics of the pixels, fitted.

Our own: multinomial logistic regression for the type, for each type proportional odds of its levels. How
strongly weights are held back is chosen on photographs that the choosing fits do not see; then everything is
fitted again on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig
from iqa_cli.networks.ordinal_head import OrdinalHead, seen_of
from iqa_cli.networks.picture_stats import STATISTICS
from iqa_cli.training.crops import Image
from iqa_cli.training.dan_batches import Crop, crop_batches
from iqa_cli.training.dan_heads import (
    LEAST_SPREAD,
    Features,
    chunks,
    fit_linear,
    held_out,
    in_their_span,
    minimise,
)

#: Weights of the squared weights in the mean loss, to choose from: of the types, and of the levels.
TYPE_DECAYS = (3e-4, 1e-3, 3e-3, 1e-2)
LEVEL_DECAYS = (1e-2, 3e-2, 1e-1, 3e-1)
_BATCH = 32
#: No statistic is taken to vary by less, so that one that hardly ever does is not blown up.
_LEAST_SCALE = 1e-4


@dataclass(frozen=True)
class Fitted:
    """A head, and how it was chosen.

    Attributes:
        head: Fitted to all photographs.
        type_decay, level_decay: Chosen.
        type_accuracy: Of distorted crops of the photographs held out for choosing, by a head that had not met
            them.
        levels_off: The mean distance of the level there, the type given.
    """

    head: OrdinalHead
    type_decay: float
    level_decay: float
    type_accuracy: float
    levels_off: float


@torch.inference_mode()
def features_of(
    network: Any,
    images: Sequence[Image],
    crops: Sequence[Crop],
    size: int,
    margin: int,
    threads: int,
    log: Callable[[str], None],
) -> Features:
    """What the head reads of crops: `seen_of`.

    Args:
        network: An MFE-Net with a DAN, in evaluation mode, on any device.
        images: Decoded photographs, uint8 [H, W, 3].
        crops: What is cut of them.
        size, margin: As of `make_crop`.
        threads: Crops made at a time.
        log: Takes a line now and then.
    """
    device = network.mean.device
    found: list[Tensor] = []
    for rgb, _ in crop_batches(images, chunks(crops, _BATCH), size, margin, threads):
        rgb = rgb.to(device)
        found.append(seen_of(network.dan((rgb - network.mean) / network.std), rgb).cpu())
        if (done := len(found) * _BATCH) % (50 * _BATCH) == 0:
            log(f"features of {done} of {len(crops)} crops")
    return Features.of(torch.cat(found), crops)


def fit_head(features: Features, seed: int) -> Fitted:
    """Choose the decays on a fifth of the photographs, then fit to all.

    Args:
        features: Of crops of every class, as `features_of` gives them.
        seed: Seed of the choice of photographs.

    Raises:
        ValueError: They are of fewer than two photographs.
    """
    if len(np.unique(features.photograph)) < 2:
        raise ValueError("a choice needs at least two photographs")
    out = held_out(features, seed)
    fit, check = features.where(~out), features.where(out)
    distorted = check.kind > 0
    types, levels = {}, {}
    head = _scaled(fit)
    standard = head.standard(fit.values)
    for decay in TYPE_DECAYS:
        _fit_types(head, standard, fit, decay)
        kind = head.from_seen(check.values)[0].argmax(1)
        types[decay] = float((kind == check.kind)[distorted].float().mean())
    for decay in LEVEL_DECAYS:
        _fit_levels(head, standard, fit, decay)
        said = expected_levels(head, check.values)
        of_kind = said.gather(1, (check.kind - 1).clamp(min=0)[:, None])[:, 0]
        levels[decay] = float((of_kind.round() - check.level).abs()[distorted].mean())
    type_decay, level_decay = max(types, key=types.__getitem__), min(levels, key=levels.__getitem__)
    head = fit_with(features, type_decay, level_decay)
    return Fitted(head, type_decay, level_decay, types[type_decay], levels[level_decay])


@torch.no_grad()
def expected_levels(head: OrdinalHead, seen: Tensor) -> Tensor:
    """The level of each type, 1 to 5, [N, T], of features [N, SEEN]."""
    return head.from_seen(seen)[1].exp() @ torch.arange(1, LEVELS + 1, dtype=torch.float32)


def fit_with(features: Features, type_decay: float, level_decay: float) -> OrdinalHead:
    """A head fitted to all of some features, weights held back as strongly as said."""
    head = _scaled(features)
    standard = head.standard(features.values)
    _fit_types(head, standard, features, type_decay)
    _fit_levels(head, standard, features, level_decay)
    return head.eval()


def _scaled(features: Features) -> OrdinalHead:
    """A head that standardises such features, and is yet to be fitted."""
    head = OrdinalHead(TYPES).requires_grad_(False)
    spread = features.values.std(0)
    # A channel that hardly ever speaks (the ResNet-50 is pruned) must not be blown up to weigh like the
    # others; the statistics have no such channels, and scales of their own.
    least = torch.full_like(spread, _LEAST_SCALE)
    least[:-STATISTICS] = LEAST_SPREAD * spread[:-STATISTICS].mean()
    head.mean.copy_(features.values.mean(0))
    head.scale.copy_(torch.maximum(spread, least))
    return head


def _fit_types(head: OrdinalHead, standard: Tensor, features: Features, decay: float) -> None:
    weight, bias = fit_linear(standard, features.kind, 1 + len(TYPES), decay)
    head.types.weight.copy_(weight)
    head.types.bias.copy_(bias)


def _fit_levels(head: OrdinalHead, standard: Tensor, features: Features, decay: float) -> None:
    kinds, levels = features.kind, features.level
    for kind in range(len(TYPES)):
        of_kind = kinds == kind + 1
        line, thresholds = fit_ordinal(standard[of_kind], levels[of_kind], decay)
        head.levels.weight[kind].copy_(line)
        head.thresholds[kind].copy_(thresholds)


def fit_ordinal(values: Tensor, levels: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Levels along a line: P(level > k) = sigmoid(w x - t_k), the likelihoods of the four comparisons summed,
    + decay / 2 * squared weights, by L-BFGS.

    Args:
        values: [N, F], standardised.
        levels: [N], 1 to 5.
        decay: At least 0; the thresholds are free of it.

    Returns:
        Weight [F] and thresholds [4], which ascend.
    """
    values, basis = in_their_span(values)
    weight = torch.zeros(values.shape[1], requires_grad=True)
    first = torch.tensor([-1.5], requires_grad=True)
    steps = torch.zeros(LEVELS - 2, requires_grad=True)
    above = (levels[:, None] > torch.arange(1, LEVELS)).float()

    def thresholds() -> Tensor:
        return torch.cat([first, first + F.softplus(steps).cumsum(0)])

    def loss() -> Tensor:
        logits = (values @ weight)[:, None] - thresholds()
        each = F.binary_cross_entropy_with_logits(logits, above, reduction="none")
        return each.sum(1).mean() + decay / 2 * weight.square().sum()

    minimise([weight, first, steps], loss)
    found = weight.detach()
    return found if basis is None else basis @ found, thresholds().detach()


def put_head(network: nn.Module, head: OrdinalHead) -> nn.Module:
    """Another MFE-Net of the same tensors, and of this head in the place of the one it has.

    Raises:
        ValueError: The network has no DAN.
    """
    if not isinstance(network, MFENet) or network.dan is None:
        raise ValueError("only an MFE-Net with a distortion branch can name distortions")
    values = network.config.to_dict() | {
        "distortions": list(head.names),
        "distortion_stages": "all",
        "distortion_head": "ordinal",
    }
    other = MFENet(MFENetConfig.from_dict(values))
    kept = {name: value for name, value in network.state_dict().items() if not name.startswith("dan.head.")}
    other.load_state_dict(kept | {f"dan.head.{name}": value for name, value in head.state_dict().items()})
    return other.eval()
