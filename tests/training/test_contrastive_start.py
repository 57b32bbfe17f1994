"""The file that pre-training the DAN leaves: what it carries, and what of other files is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from iqa_cli.errors import WeightsError
from iqa_cli.images.distortions import TYPES
from iqa_cli.networks.dan import DAN
from iqa_cli.networks.distortion_head import DistortionHead
from iqa_cli.training.contrastive_finish import RESULT, dan_recipe, finish_pretraining
from iqa_cli.training.contrastive_net import ContrastiveDAN
from iqa_cli.training.dan_config import ContrastiveConfig
from iqa_cli.training.provenance import RECIPE_KEY, names_hash
from iqa_cli.training.report import finished_report
from iqa_cli.training.starts_dan import load_dan, network_fields, read_dan_recipe
from tests.training.tinydan import TINY_SETTINGS, TinyDAN, cuttings, tiny_dan, write_archive

CPU = torch.device("cpu")


def with_head(dan: DAN, stages: str, names: tuple[str, ...] = TYPES) -> Any:
    """A DAN with a head, as `FrozenDAN` has one."""
    dan.head = DistortionHead(names, stages)  # type: ignore[arg-type]
    return dan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """A folder with a result; the network in it has never been trained."""
    folder = tmp_path_factory.mktemp("made")
    config = ContrastiveConfig(**TINY_SETTINGS)
    images = cuttings(examples, 5)
    paths = [Path(f"{i}.png") for i in range(5)]
    recipe = dan_recipe(config, "cpu", write_archive(folder / "r.npz"), paths[:4], paths[4:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iqa_cli.training.dan_heads.DECAYS", (1e-2,))
        patch.setattr("iqa_cli.training.dan_heads._ITERATIONS", 2)
        model = ContrastiveDAN(tiny_dan(), config.frozen, 16, 8)
        assert finished_report(folder, RESULT) is None
        report = finish_pretraining(
            config, model, tiny_dan(), images[:4], images[4:], recipe, folder, lambda _: None, CPU
        )
    assert json.loads(json.dumps(report)) == finished_report(folder, RESULT)
    return folder


def test_untrained_and_start_are_the_same_and_so_is_what_they_name(made: Path) -> None:
    report = finished_report(made, RESULT)
    assert report is not None
    assert report["networks"]["contrastive"] == report["networks"]["imagenet"]
    assert {v for row in report["difference"].values() for v in row.values()} == {0}
    assert report["protocol"]["crops"] == 136
    assert report["recipe"]["data"]["reported_on_hash"] == names_hash([Path("4.png")])
    assert (made / "report.md").read_text().startswith("# Naming distortions")


def test_it_fills_a_dan_and_its_head(made: Path, examples: Path) -> None:
    recipe = read_dan_recipe(made / RESULT)
    fields = network_fields(recipe)
    assert fields["dan_strides"] == "caffe"
    assert fields["distortions"] == TYPES
    dan = with_head(TinyDAN("caffe"), fields["distortion_stages"])
    assert load_dan(dan, made / RESULT) == recipe
    original = tiny_dan()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(dan.eval()(x), original(x), strict=True))
    held = load_file(made / RESULT)
    assert torch.equal(dan.head.types.weight, held["head.types.weight"])
    bare = TinyDAN("caffe")  # without a head
    load_dan(bare, made / RESULT)
    assert torch.equal(bare.resnet.conv1.weight, original.resnet.conv1.weight)


def _change(
    made: Path, path: Path, tensors: Callable[[dict], object], recipe: Callable[[dict], object]
) -> Path:
    """The result, changed."""
    held = load_file(made / RESULT)
    with safe_open(made / RESULT, "pt") as file:
        metadata = dict(file.metadata())
    told = json.loads(metadata[RECIPE_KEY])
    tensors(held)
    recipe(told)
    save_file(held, path, {RECIPE_KEY: json.dumps(told)})
    return path


def _same(_: dict) -> None:
    return None


@pytest.mark.parametrize(
    ("tensors", "recipe", "message"),
    [
        (lambda t: t.pop("head.types.weight"), _same, "lacks head.types.weight"),
        (lambda t: t.pop("layer3.0.bn2.bias"), _same, "lacks layer3.0.bn2.bias"),
        (lambda t: t.update(conv1=t.pop("conv1.weight")), _same, "lacks conv1.weight"),
        (lambda t: t.update({"bn1.bias": torch.zeros(3)}), _same, "other shape of bn1.bias"),
        (lambda t: t["bn1.bias"].fill_(float("inf")), _same, "bn1.bias is not finite"),
        (_same, lambda r: r.update(strides="torch"), "needs torch strides, and this DAN has caffe ones"),
        (_same, lambda r: r.update(strides="other"), "unknown strides"),
        (_same, lambda r: r["distortions"]["types"].reverse(), "names other distortions"),
        (_same, lambda r: r["distortions"].update(types=[]), "is no start of a DAN"),
        (_same, lambda r: r["distortions"].update(types=[1]), "is no start of a DAN"),
        (_same, lambda r: r["distortions"].update(levels=4), "4 levels, not 5"),
        (_same, lambda r: r.pop("data"), "is no start of a DAN: 'data'"),
        (_same, lambda r: r.update(teacher="a\x1b[2Jb"), "is no start of a DAN"),
    ],
)
def test_what_does_not_fit_is_one_line_and_changes_nothing(
    made: Path, tmp_path: Path, tensors: Callable, recipe: Callable, message: str
) -> None:
    path = _change(made, tmp_path / "changed.safetensors", tensors, recipe)
    dan = with_head(TinyDAN("caffe"), read_dan_recipe(made / RESULT)["head"]["stages"])
    before = {name: value.clone() for name, value in dan.state_dict().items()}
    with pytest.raises(WeightsError, match=message) as error:
        load_dan(dan, path)
    assert str(path) in error.value.message
    assert "\n" not in error.value.message
    assert "\x1b" not in error.value.message
    assert all(torch.equal(value, before[name]) for name, value in dan.state_dict().items())


def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(WeightsError, match="does not say what it is"):
        load_dan(TinyDAN("caffe"), tmp_path / "bare.safetensors")
    with pytest.raises(WeightsError):
        load_dan(TinyDAN("caffe"), tmp_path / "nowhere.safetensors")
