"""Which starts a network takes: told in one line before anything takes long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from iqa_cli.errors import IqaError, UsageError
from iqa_cli.networks.registry import NETWORKS, build
from iqa_cli.training.beginning import STARTS, beginning
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.job import configs_of
from iqa_cli.training.options import RunOptions
from iqa_cli.training.request import resolve
from iqa_cli.training.starts_vcrnet import save_restoration
from iqa_cli.training.state import parameter_groups, start

TINY: dict[str, dict[str, Any]] = {
    "mfenet": {"van": "tiny", "dan": "none", "head_width": 8},
    "vcrnet": {"backbone": "tiny", "restoration": "tiny", "head_width": 8},
    "qfm-iqm": {"backbone": "test_efficientnet", "width": 16, "heads": 2, "memory": 32},
}


def _config(network: str, flags: dict[str, Any], net: dict[str, Any] | None = None) -> TrainConfig:
    return configs_of(resolve(None, flags, network, {}, net or {}))[0]


@pytest.mark.parametrize(
    ("network", "flags", "message", "takers"),
    [
        ("mfenet", {"restoration": "r"}, "--restoration: a mfenet has no such start", "vcrnet"),
        ("vcrnet", {"qen": "q"}, "--qen: a vcrnet", "mfenet"),
        ("qfm-iqm", {"resnet50": "r"}, "--resnet50: a qfm-iqm", "mfenet"),
        ("qfm-iqm", {"dan": "d", "dan_pristine": "p"}, "--dan: a qfm-iqm", "mfenet"),
        ("qfm-iqm", {"restoration": "r"}, "--restoration: a qfm-iqm", "vcrnet"),
    ],
)
def test_a_start_of_another_network_is_refused(
    network: str, flags: dict[str, Any], message: str, takers: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(None, flags, network, {}, {})
    assert message in caught.value.message
    assert caught.value.hint == f"it is for {takers}"


@pytest.mark.parametrize(
    ("network", "flags", "net", "message"),
    [
        ("vcrnet", {"backbone": "lite1"}, {}, "--backbone lite1: a vcrnet has no such start"),
        ("vcrnet", {"backbone": "lite0"}, {"backbone": "b0"}, "backbone=b0 contradicts --backbone lite0"),
        ("vcrnet", {"restoration": "none.safetensors"}, {}, "none.safetensors"),
        ("vcrnet", {"restoration_pristine": "p"}, {}, "--restoration has seen, which is not given"),
        ("vcrnet", {"start": ["w"], "restoration": "r"}, {}, "leave --restoration out"),
        ("qfm-iqm", {"start": ["w"], "backbone": "lite0"}, {}, "leave --backbone out"),
        ("mfenet", {"teacher": ["w"]}, {}, "--teacher WEIGHT and --unlabelled DIR belong together"),
        ("qfm-iqm", {"unlabelled": "d"}, {}, "--teacher WEIGHT and --unlabelled DIR belong together"),
        (
            "qfm-iqm",
            {"teacher": ["w"], "unlabelled": "d"},
            {"distillation_weight": 0.0},
            "is turned off (distillation_weight=0)",
        ),
        (
            "qfm-iqm",
            {"backbone": "lite0"},
            {"normalisation": "imagenet"},
            "normalisation=imagenet contradicts --backbone lite0, which needs normalisation=half",
        ),
    ],
)
def test_starts_and_config_that_contradict_each_other_are_one_line(
    network: str, flags: dict[str, Any], net: dict[str, Any], message: str
) -> None:
    with pytest.raises(IqaError) as caught:
        _config(network, flags, net)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_start_says_what_the_network_is_like(tmp_path: Path) -> None:
    assert _config("vcrnet", {"backbone": "lite0"}).network_config == {"backbone": "lite0"}
    assert _config("qfm-iqm", {"backbone": "lite1"}).network_config["backbone"] == "tf_efficientnet_lite1"
    path = tmp_path / "r.safetensors"
    save_restoration(path, build("vcrnet", TINY["vcrnet"]).restoration, None)  # type: ignore[arg-type]
    assert _config("vcrnet", {"restoration": str(path)}).network_config["restoration"] == "tiny"


def test_the_name_follows_the_network_unless_one_is_given() -> None:
    assert RunOptions().name_for("vcrnet") == "vcrnet"
    assert RunOptions(name="mine").name_for("vcrnet") == "mine"


def test_the_table_names_options_that_there_are() -> None:
    known = RunOptions.__dataclass_fields__
    for network, entry in STARTS.items():
        assert network in NETWORKS
        assert {*entry.options, *entry.further} <= set(known)
        assert beginning(network).identities(RunOptions()) == {f"--{key}": None for key in entry.options}


@pytest.mark.parametrize("network", sorted(TINY))
def test_every_network_can_be_frozen_and_has_rates_by_stage(network: str) -> None:
    net = TINY[network]
    torch.manual_seed(0)
    module = build(network, net)
    config = TrainConfig(network=network, network_config=net, freeze=2, layer_decay=0.5)
    run = start(config, module, 10)
    held = [p for p in module.parameters() if not p.requires_grad]
    trained = {id(p) for group in run.optimiser.param_groups for p in group["params"]}
    assert held
    assert not any(id(p) in trained for p in held)
    assert len({group["lr"] for group in parameter_groups(config, module)}) >= 3
    before = [p.clone() for p in held]
    module.train()
    for _ in range(2):
        scores, extra = module.forward_with_auxiliary(torch.rand(4, 3, 64, 64))  # type: ignore[operator]
        (scores.sum() + extra).backward()
        run.optimiser.step()
    assert all(torch.equal(one, other) for one, other in zip(before, held, strict=True))


def test_a_network_without_stages_is_not_frozen() -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def pretrained_modules(self) -> list[torch.nn.Module]:
            return []

    with pytest.raises(UsageError, match="freeze: a Plain has no stages to freeze"):
        start(TrainConfig(freeze=1), Plain(), 1)


def test_the_backbone_of_a_file_fills_the_network_and_is_on_the_card(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source = build("qfm-iqm", TINY["qfm-iqm"])
    net: Any = source.encoder.backbone.net  # type: ignore[union-attr]
    path = tmp_path / "b.safetensors"
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path)
    torch.manual_seed(2)
    target: Any = build("qfm-iqm", TINY["qfm-iqm"])
    run = RunOptions(backbone=str(path))
    (point,) = beginning("qfm-iqm").load(run, target, [], {})
    assert all(
        torch.equal(v, target.encoder.backbone.net.state_dict()[k]) for k, v in net.state_dict().items()
    )
    assert (point["branch"], point["weights"], point["origin"]) == (
        "backbone",
        "b.safetensors",
        "origin not documented",
    )
    assert beginning("qfm-iqm").identities(run)["--backbone"] == point["sha256"]
