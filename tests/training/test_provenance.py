"""What a card says that a start has seen, from the start's own recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import WeightsError
from iqa_cli.training.checkpoint import save_start
from iqa_cli.training.config import DistillConfig
from iqa_cli.training.provenance import RECIPE_KEY, made_start, qen_recipe, read_recipe
from iqa_cli.training.restoration_config import RestorationConfig
from iqa_cli.training.restoration_finish import FurtherPictures, restoration_recipe

RECORDS = [ImageRecord(Path(f"{i}.png"), f"{i}.png", i / 4, i / 4, f"g{i}") for i in range(5)]


def _file(folder: Path, recipe: dict[str, object]) -> Path:
    path = folder / "start.safetensors"
    save_start(path, {"a": torch.zeros(1)}, {RECIPE_KEY: json.dumps(recipe)})
    return path


def test_labels_that_chose_the_pictures_of_a_start_are_told(tmp_path: Path) -> None:
    further = FurtherPictures("csv", "train", RECORDS, 0.5)
    path = _file(tmp_path, restoration_recipe(RestorationConfig(), "cpu", [Path("p.jpg")], [], further))
    seen = made_start("restoration", path, [(RECORDS, [])], [Path("p.jpg")])["seen"]
    assert seen == (
        "3 pictures of csv, part train, labels: MOS from 0.5 on taken for undistorted; 1 pristine photographs"
    )


def test_labels_that_were_not_read_are_told_so(tmp_path: Path) -> None:
    path = _file(tmp_path, qen_recipe(DistillConfig(), "csv", "train", RECORDS, []))
    assert (
        made_start("QEN", path, [(RECORDS, [])], [])["seen"] == "5 pictures of csv, part train, labels unread"
    )


def test_labels_that_are_no_text_are_a_damaged_recipe(tmp_path: Path) -> None:
    recipe = qen_recipe(DistillConfig(), "csv", "train", RECORDS, [])
    recipe["data"]["labels"] = ["x"]
    with pytest.raises(WeightsError, match="its recipe is damaged"):
        read_recipe(_file(tmp_path, recipe))


def test_the_same_start_is_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(5, dtype=torch.float16)}
    metadata = {f"key {i}": "wert ü" * i for i in range(8)}
    written = set()
    for number in range(4):
        path = tmp_path / f"{number}.safetensors"
        save_start(path, tensors, dict(sorted(metadata.items(), reverse=number % 2 == 1)))
        written.add(path.read_bytes())
    assert len(written) == 1
    with safe_open(path, "pt") as file:
        assert file.metadata() == metadata
        assert all(torch.equal(file.get_tensor(name), value) for name, value in tensors.items())
