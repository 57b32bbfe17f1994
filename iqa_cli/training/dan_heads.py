"""The linear heads that name type and level of a distortion, fitted on frozen features.

Our own: multinomial logistic regression on standardised averages of the stages; the scaling is folded into
the weights, so that the result is one linear map. Which stages are read (all four or the last) and how
strongly weights are held back is chosen on photographs of the training part that the choosing fits do not
see; then everything is fitted again on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from iqa_cli.images.distortions import LEVELS, TYPES
from iqa_cli.networks.dan import DAN, DAN_WIDTHS
from iqa_cli.networks.distortion_head import DistortionHead, Stages, pool_stages
from iqa_cli.training.contrastive_net import ContrastiveDAN
from iqa_cli.training.crops import Image
from iqa_cli.training.dan_batches import CLASSES, HEADS, REPORT, Crop, crop_batches, type_and_level
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.devices import autocast, dtype_of

#: Weight of the squared weights in the mean loss, to choose from.
DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)
#: Share of the photographs that the choice is made on.
HELD_OUT = 0.2
#: Least deviation that a feature is divided by, in mean deviations.
LEAST_SPREAD = 0.05
_BATCH, _ITERATIONS = 64, 100


@dataclass(frozen=True)
class Features:
    """Pooled stage features of crops under one network.

    Attributes:
        values: [N, 3840] float32.
        photograph: [N] which photograph a crop is of.
        label: [N] class, 0 for pristine.
    """

    values: Tensor
    photograph: NDArray[np.int64]
    label: NDArray[np.int64]

    @classmethod
    def of(cls, values: Tensor, crops: Sequence[Crop]) -> Features:
        """Of these crops, in their order."""
        photograph = np.array([crop.photograph for crop in crops], np.int64)
        return cls(values, photograph, np.array([crop.label for crop in crops], np.int64))

    @property
    def kind(self) -> Tensor:
        """[N] 0 for pristine, else 1 + position in `TYPES`."""
        return torch.tensor([1 + type_and_level(int(c))[0] for c in self.label])

    @property
    def level(self) -> Tensor:
        """[N] 0 for pristine, else 1 to 5."""
        return torch.tensor([type_and_level(int(c))[1] for c in self.label])

    def where(self, mask: NDArray[np.bool_]) -> Features:
        """Those of some crops."""
        return Features(self.values[torch.from_numpy(mask)], self.photograph[mask], self.label[mask])


def head_crops(config: ContrastiveConfig, photographs: int) -> list[Crop]:
    """What the heads are fitted on: `config.head_crops` of each class, five times as many pristine ones, of
    photographs in turn."""
    crops = []
    for label in range(CLASSES):
        number = config.head_crops * (1 if label else LEVELS)
        rng = np.random.default_rng((config.seed, HEADS, label))
        order = [int(p) for _ in range(0, number, photographs) for p in rng.permutation(photographs)]
        crops += [Crop(p, label, (config.seed, HEADS, label, i)) for i, p in enumerate(order[:number])]
    return crops


def report_crops(config: ContrastiveConfig, photographs: int) -> list[Crop]:
    """What is reported on: one crop of every photograph in every class."""
    every = ((p, label) for p in range(photographs) for label in range(CLASSES))
    return [Crop(p, label, (config.seed, REPORT, p, label)) for p, label in every]


@torch.no_grad()
def both_features(
    config: ContrastiveConfig,
    model: ContrastiveDAN,
    start: DAN,
    images: Sequence[Image],
    crops: Sequence[Crop],
    device: torch.device,
    threads: int,
    log: Callable[[str], None],
) -> tuple[Features, Features]:
    """Features of the same crops under the trained network and under the one it started from.

    Args:
        config: Settings.
        model: Trained, in evaluation mode.
        start: The ResNet-50 before training, in evaluation mode; its stages up to `config.frozen` are those
            of `model`, which runs them for both.
        images: Decoded photographs.
        crops: What is cut of them.
        device: Where the networks compute.
        threads: Crops made at a time.
        log: Takes a line now and then.
    """
    before = (
        ContrastiveDAN(start, config.frozen, 1, 1).to(device).to(memory_format=torch.channels_last).eval()
    )
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    done = 0
    for rgb, _ in crop_batches(images, chunks(crops, _BATCH), config.head_size, config.margin, threads):
        rgb = rgb.to(device, memory_format=torch.channels_last)
        with autocast(device, dtype_of(config.precision)):
            early = model.early(rgb)
            for network, into in zip((model, before), found, strict=True):
                into.append(pool_stages(network.later(early, rgb)).cpu())
        done += len(rgb)
        if done % (32 * _BATCH) == 0 or done == len(crops):
            log(f"features of {done} of {len(crops)} crops")
    trained, untrained = (Features.of(torch.cat(values), crops) for values in found)
    return trained, untrained


def chunks(crops: Sequence[Crop], number: int) -> Iterator[list[Crop]]:
    """So many at a time."""
    for first in range(0, len(crops), number):
        yield list(crops[first : first + number])


def held_out(features: Features, seed: int) -> NDArray[np.bool_]:
    """[N] whether a crop is of the photographs that choices are made on, `HELD_OUT` of them."""
    photographs = np.unique(features.photograph)
    order = np.random.default_rng((seed, HEADS)).permutation(photographs)
    return np.isin(features.photograph, order[: max(1, round(HELD_OUT * len(order)))])


@dataclass(frozen=True)
class Choice:
    """What was chosen for a head, and its accuracies on the photographs held out for choosing."""

    stages: Stages
    type_decay: float
    level_decay: float
    type_accuracy: float
    level_accuracy: float


def choose_head(features: Features, seed: int) -> Choice:
    """The stages and decays that name best on photographs held out; of the stages, by the mean of the
    accuracies of type and of level given the type.

    Args:
        features: As many crops as the head is to be fitted on.
        seed: Seed of the choice of photographs.
    """
    out = held_out(features, seed)
    fit, check = features.where(~out), features.where(out)
    choices = []
    both: tuple[Stages, Stages] = ("last", "all")  # of equals, the smaller
    for stages in both:
        types, levels = {}, {}
        for decay in DECAYS:
            head = fit_head(fit, stages, decay, decay)
            kind, level = named(head, check.values, check.kind)
            distorted = check.kind > 0
            types[decay] = float((kind == check.kind)[distorted].float().mean())
            levels[decay] = float((level == check.level)[distorted].float().mean())
        best_type, best_level = (max(table, key=table.__getitem__) for table in (types, levels))
        choices.append(Choice(stages, best_type, best_level, types[best_type], levels[best_level]))
    return max(choices, key=lambda choice: choice.type_accuracy + choice.level_accuracy)


def fit_head(features: Features, stages: Stages, type_decay: float, level_decay: float) -> DistortionHead:
    """Fit type and level; see `fit_linear`."""
    head = DistortionHead(TYPES, stages)
    values = _columns(features.values, stages)
    mean, spread = values.mean(0), values.std(0)
    # A channel that hardly ever speaks (the start is pruned) must not be blown up to weigh like the others.
    scale = spread.clamp(min=LEAST_SPREAD * float(spread.mean()))
    standard = (values - mean) / scale
    kinds, levels = features.kind, features.level
    weight, bias = fit_linear(standard, kinds, 1 + len(TYPES), type_decay)
    maps = [(weight, bias)]
    for kind in range(len(TYPES)):
        of_kind = kinds == kind + 1
        maps.append(fit_linear(standard[of_kind], levels[of_kind] - 1, LEVELS, level_decay))
    folded = [(weight / scale, bias - (weight / scale) @ mean) for weight, bias in maps]
    with torch.no_grad():
        head.types.weight.copy_(folded[0][0])
        head.types.bias.copy_(folded[0][1])
        head.levels.weight.copy_(torch.cat([weight for weight, _ in folded[1:]]))
        head.levels.bias.copy_(torch.cat([bias for _, bias in folded[1:]]))
    return head.eval()


def fit_linear(values: Tensor, labels: Tensor, classes: int, decay: float) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression: mean cross-entropy + decay / 2 * squared weights, by L-BFGS from 0.

    Args:
        values: [N, F], standardised.
        labels: [N], 0 to classes - 1.
        classes: Number of them.
        decay: At least 0; the bias is free of it.

    Returns:
        Weight [classes, F] and bias [classes].
    """
    values, basis = in_their_span(values)
    weight = torch.zeros(classes, values.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)

    def loss() -> Tensor:
        return F.cross_entropy(values @ weight.T + bias, labels) + decay / 2 * weight.square().sum()

    minimise([weight, bias], loss)
    found = weight.detach() if basis is None else weight.detach() @ basis.T
    return found, bias.detach()


def in_their_span(values: Tensor) -> tuple[Tensor, Tensor | None]:
    """Fewer rows [N, F] than columns as coordinates [N, N] in an orthonormal basis of their span, and that
    basis [F, N]; others as they are, and None.

    The best weights of a penalised fit lie in that span, so that the problem is the same.
    """
    if len(values) >= values.shape[1]:
        return values, None
    basis, coordinates = torch.linalg.qr(values.T)
    return coordinates.T, basis


def minimise(parameters: list[Tensor], loss: Callable[[], Tensor]) -> None:
    """Minimise a loss of parameters from where they are, by L-BFGS."""
    optimiser = torch.optim.LBFGS(
        parameters, max_iter=_ITERATIONS, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(closure)


@torch.no_grad()
def named(head: DistortionHead, values: Tensor, kind: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What a head says of features.

    Args:
        head: Fitted.
        values: [N, 3840].
        kind: [N] types to name the level of, 0 for pristine; None for those that the head names.

    Returns:
        Types [N] (0 pristine) as the head names them, and levels [N] (0 where `kind` is pristine).
    """
    type_logits, level_logits = head.from_pooled(_columns(values, head.stages))
    types, levels = type_logits.argmax(1), level_logits.argmax(2) + 1
    of = types if kind is None else kind
    chosen = levels.gather(1, (of - 1).clamp(min=0)[:, None])[:, 0]
    return types, chosen * (of > 0)


def _columns(values: Tensor, stages: Stages) -> Tensor:
    return values if stages == "all" else values[:, -DAN_WIDTHS[-1] :]
