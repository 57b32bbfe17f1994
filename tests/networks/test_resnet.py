"""Our ResNet is the one that published weights are for."""

from __future__ import annotations

import timm
import torch

from iqa_cli.networks.resnet import ResNet


def test_it_is_timms_resnet50_name_by_name_and_map_by_map() -> None:
    theirs = timm.create_model("resnet50", pretrained=False, num_classes=0).eval()
    ours = ResNet().eval()
    # Running statistics that say something, and last norms that let their blocks through.
    generator = torch.Generator().manual_seed(3)
    for name, value in theirs.state_dict().items():
        if name.endswith(("running_var", "bn3.weight")):
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    ours.load_state_dict(theirs.state_dict())
    picture = torch.rand(1, 3, 65, 96, generator=generator)
    with torch.no_grad():
        maps = ours.stages(picture)
        wanted = theirs.forward_intermediates(picture, indices=[1, 2, 3, 4], intermediates_only=True)
    assert [tuple(m.shape[1:]) for m in maps] == [(256, 17, 24), (512, 9, 12), (1024, 5, 6), (2048, 3, 3)]
    for found, right in zip(maps, wanted, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        later = ours.stages(maps[1], 2, 4)
    torch.testing.assert_close(later, maps[2:], rtol=0, atol=0)


def test_it_starts_as_a_residual_network_should() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ResNet((1, 1, 1, 1))
    block = net.get_submodule("layer2")[0]  # type: ignore[index]
    assert not block.bn3.weight.any()  # every block passes its shortcut on
    fan_out = block.conv2.out_channels * 9
    assert abs(block.conv2.weight.std().item() / (2 / fan_out) ** 0.5 - 1) < 0.05
