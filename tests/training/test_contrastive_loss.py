"""The supervised contrastive loss against the formula written out."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from iqa_cli.training.contrastive_loss import supervised_contrastive


def _literal(z: Tensor, labels: list[int], temperature: float) -> float:
    """Khosla et al., equation 2, one exponential at a time."""
    anchors = []
    for i in range(len(labels)):
        others = [a for a in range(len(labels)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if not positives:
            continue
        total = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in others)
        terms = [math.log(math.exp(float(z[i] @ z[p]) / temperature) / total) for p in positives]
        anchors.append(-sum(terms) / len(positives))
    return sum(anchors) / len(anchors)


@pytest.mark.parametrize(
    "labels", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 5, 6], [3, 3, 3, 3], [2, 1, 2, 0, 1, 2, 9, 9]]
)
@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_it_is_the_formula(labels: list[int], temperature: float) -> None:
    generator = torch.Generator().manual_seed(len(labels))
    z = F.normalize(torch.randn(len(labels), 12, generator=generator, dtype=torch.float64), dim=1)
    loss = supervised_contrastive(z.float(), torch.tensor(labels), temperature)
    assert float(loss) == pytest.approx(_literal(z, labels, temperature), rel=1e-5)


def test_a_tiny_temperature_overflows_nothing() -> None:
    z = F.normalize(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), dim=1).requires_grad_()
    loss = supervised_contrastive(z, torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]), 1e-4)  # exp(10,000) is infinite
    loss.backward()
    assert torch.isfinite(loss)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_following_the_gradient_brings_classes_together() -> None:
    labels = torch.arange(12) // 3
    z = torch.randn(12, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimiser = torch.optim.SGD([z], lr=2.0)
    for _ in range(200):
        optimiser.zero_grad()
        supervised_contrastive(F.normalize(z, dim=1), labels, 0.1).backward()
        optimiser.step()
    similarity = F.normalize(z.detach(), dim=1) @ F.normalize(z.detach(), dim=1).T
    same = labels[:, None] == labels[None, :]
    assert similarity[same].min() > similarity[~same].max() + 0.5


def test_labels_that_all_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="no two embeddings share a label"):
        supervised_contrastive(F.normalize(torch.rand(4, 3), dim=1), torch.arange(4), 0.1)
