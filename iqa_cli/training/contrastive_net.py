"""The DAN while it learns distortions: batch norms put back, frozen stages, projector."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqa_cli.networks.dan import DAN, DAN_WIDTHS
from iqa_cli.networks.numbers import IMAGENET_MEAN, IMAGENET_STD
from iqa_cli.networks.points import skip_before_points

Batch = TypeVar("Batch")

#: Modules of the ResNet that belong to a stage; the stem counts to the first.
_STAGES = (("conv1", "bn1", "layer1"), ("layer2",), ("layer3",), ("layer4",))


class ContrastiveDAN(nn.Module):
    """ResNet-50, global average pool, projector 2048 -> hidden -> D; the embedding has length 1.

    Args:
        dan: The ResNet-50, its weights loaded.
        frozen: Stages 1 to `frozen` get no gradient and stay in evaluation mode.
        hidden: Width of the projector's hidden layer.
        embedding: D.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dan: DAN, frozen: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.dan, self.frozen = dan, frozen
        skip_before_points(dan)
        self.projector = nn.Sequential(
            nn.Linear(DAN_WIDTHS[-1], hidden), nn.ReLU(inplace=True), nn.Linear(hidden, embedding)
        )
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        for module in self.frozen_modules():
            module.requires_grad_(False)

    def frozen_modules(self) -> list[nn.Module]:
        """What stays as it is."""
        names = [name for stage in _STAGES[: self.frozen] for name in stage]
        return [self.dan.resnet.get_submodule(name) for name in names]

    def train(self, mode: bool = True) -> ContrastiveDAN:
        super().train(mode)
        for module in self.frozen_modules():
            module.train(False)
        return self

    def early(self, rgb: Tensor) -> list[Tensor]:
        """Maps of the frozen stages of RGB [N, 3, H, W] in 0 to 1; without gradient. Empty where none is."""
        with torch.no_grad():
            return self.dan.resnet.stages((rgb - self.mean) / self.std, 0, self.frozen)

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """D1 to D4 of RGB [N, 3, H, W] in 0 to 1."""
        return self.later(self.early(rgb), rgb)

    def later(self, early: list[Tensor], rgb: Tensor) -> list[Tensor]:
        """D1 to D4, the frozen ones given."""
        x = early[-1] if early else (rgb - self.mean) / self.std
        return early + self.dan.resnet.stages(x, self.frozen, 4)

    def forward(self, rgb: Tensor) -> Tensor:
        """Embeddings [N, D] of RGB [N, 3, H, W] in 0 to 1."""
        pooled = self.maps(rgb)[-1].mean((2, 3))
        return F.normalize(self.projector(pooled).float(), dim=1)


@torch.no_grad()
def restore_batch_norms(net: nn.Module, batches: Iterable[Batch], forward: Callable[[Batch], object]) -> None:
    """Give batch norms that only pass a bias on (folded ones) the statistics of what they are given.

    A folded norm computes z + b. With mean m and variance v of z over real crops, the weight becomes
    sqrt(v + eps) and the bias b + m, so that in evaluation mode (z - m) / sqrt(v + eps) * sqrt(v + eps)
    + b + m = z + b as before. In training mode the norm then works, and its output is on the same scale.

    Args:
        net: Changed in place, and in evaluation mode afterwards.
        batches: Inputs of `forward`, at least one.
        forward: Runs the network on one of them.
    """
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    sums = {m: torch.zeros(3, m.num_features, dtype=torch.float64) for m in norms}

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        z = given[0].detach().float()
        number = z.numel() / z.shape[1]
        centre = z.mean((0, 2, 3), keepdim=True)
        squares = (z - centre).square().sum((0, 2, 3)).double().cpu()
        mean = centre.flatten().double().cpu()
        total = sums[module]  # type: ignore[index]
        # Chan et al.: statistics of two parts joined without the loss of a difference of large sums.
        before, difference = total[0], mean - total[1]
        total[2] += squares + difference.square() * before * number / (before + number)
        total[1] += difference * number / (before + number)
        total[0] += number

    net.eval()
    hooks = [m.register_forward_pre_hook(note) for m in norms]
    try:
        for batch in batches:
            forward(batch)
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        number, mean, squares = sums[norm]
        variance = squares / number
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double().cpu() / (norm.running_var.double().cpu() + norm.eps).sqrt()
        bias = norm.bias.double().cpu() + scale * (mean - norm.running_mean.double().cpu())
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.bias.copy_(bias)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
