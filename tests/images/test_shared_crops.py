"""Crops for several policies at once: those of each by itself, cut out once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.errors import ImageError
from iqa_cli.images.crops import iter_crops, iter_shared_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import Mode, SizePolicy

SMALL = SizePolicy(crop=64, near_side=200, reduced_side=128, native_crops=4)
#: The same places, other shares: no native crops, nothing but all of them, a glance, nothing but a glance
#: (nor would its middle count as that of the others).
POLICIES = [
    SMALL,
    replace(SMALL, native_weight=0.0, glance_weight=0.25),
    replace(SMALL, native_weight=1.0, native_best=1.0),
    replace(SMALL, native_weight=0.3, glance_weight=0.5, centre_sigma=2.0),
    replace(SMALL, glance_weight=1.0, centre_sigma=0.8),
]


@pytest.mark.parametrize("mode", ["default", "native", "fast"])
@pytest.mark.parametrize("size", [(432, 536), (150, 90), (60, 40)])
@pytest.mark.parametrize("clear", [False, True])
def test_each_policy_gets_its_crops_in_its_order(
    examples: Path, mode: Mode, size: tuple[int, int], clear: bool
) -> None:
    with Image.open(examples / "dog.jpg") as picture:
        dog = picture.convert("RGB").resize(size)
    if clear:
        dog.putalpha(Image.linear_gradient("L").resize(size))
    with open_photo(dog) as photo:
        shared = list(iter_shared_crops(photo, POLICIES, mode))
        for index, policy in enumerate(POLICIES):
            alone = list(iter_crops(photo, policy, mode))
            beside = [crop for number, crop in shared if number == index]
            said = [[replace(crop, pixels=dog) for crop in some] for some in (alone, beside)]
            assert said[0] == said[1]
            for one, other in zip(alone, beside, strict=True):
                assert np.array_equal(one.pixels, other.pixels)
    distinct = {id(crop.pixels) for _, crop in shared}
    assert len(distinct) < len(shared)


def test_policies_that_look_elsewhere_and_pictures_that_are_too_small_are_refused(dog: Image.Image) -> None:
    with open_photo(dog) as photo:
        with pytest.raises(ValueError, match="same places"):
            iter_shared_crops(photo, [SMALL, SizePolicy()])
        with pytest.raises(ValueError, match="same places"):
            iter_shared_crops(photo, [SMALL, replace(SMALL, centre_sigma=0.0)])
        with pytest.raises(ImageError, match="at least 433"):
            iter_shared_crops(photo, [SizePolicy(min_side=433)])
