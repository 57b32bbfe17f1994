"""One look at pictures serves every share of the glance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.images.policy import SizePolicy
from iqa_cli.training.validate import look, pooled_raw, predict_raw
from iqa_cli.weights import load_network
from tests.tinyweight import make_tiny_weight


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_another_share_of_the_glance_is_as_if_it_had_been_looked_at_with_it(
    examples: Path, tmp_path: Path, share: float
) -> None:
    card, network = load_network(make_tiny_weight(tmp_path, examples, "tiny"))
    policy = replace(card.policy(), glance_weight=share)
    small = tmp_path / "small.png"
    Image.new("RGBA", (policy.crop, policy.crop), (200, 30, 30, 90)).save(small)
    wide = tmp_path / "wide.png"
    Image.open(sorted(examples.glob("*.jpg"))[0]).convert("RGBA").resize(
        (policy.crop * 3, policy.crop + 9)
    ).save(wide)
    paths = [*sorted(examples.glob("*.jpg"))[:3], small, wide]
    seen = look(network, paths, replace(policy, glance_weight=0.5))
    wanted = look(network, paths, policy)
    for one, other in zip(seen, wanted, strict=True):
        found = one.with_glance(share)
        np.testing.assert_allclose(found.crops.weight, other.crops.weight, atol=1e-12)
        np.testing.assert_array_equal(found.crops.background, other.crops.background)
        np.testing.assert_allclose(found.crops.raw, other.crops.raw, atol=1e-5)
        assert pooled_raw(found) == pytest.approx(pooled_raw(other), abs=1e-5)
    assert any(one.is_glance.any() for one in seen)
    opaque = predict_raw(network, paths[:3], policy)
    np.testing.assert_allclose(opaque, [pooled_raw(one) for one in wanted[:3]], atol=1e-5)


def test_without_a_glance_there_is_nothing_to_share(examples: Path, tmp_path: Path) -> None:
    card, network = load_network(make_tiny_weight(tmp_path, examples, "tiny"))
    policy: SizePolicy = card.policy()
    path = tmp_path / "one.png"
    Image.open(sorted(examples.glob("*.jpg"))[0]).resize((policy.crop, policy.crop)).save(path)
    (one,) = look(network, [path], replace(policy, glance_weight=0.5))
    assert one.with_glance(0.1) is one
