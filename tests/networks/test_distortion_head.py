"""MFE-Net that names distortions: the head is part of it where the config says so, and changes no score."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from iqa_cli.networks.mfenet import MFENet
from iqa_cli.networks.mfenet_config import MFENetConfig

NAMES = ("blur", "noise", "jpeg")
SMALL: dict[str, Any] = {"van": "tiny", "head_width": 8}


def test_it_names_while_it_scores_and_scores_as_before() -> None:
    torch.manual_seed(0)
    network = MFENet(MFENetConfig(**SMALL, distortions=NAMES)).eval()
    plain = MFENet(MFENetConfig(**SMALL)).eval()
    left = plain.load_state_dict(network.state_dict(), strict=False).unexpected_keys
    assert sorted(left) == [
        f"dan.head.{part}.{kind}" for part in ("levels", "types") for kind in ("bias", "weight")
    ]
    rgb = torch.rand(2, 3, 64, 80)
    with torch.no_grad():
        scores, types, levels = network.forward_with_distortions(rgb)
        assert torch.equal(scores, network(rgb))
        assert torch.equal(scores, plain(rgb))
    assert types.shape == (2, 4)
    assert levels.shape == (2, 3, 5)
    assert not any(parameter.requires_grad for parameter in network.dan.head.parameters())
    with pytest.raises(ValueError, match="does not name distortions"):
        plain.forward_with_distortions(rgb)


@pytest.mark.parametrize("stages", ["all", "last"])
def test_the_config_comes_back_from_a_card(stages: Any) -> None:
    config = MFENetConfig(**SMALL, distortions=NAMES, distortion_stages=stages)
    again = MFENetConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert MFENet(again).dan.head.names == NAMES


def test_a_network_without_the_head_has_the_card_it_had() -> None:
    values = MFENetConfig(**SMALL).to_dict()
    assert "distortions" not in values
    assert "distortion_stages" not in values
    assert MFENetConfig.from_dict(values) == MFENetConfig(**SMALL)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"distortions": ("a", "a")}, "must not name a type twice"),
        ({"distortions": "blur"}, "must be a list of names"),
        ({"distortions": ["blur", 3]}, "must be a list of names"),
        ({"distortions": ["blur"], "dan": "none"}, "distortions need the DAN"),
        ({"distortion_stages": "first"}, "distortion_stages must be one of all, last"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MFENetConfig.from_dict(values)
