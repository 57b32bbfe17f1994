"""`iqa convert vcrnet`: a file with the published names becomes a weight; what does not fit is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from iqa_cli.errors import ExitCode
from iqa_cli.networks.vcrnet import VCRNet
from iqa_cli.networks.vcrnet_names import our_name
from iqa_cli.networks.vcrnet_restoration import RestorationNet
from iqa_cli.training.starts_vcrnet import load_restoration
from iqa_cli.weights import load_network, read_card
from tests.cli.conftest import Iqa

LAYOUTS = Path(__file__).resolve().parent.parent / "networks" / "layouts"

State = dict[str, Tensor]


def _layout(name: str, prefix: str = "") -> dict[str, list[int]]:
    found = {}
    for line in (LAYOUTS / name).read_text().splitlines():
        if not line.startswith("#"):
            key, _, shape = line.partition(" ")
            found[prefix + key] = [int(side) for side in shape.strip("[]").split(",") if side]
    return found


@pytest.fixture(scope="module")
def published() -> State:
    """Random values under all published names."""
    generator = torch.Generator().manual_seed(0)
    shapes = {**_layout("vcrnet.txt"), **_layout("efficientnet_b0.txt", "efficient.")}
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var"):
            state[name] = torch.rand(shape, generator=generator) + 0.5
        else:
            # He's deviation, so that a picture comes through all layers.
            deviation = (2 / max(1, math.prod(shape[1:]))) ** 0.5 if len(shape) > 1 else 0.1
            state[name] = torch.randn(shape, generator=generator) * deviation
    return state


@pytest.fixture
def convert(iqa: Iqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    monkeypatch.chdir(tmp_path)

    def call(state: object, *options: object) -> object:
        torch.save(state, "published.pth")
        return iqa("convert", "vcrnet", "published.pth", "out.safetensors", *options)

    return call


def test_a_published_file_becomes_a_weight(published: State, convert: Callable[..., object]) -> None:
    extra = {**published, "VCR.conv11.weight": torch.zeros(2)}
    wrapped = {"state_dict": {f"module.{name}": value for name, value in extra.items()}}
    done = convert(wrapped, "--range", "0", "100", "--lower-is-better")
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert f"iqa: took over {len(published) - 2} tensors" in lines
    assert "efficient._fc.weight, efficient._fc.bias" in next(line for line in lines if "left out" in line)
    assert [line for line in lines if "did not match" in line] == ["iqa: did not match: VCR.conv11.weight"]
    card, network = load_network(Path("out.safetensors"))
    assert isinstance(network, VCRNet)
    assert (card.network, card.config["backbone"], card.config["residual"]) == ("vcrnet", "b0", False)
    assert "not documented" in card.licence["weights"]
    state = network.state_dict()
    for name, value in published.items():
        ours = our_name(name)
        if name.startswith(("fc3.", "efficient._fc.")):
            continue
        assert torch.equal(state[ours], value), name
    # DMOS of 0 to 100, lower better, has become MOS of 0 to 1.
    pooled = torch.rand(3, 512)
    dmos = pooled @ published["fc3.weight"].T + published["fc3.bias"]
    torch.testing.assert_close(network.head.fc3(pooled), (100 - dmos) / 100)


def test_the_restoration_network_alone_becomes_a_start(
    published: State, convert: Callable[..., object]
) -> None:
    alone = {name.removeprefix("VCR."): v for name, v in published.items() if name.startswith("VCR.")}
    counters = [name for name in alone if name.endswith("num_batches_tracked")]
    done = convert({name: value for name, value in alone.items() if name not in counters})
    assert done.code == 0, done.err
    assert f"{len(counters)} counters of batch norms are not in it" in done.err
    assert "a start for iqa train --restoration" in done.err
    module = RestorationNet(residual=False)
    assert load_restoration(module, Path("out.safetensors")) == {}
    assert torch.equal(module.ups[3].conv.weight, alone["deconv4.weight"])
    assert torch.equal(module.levels[2].second.vertical.weight, alone["conv6_2.weight"])


def test_what_is_no_such_checkpoint_is_one_line(published: State, convert: Callable[..., object]) -> None:
    lacking = {name: value for name, value in published.items() if name != "VCR.deconv2.bias"}
    cases = [
        ({"weight": torch.zeros(2)}, "lacks what becomes"),
        (lacking, "lacks what becomes restoration.ups.1.conv.bias"),
        ({**published, "fc1.weight": torch.zeros(512, 100)}, "fc1.weight is [512, 100], not [512, 576]"),
        ({**published, "fc3.bias": torch.tensor([float("nan")])}, "head.fc3.bias is not finite"),
        ({"epoch": 3}, "epoch is no tensor"),
        ({"model": print}, "without running what is in it"),
        ([], "holds no tensors by name"),
    ]
    for state, message in cases:
        done = convert(state)
        assert done.code == ExitCode.NOT_AVAILABLE, message
        assert message in done.err.splitlines()[0]
        assert not Path("out.safetensors").exists()


def test_usage(convert: Callable[..., object], iqa: Iqa) -> None:
    for options, message in (
        (["--range", "5", "1"], "--range: the range 5 to 1 is empty"),
        (["--stride-in", "both"], "--stride-in: must be first or last"),
    ):
        done = convert({}, *options)
        assert done.code == ExitCode.USAGE
        assert message in done.err
    assert "should end in .safetensors" in iqa("convert", "vcrnet", "published.pth", "out.pth").err
    Path("out.safetensors").write_bytes(b"mine")
    done = convert({})
    assert done.code == ExitCode.USAGE
    assert "out.safetensors exists" in done.err
    assert Path("out.safetensors").read_bytes() == b"mine"
    assert iqa("convert", "vcrnet", "lost.pth", "new.safetensors").code == ExitCode.NOT_AVAILABLE


def test_a_converted_file_scores(
    published: State, convert: Callable[..., object], iqa: Iqa, examples: Path
) -> None:
    assert convert(published).code == 0
    assert read_card("out.safetensors").starting_points[0]["weights"] == "published.pth"
    done = iqa("score", "--weights", "out.safetensors", examples / "dog.jpg", "--threads", "1")
    assert done.code == 0, done.err
    assert 0 <= float(done.rows[0][1]) <= 100
