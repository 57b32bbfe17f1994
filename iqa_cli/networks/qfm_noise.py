"""QFM-IQM's semantic noise: a memory of features and scores, the matching of partners, the gate.

Published: among samples of similar score one of different semantics is taken; its feature is adversarial
semantic noise. Second-hand: partners come from a memory. Our choice: cosine similarity, the memory's size and
its first-in-first-out order, the form of the gate, and what it learns for.

    j* = argmin over the memory of cos(f_i, f_j), |y_i - y_j| < tolerance
    noise_i = strength * sigmoid(W [f_i; f_j*]) * f_j*

Licence of this file: that of the project.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FeatureMemory(nn.Module):
    """The last features that training has seen, with their opinions. A checkpoint keeps them.

    Args:
        size: Number of entries.
        width: Channels D of a feature.
    """

    features: Tensor
    scores: Tensor
    filled: Tensor
    following: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(size, width))
        self.register_buffer("scores", torch.zeros(size))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("following", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, features: Tensor, scores: Tensor) -> None:
        """Add features [N, D] and scores [N]; they replace the oldest."""
        size = len(self.scores)
        features, scores = features[-size:], scores[-size:]
        place = (self.following + torch.arange(len(scores), device=self.scores.device)) % size
        self.features[place] = features.detach().to(self.features.dtype)
        self.scores[place] = scores.to(self.scores.dtype)
        self.filled.add_(len(scores)).clamp_(max=size)
        self.following.add_(len(scores)).remainder_(size)

    def entries(self) -> tuple[Tensor, Tensor]:
        """Features [M, D] and scores [M] of what it holds."""
        held = int(self.filled)
        return self.features[:held], self.scores[:held]


class SemanticMatching:
    """Finds for each feature the entry of similar score that is least like it.

    Args:
        tolerance: Scores (0 to 1) that differ by less are similar.
        partner: "lowest" takes the lowest cosine similarity, "random" any entry of similar score: an ablation
            that tells different semantics from mere noise.
    """

    def __init__(self, tolerance: float, partner: Literal["lowest", "random"] = "lowest") -> None:
        self.tolerance, self.partner = tolerance, partner

    @torch.no_grad()
    def __call__(
        self,
        features: Tensor,
        scores: Tensor,
        held: Tensor,
        held_scores: Tensor,
        itself: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Partners of features.

        Args:
            features: [N, D].
            scores: [N], 0 to 1.
            held: [M, D], among which to look.
            held_scores: [M].
            itself: [N] entries that are the very same picture and are not to be taken, or None.

        Returns:
            Positions [N] in `held`, -1 where no entry is of similar score, the first of equals; and their
            cosine similarities [N], NaN where there is none.
        """
        if not len(held):
            empty = scores.new_full(scores.shape, torch.nan, dtype=torch.float32)
            return torch.full_like(empty, -1, dtype=torch.int64), empty
        # In float32 also within autocast: bfloat16 would make ties of what differs.
        with torch.autocast(features.device.type, enabled=False):
            similarity = F.normalize(features.float(), dim=1) @ F.normalize(held.float(), dim=1).T
        fits = (scores[:, None].float() - held_scores[None, :].float()).abs() < self.tolerance
        if itself is not None:
            fits[torch.arange(len(fits), device=fits.device), itself] = False
        ranked = torch.rand_like(similarity) if self.partner == "random" else similarity
        place = torch.where(fits, ranked, torch.inf).argmin(1)
        found = similarity.gather(1, place[:, None])[:, 0]
        some = fits.any(1)
        return torch.where(some, place, -1), torch.where(some, found, torch.nan)


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient is turned round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class SemanticNoise(nn.Module):
    """noise = strength * g * f_j, with a gate g for each channel.

    Args:
        width: Channels D.
        strength: Factor on the noise (beta).
        gate: "learnt": sigmoid(W [f_i; f_j]), trained with everything else. "adversarial": the same, but the
            gate learns to let through what moves the prediction most. "none": 1.
    """

    def __init__(
        self, width: int, strength: float, gate: Literal["learnt", "adversarial", "none"] = "learnt"
    ) -> None:
        super().__init__()
        self.strength, self.kind = strength, gate
        self.weight = None if gate == "none" else nn.Linear(2 * width, width)

    def gate(self, features: Tensor, partners: Tensor) -> Tensor:
        """Gate [N, D], 0 to 1, of features [N, D] and their partners [N, D]."""
        if self.weight is None:
            return torch.ones_like(features)
        joined = torch.cat([features, partners], 1)
        if self.kind == "learnt":
            return torch.sigmoid(self.weight(joined))
        # Turned round behind the gate, and again before it: its own weights alone learn the other way.
        opened = torch.sigmoid(self.weight(_Reversed.apply(joined)))
        return _Reversed.apply(opened)

    def forward(self, features: Tensor, partners: Tensor) -> Tensor:
        """Noise [N, D] for features [N, D] with partners [N, D]."""
        return self.strength * self.gate(features, partners) * partners
