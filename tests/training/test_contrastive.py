"""Pre-training of the DAN: batch norms that work again, frozen stages, and runs that are resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from iqa_cli.errors import IqaError, UsageError
from iqa_cli.training import contrastive
from iqa_cli.training.contrastive import pretrain
from iqa_cli.training.contrastive_net import ContrastiveDAN, restore_batch_norms
from iqa_cli.training.crops import Image, to_tensor
from iqa_cli.training.dan_config import ContrastiveConfig
from tests.training.tinydan import TINY_SETTINGS, cuttings, tiny_dan

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(examples: Path) -> list[Image]:
    return cuttings(examples, 6)


@pytest.fixture(scope="module")
def rgb(images: list[Image]) -> Tensor:
    import numpy as np

    return to_tensor(np.stack(images))


def test_batch_norms_put_back_leave_the_output_as_it_was(rgb: Tensor) -> None:
    dan = tiny_dan()
    with torch.no_grad():
        before = dan(rgb)
        restore_batch_norms(dan, [rgb[:2], rgb[2:]], dan)
        after = dan(rgb)
    for one, other in zip(before, after, strict=True):
        assert float(one.std()) > 0.01
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))


def test_batch_norms_put_back_have_the_statistics_of_what_they_were_given(rgb: Tensor) -> None:
    dan = tiny_dan()
    seen: list[Tensor] = []
    norm = dan.resnet.layer3[0].bn2
    hook = norm.register_forward_pre_hook(lambda _, given: seen.append(given[0].double()))
    with torch.no_grad():
        restore_batch_norms(dan, [rgb[:1], rgb[1:4], rgb[4:]], dan)
    hook.remove()
    pixels = torch.cat([z.permute(1, 0, 2, 3).flatten(1) for z in seen], 1)
    assert torch.allclose(norm.running_mean.double(), pixels.mean(1), atol=1e-5)
    assert torch.allclose(norm.running_var.double(), pixels.var(1, unbiased=False), rtol=1e-4, atol=1e-9)
    # In training mode they normalise now; folded ones would have divided by another scale.
    with torch.no_grad():
        evaluated = dan(rgb)[-1]
        trained = dan.train()(rgb)[-1]
    assert float((trained - evaluated).abs().mean() / evaluated.abs().mean()) < 0.2


def test_frozen_stages_neither_learn_nor_change_their_statistics(images: list[Image], tmp_path: Path) -> None:
    config = ContrastiveConfig(**{**TINY_SETTINGS, "steps": 2})
    dan = tiny_dan()
    before = {name: value.clone() for name, value in dan.resnet.state_dict().items()}
    pretrain(config, dan, images, tmp_path, lambda _: None, CPU)
    after = dan.resnet.state_dict()
    changed = {name.split(".")[0] for name, v in before.items() if not torch.equal(v, after[name])}
    # Every norm was put back; of the weights only those of the later stages have moved.
    convolutions = {name for name, v in before.items() if v.dim() == 4 and not torch.equal(v, after[name])}
    assert {name.split(".")[0] for name in convolutions} == {"layer3", "layer4"}
    assert changed >= {"bn1", "layer1", "layer2", "layer3", "layer4"}
    counted = {n.split(".")[0] for n, v in after.items() if n.endswith("num_batches_tracked") and int(v)}
    assert counted == {"layer3", "layer4"}


def test_the_frozen_maps_can_be_shared(rgb: Tensor) -> None:
    model = ContrastiveDAN(tiny_dan(), 2, 16, 8).eval()
    with torch.no_grad():
        whole = model.dan((rgb - model.mean) / model.std)
        shared = model.later(model.early(rgb), rgb)
        embedding = model(rgb)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(whole, shared, strict=True))
    assert torch.allclose(embedding.norm(dim=1), torch.ones(len(rgb)))
    assert {len(ContrastiveDAN(tiny_dan(), n, 16, 8).early(rgb)) for n in range(4)} == {0, 1, 2, 3}


def test_a_run_that_was_interrupted_ends_as_an_unbroken_one(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ContrastiveConfig(**TINY_SETTINGS)
    monkeypatch.setattr(contrastive, "LOG_EVERY", 1)
    whole = pretrain(config, tiny_dan(), images, tmp_path / "whole", lambda _: None, CPU)
    with pytest.raises(KeyboardInterrupt, match="interrupted at step 3; the same command resumes"):
        pretrain(config, tiny_dan(), images, tmp_path / "cut", _interrupt_at("step 3/6"), CPU)
    said: list[str] = []
    resumed = pretrain(config, tiny_dan(1), images, tmp_path / "cut", said.append, CPU, threads=2)
    assert said[0] == "resumed at step 3 of 6"
    state = whole.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in resumed.state_dict().items())
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("whole", "cut")]
    losses = [[json.loads(line)["loss"] for line in log] for log in logs]
    assert losses[0] == losses[1]


def _interrupt_at(start: str) -> Callable[[str], None]:
    import os
    import signal

    def log(line: str) -> None:
        if line.startswith(start):
            os.kill(os.getpid(), signal.SIGINT)

    return log


def test_the_folder_of_another_run_is_left_alone(images: list[Image], tmp_path: Path) -> None:
    config = ContrastiveConfig(**{**TINY_SETTINGS, "steps": 1})
    pretrain(config, tiny_dan(), images, tmp_path, lambda _: None, CPU)
    before = (tmp_path / "last.pt").read_bytes()
    other = ContrastiveConfig(**{**TINY_SETTINGS, "steps": 2})
    with pytest.raises(UsageError, match=r"another run: settings steps \(1 there, 2 now\)"):
        pretrain(other, tiny_dan(), images, tmp_path, lambda _: None, CPU)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_ends_the_run_unsaved(images: list[Image], tmp_path: Path) -> None:
    dan = tiny_dan()
    nn.init.constant_(dan.resnet.layer4[0].conv3.weight, float("nan"))
    with pytest.raises(IqaError, match="step 1: the loss is not finite"):
        pretrain(ContrastiveConfig(**TINY_SETTINGS), dan, images, tmp_path, lambda _: None, CPU)
    assert not (tmp_path / "last.pt").exists()


@pytest.mark.slow
def test_it_learns(images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "LOG_EVERY", 10)
    config = ContrastiveConfig(**{**TINY_SETTINGS, "types": 27, "steps": 60, "frozen": 0})
    pretrain(config, tiny_dan(), images, tmp_path, lambda _: None, CPU)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.3
