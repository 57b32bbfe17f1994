"""Memory, matching and gate of QFM-IQM against slow literal implementations."""

import math

import pytest
import torch

from iqa_cli.networks.qfm_noise import FeatureMemory, SemanticMatching, SemanticNoise


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def brute_force(
    feature: torch.Tensor, score: float, held: torch.Tensor, held_scores: torch.Tensor, tolerance: float
) -> int:
    best, place = math.inf, -1
    for j in range(len(held)):
        if abs(score - float(held_scores[j])) < tolerance and cosine(feature, held[j]) < best:
            best, place = cosine(feature, held[j]), j
    return place


def test_the_partner_is_the_least_similar_entry_of_similar_score() -> None:
    generator = torch.Generator().manual_seed(3)
    held, held_scores = torch.randn(60, 8, generator=generator), torch.rand(60, generator=generator)
    features, scores = torch.randn(20, 8, generator=generator), torch.rand(20, generator=generator)
    place, similarity = SemanticMatching(0.05)(features, scores, held, held_scores)
    wanted = [
        brute_force(feature, float(score), held, held_scores, 0.05)
        for feature, score in zip(features, scores, strict=True)
    ]
    assert place.tolist() == wanted
    for i, j in enumerate(wanted):
        if j >= 0:
            assert float(similarity[i]) == pytest.approx(cosine(features[i], held[j]), abs=1e-6)
    assert any(j >= 0 for j in wanted)


def test_of_equal_partners_the_first_is_taken() -> None:
    held = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 5.0]])
    place, similarity = SemanticMatching(0.05)(
        torch.tensor([[1.0, 0.0]]), torch.tensor([0.5]), held, torch.tensor([0.5, 0.5, 0.5, 0.5])
    )
    assert (place.tolist(), similarity.tolist()) == ([1], [0.0])


def test_without_an_entry_of_similar_score_there_is_no_partner() -> None:
    matching = SemanticMatching(0.05)
    held, scores = torch.eye(3), torch.tensor([0.1, 0.2, 0.9])
    place, similarity = matching(torch.ones(2, 3), torch.tensor([0.5, 0.89]), held, scores)
    assert place.tolist() == [-1, 2]
    assert math.isnan(similarity[0])
    empty, unknown = matching(torch.ones(2, 3), torch.tensor([0.5, 0.9]), held[:0], scores[:0])
    assert empty.tolist() == [-1, -1]
    assert unknown.isnan().all()
    assert matching(torch.ones(0, 3), torch.zeros(0), held, scores)[0].shape == (0,)


def test_a_picture_is_not_its_own_partner() -> None:
    features, scores = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), torch.tensor([0.5, 0.52, 0.9])
    place, _ = SemanticMatching(0.05)(features, scores, features, scores, itself=torch.arange(3))
    assert place.tolist() == [1, 0, -1]


def test_a_random_partner_is_of_similar_score_too_and_varies() -> None:
    torch.manual_seed(0)
    held, scores = torch.randn(50, 4), torch.linspace(0, 1, 50)
    matching = SemanticMatching(0.1, "random")
    drawn = {int(matching(torch.ones(1, 4), torch.tensor([0.5]), held, scores)[0]) for _ in range(40)}
    assert len(drawn) > 2
    assert all(abs(float(scores[j]) - 0.5) < 0.1 for j in drawn)


def test_the_memory_keeps_the_last_entries() -> None:
    memory, kept = FeatureMemory(5, 2), []
    for number, size in enumerate((2, 2, 3, 1, 0, 7)):
        features, scores = torch.full((size, 2), float(number)), torch.arange(size) + 10.0 * number
        memory.push(features, scores)
        kept = [*kept, *zip(features[:, 0].tolist(), scores.tolist(), strict=True)][-5:]
        held, held_scores = memory.entries()
        assert sorted(zip(held[:, 0].tolist(), held_scores.tolist(), strict=True)) == sorted(kept)


def test_the_gate_is_a_sigmoid_of_both_features_for_each_channel() -> None:
    torch.manual_seed(1)
    noise = SemanticNoise(4, 0.3)
    mine, its = torch.randn(3, 4), torch.randn(3, 4)
    assert noise.weight is not None
    found = noise(mine, its)
    for n in range(3):
        joined = [*mine[n].tolist(), *its[n].tolist()]
        for channel in range(4):
            row = noise.weight.weight[channel].tolist()
            total = sum(w * x for w, x in zip(row, joined, strict=True)) + float(noise.weight.bias[channel])
            wanted = 0.3 / (1 + math.exp(-total)) * float(its[n, channel])
            assert float(found[n, channel]) == pytest.approx(wanted, abs=1e-6)


def test_without_a_gate_the_partner_is_added_as_it_is() -> None:
    noise, its = SemanticNoise(4, 0.3, "none"), torch.randn(3, 4)
    assert not list(noise.parameters())
    torch.testing.assert_close(noise(torch.randn(3, 4), its), 0.3 * its)


def test_an_adversarial_gate_alone_learns_the_other_way() -> None:
    gradients = {}
    for kind in ("learnt", "adversarial"):
        torch.manual_seed(2)
        noise = SemanticNoise(4, 0.3, kind)  # type: ignore[arg-type]
        mine, its = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4)
        noise(mine, its).square().sum().backward()
        assert noise.weight is not None
        gradients[kind] = (mine.grad, noise.weight.weight.grad)
    (mine, weight), (same, other) = gradients["learnt"], gradients["adversarial"]
    assert mine is not None
    assert weight is not None
    assert weight.any()
    torch.testing.assert_close(same, mine)
    torch.testing.assert_close(other, -weight)
