"""Batches of distorted crops: balanced, the same for every number of threads, without the margin's border."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from iqa_cli.errors import UsageError
from iqa_cli.images.distortions import LEVELS, TYPES, distort
from iqa_cli.training.contrastive import check_pretraining
from iqa_cli.training.crops import Image
from iqa_cli.training.dan_batches import (
    CLASSES,
    TRAINING,
    Crop,
    class_of,
    crop_batches,
    make_crop,
    training_batch,
    type_and_level,
)
from iqa_cli.training.dan_config import PRESETS, ContrastiveConfig, preset_config
from tests.conftest import ROOT
from tests.training.tinydan import cuttings

SMALL = ContrastiveConfig(types=9, levels=3, images=4, photographs=5)


def test_there_is_a_class_for_every_type_and_level_and_one_for_pristine() -> None:
    found = [class_of(kind, level) for kind in range(len(TYPES)) for level in range(1, LEVELS + 1)]
    assert sorted([0, *found]) == list(range(CLASSES))
    assert all(class_of(*type_and_level(label)) == label for label in range(1, CLASSES))
    assert type_and_level(0) == (-1, 0)


def test_every_class_of_a_batch_has_as_many_crops_each_of_another_photograph() -> None:
    for step in range(7):
        crops = training_batch(SMALL, 12, TRAINING, step)
        assert set(Counter(crop.label for crop in crops).values()) == {4}
        assert len({crop.label for crop in crops}) == 1 + 9 * 3
        assert len({(crop.label, crop.photograph) for crop in crops}) == len(crops)
        assert len({crop.photograph for crop in crops}) <= 5
        assert len({crop.seed for crop in crops}) == len(crops)


def test_over_a_run_types_take_turns_and_every_class_and_photograph_comes() -> None:
    steps = [training_batch(SMALL, 12, TRAINING, step) for step in range(90)]
    for first in range(0, 90, 3):  # 27 types, 9 at a time
        kinds = [type_and_level(c.label)[0] for step in steps[first : first + 3] for c in step]
        assert set(Counter(k for k in kinds if k >= 0).values()) == {3 * 4}
    counts = Counter(crop.label for step in steps for crop in step)
    assert len(counts) == CLASSES
    assert {crop.photograph for step in steps for crop in step} == set(range(12))


def test_the_paper_s_batch_has_all_classes() -> None:
    crops = training_batch(preset_config("paper", {}), 253, TRAINING, 3)
    assert Counter(crop.label for crop in crops) == dict.fromkeys(range(CLASSES), 8)
    assert set(PRESETS) == {"paper", "cpu"}


def test_the_presets_in_the_docs_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "pretraining.md").read_text()
    told: dict[str, dict[str, float]] = {"paper": {}, "cpu": {}}
    for line in text[text.index("| setting |") :].splitlines()[2:]:
        if not line.startswith("| `"):
            break
        names, *figures = (cell.strip() for cell in line.split("|")[1:4])
        for preset, cell in zip(told, figures, strict=True):
            values = [float(word) for word in cell.split(",")]
            told[preset] |= dict(zip([n.strip(" `") for n in names.split(",")], values, strict=True))
    for preset, values in told.items():
        settings = preset_config(preset, {}).to_dict()
        del settings["seed"], settings["precision"]
        assert values == settings


def test_threads_change_nothing(examples: Path) -> None:
    images = cuttings(examples, 12)
    plans = [training_batch(SMALL, 12, TRAINING, step) for step in (4, 5)]
    one = list(crop_batches(images, plans, 48, 8, 1))
    three = list(crop_batches(images, plans, 48, 8, 3))
    for (rgb, labels), (other, other_labels), plan in zip(one, three, plans, strict=True):
        assert torch.equal(rgb, other)
        assert labels.tolist() == other_labels.tolist() == [crop.label for crop in plan]
        assert rgb.shape == (len(plan), 3, 48, 48)
        assert 0 <= float(rgb.min()) < float(rgb.max()) <= 1


def test_a_crop_is_cut_of_what_was_distorted_with_its_margin(examples: Path) -> None:
    (image,) = cuttings(examples, 1, 96)  # size + 2 * margin: the region can only be the whole picture
    rng = np.random.default_rng(0)
    label = class_of(TYPES.index("gaussian_blur"), 5)
    whole = distort(image, "gaussian_blur", 5, rng)
    found = {_place(make_crop([image], Crop(0, label, (i,)), 64, 16), whole) for i in range(12)}
    assert None not in found
    assert len(found) > 6  # the crop lies anywhere in it


def _place(crop: Image, whole: Image) -> tuple[int, int, bool] | None:
    for flipped in (False, True):
        picture = whole[:, ::-1] if flipped else whole
        for y in range(33):
            for x in range(33):
                # Blurring the flipped picture may round some values otherwise.
                if np.abs(picture[y : y + 64, x : x + 64].astype(int) - crop).max() <= 1:
                    return y, x, flipped
    return None


def test_a_pristine_crop_is_a_part_of_the_photograph(examples: Path) -> None:
    (image,) = cuttings(examples, 1, 96)
    crop = make_crop([image], Crop(0, 0, (3,)), 64, 16)
    assert _place(crop, image) is not None


def test_a_photograph_smaller_than_a_crop_is_mirrored(examples: Path) -> None:
    (image,) = cuttings(examples, 1, 50)
    assert make_crop([image], Crop(0, class_of(9, 2), (1,)), 64, 16).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"types": 28}, "types must be at most 27, not 28"),
        ({"images": 9}, "images must be at most the 8 photographs there are"),
        ({"photographs": 9}, "photographs must be at most the 8 photographs there are"),
    ],
)
def test_what_the_photographs_cannot_give_is_refused(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_pretraining(ContrastiveConfig(**values), 8)


@pytest.mark.parametrize(
    ("preset", "values", "message"),
    [
        ("cpus", {}, "there is no preset 'cpus'"),
        ("cpu", {"step": 4}, "there is no field 'step'"),
        ("cpu", {"images": 1}, "images must be at least 2"),
        ("cpu", {"photographs": 3}, "photographs must be 0 or at least images"),
        ("cpu", {"frozen": 4}, "frozen must be at most 3"),
        ("paper", {"temperature": "warm"}, "temperature must be a finite number"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(preset: str, values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        preset_config(preset, values)
