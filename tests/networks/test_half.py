"""In lower precision the heads compute in float32: a score is not rounded to the steps of bfloat16."""

from __future__ import annotations

import pytest
import torch

from iqa_cli.networks.registry import build
from iqa_cli.networks.said import Said
from tests.networks.test_filling import SMALL

NAMING = {"van": "tiny", "head_width": 8, "distortions": ["white_noise"]}
ORDINAL = {**NAMING, "distortion_head": "ordinal"}


@pytest.mark.parametrize(
    ("name", "config"),
    [*SMALL.items(), ("mfenet", NAMING), ("mfenet", ORDINAL)],
    ids=[*SMALL, "mfenet that names distortions", "and their levels on a line"],
)
def test_what_is_said_is_finer_than_bfloat16(name: str, config: dict[str, object]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        network = build(name, config).eval()
        rgb = torch.rand(6, 3, 64, 64)
    given: list[torch.dtype] = []
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda *of: given.append(of[2].dtype))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        said = Said(network)(rgb)
    assert len(said) == (3 if "distortions" in config else 1)
    for part in said:
        assert part.dtype == torch.float32
        assert (part.bfloat16().float() != part).any()
    # Every linear layer of these networks stands behind the last maps.
    assert given
    assert set(given) == {torch.float32}
