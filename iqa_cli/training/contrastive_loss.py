"""Supervised contrastive loss (Khosla et al., 2020, arXiv 2004.11362, equation 2)."""

from __future__ import annotations

import torch
from torch import Tensor


def supervised_contrastive(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over anchors i of -1/|P(i)| sum_{p in P(i)} log(exp(z_i.z_p / T) / sum_{a != i} exp(z_i.z_a / T)).

    P(i) is what shares the label of i, without i itself. Anchors without a positive are left out.

    Args:
        embeddings: z [N, D], of length 1.
        labels: [N].
        temperature: T, above 0.

    Returns:
        A scalar, float32; computed through log-sum-exp, so that no temperature overflows.

    Raises:
        ValueError: No anchor has a positive.
    """
    z = embeddings.float()
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positive = (labels[:, None] == labels[None, :]) & ~own
    number = positive.sum(1)
    kept = number > 0
    if not bool(kept.any()):
        raise ValueError("no two embeddings share a label")
    similarity = z @ z.T / temperature
    normaliser = torch.logsumexp(similarity.masked_fill(own, float("-inf")), 1)
    mean_positive = (similarity * positive).sum(1)[kept] / number[kept]
    return (normaliser[kept] - mean_positive).mean()
