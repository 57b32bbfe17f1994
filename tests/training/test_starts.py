"""Starting points that are whole fill their branch; those that are not are one line and change nothing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save, save_file
from torch import nn

from iqa_cli.errors import WeightsError
from iqa_cli.networks.van import VAN
from iqa_cli.training.provenance import RECIPE_KEY, read_recipe
from iqa_cli.training.starts import load_qen, load_resnet50_int8

Arrays = dict[str, np.ndarray]


@pytest.fixture
def resnet() -> nn.Module:
    """A smaller relative, with the same names in the same places."""
    return timm.create_model("resnet26", pretrained=False, num_classes=0)


def _archive(resnet: nn.Module) -> Arrays:
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for name, module in resnet.named_modules():
        if isinstance(module, nn.Conv2d):
            arrays[f"{name}.q"] = rng.integers(-3, 4, tuple(module.weight.shape)).astype(np.int8)
            arrays[f"{name}.log2s"] = np.int8(-7)
            arrays[f"{name}.b"] = rng.normal(size=module.out_channels).astype(np.float32)
    return arrays


def test_a_whole_archive_is_the_convolutions_and_their_biases(resnet: nn.Module, tmp_path: Path) -> None:
    arrays = _archive(resnet)
    np.savez(tmp_path / "r.npz", **arrays)
    load_resnet50_int8(resnet, tmp_path / "r.npz")
    x = torch.rand(1, 3, 64, 64)
    weight = torch.from_numpy(arrays["conv1.q"].astype(np.float32)) / 128
    expected = nn.functional.conv2d(x, weight, torch.from_numpy(arrays["conv1.b"]), stride=2, padding=3)
    resnet.eval()
    assert torch.allclose(resnet.bn1(resnet.conv1(x)), expected, atol=1e-5)


def _without(key: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {name: value for name, value in arrays.items() if not name.startswith(key)}


def _with(**values: np.ndarray) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, **{name.replace("__", "."): value for name, value in values.items()}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("layer4.1.conv3."), "lacks layer4.1.conv3"),
        (_without("layer2."), "more convolutions"),
        (_without("conv1.b"), "lacks conv1.b"),
        (_with(conv1__q=np.zeros((64, 3, 7, 7), np.float32)), "not an int8 weight"),
        (_with(conv1__q=np.zeros((64, 3, 3, 3), np.int8)), "another shape"),
        (_with(conv1__b=np.full(64, np.nan, np.float32)), "not an int8 weight"),
        (_with(other__q=np.zeros(1, np.int8)), "lacks other."),
    ],
)
def test_an_archive_that_is_not_whole_is_refused(
    resnet: nn.Module, tmp_path: Path, change: Callable[[Arrays], Arrays], message: str
) -> None:
    np.savez(tmp_path / "r.npz", **change(_archive(resnet)))
    _refused(resnet, lambda: load_resnet50_int8(resnet, tmp_path / "r.npz"), message)


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "empty", "cut", "text", "array", "zip", "pickled", "npy"]
)
def test_what_is_no_archive_is_one_line(resnet: nn.Module, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "r.npz"
    whole = io.BytesIO()
    np.savez(whole, **{"conv1.q": np.zeros((64, 3, 7, 7), np.int8)})
    if kind == "folder":
        path.mkdir()
    elif kind == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "pickled":
        np.savez(path, **{"conv1.q": np.array([{"a": 1}], dtype=object)})
    elif kind in ("zip", "npy"):
        with zipfile.ZipFile(path, "w") as archive:
            content = b"\x93NUMPY\x01\x00\x46\x00{'descr': '|i1', 'shape': (99999999999999,)}" + b" " * 30
            archive.writestr("conv1.q.npy", b"text" if kind == "zip" else content)
    elif kind != "missing":
        contents = {"empty": b"", "cut": whole.getvalue()[:3000], "text": b"no archive\nat all"}
        path.write_bytes(contents[kind])
    _refused(resnet, lambda: load_resnet50_int8(resnet, path), "r.npz")


def test_a_start_of_the_qen_is_filled_without_its_classifier(tmp_path: Path) -> None:
    given, van = VAN("tiny", num_classes=5), VAN("tiny")
    save_file({k: v.contiguous() for k, v in given.state_dict().items()}, tmp_path / "q.safetensors")
    load_qen(van, tmp_path / "q.safetensors")
    assert all(torch.equal(value, given.state_dict()[name]) for name, value in van.state_dict().items())


@pytest.mark.parametrize("kind", ["missing", "cut", "pickle", "other", "lacks", "shape", "nan"])
def test_a_start_of_the_qen_that_does_not_fit_is_one_line(tmp_path: Path, kind: str) -> None:
    path, van = tmp_path / "q.safetensors", VAN("tiny")
    state = {name: value.clone().contiguous() for name, value in van.state_dict().items()}
    name = "patch_embed1.proj.weight"
    if kind == "pickle":
        torch.save(state, path)
    elif kind == "cut":
        path.write_bytes(save(state)[:-200])
    elif kind != "missing":
        if kind == "other":
            state = {k: v.contiguous() for k, v in VAN("b0").state_dict().items()}
        elif kind == "lacks":
            del state[name]
        elif kind == "shape":
            state[name] = state[name][:, :2].contiguous()
        else:
            state[name][0] = torch.nan
        save_file(state, path)
    messages = {"lacks": f"lacks {name}", "shape": f"other shape of {name}", "nan": "not finite"}
    _refused(van, lambda: load_qen(van, path), messages.get(kind, "q.safetensors"))


def test_a_recipe_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"data": {}}', '{"data": 3}'):
        save_file({"a": torch.zeros(1)}, tmp_path / "q.safetensors", {RECIPE_KEY: text})
        with pytest.raises(WeightsError, match="its recipe is damaged"):
            read_recipe(tmp_path / "q.safetensors")


def _refused(module: nn.Module, load: Callable[[], None], message: str) -> None:
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load()
    assert message in caught.value.message
    assert caught.value.message.isprintable()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
