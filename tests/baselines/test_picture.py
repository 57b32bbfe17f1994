"""Files scored by baselines: read as a weight reads them, and what cannot be read is a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iqa_cli.baselines import BASELINES, baseline
from iqa_cli.baselines.picture import Judgement, judge

ALL = list(BASELINES.values())


def test_a_file_is_scored_by_all_at_once(examples: Path, dog: Image.Image) -> None:
    found = judge(examples / "dog.jpg", ALL)
    assert list(found) == list(BASELINES)
    for known in ALL:
        assert found[known.name] == Judgement(known.score(np.array(dog)))


def test_pictures_are_turned_as_they_are_displayed(tmp_path: Path, dog: Image.Image) -> None:
    turned = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    dog.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    assert judge(turned, ALL) == judge(dog, ALL)


def test_a_transparent_picture_is_judged_on_the_worse_ground(dog: Image.Image) -> None:
    # Light grey on nothing: hardly to be seen on the light ground, sharp on the dark one.
    rng = np.random.default_rng(0)
    opaque = np.kron(rng.integers(0, 2, (16, 16)), np.ones((16, 16)))
    rgba = np.dstack([np.full((256, 256, 3), 210), 255 * opaque]).astype(np.uint8)
    found = judge(Image.fromarray(rgba), [baseline("laplacian")])["laplacian"].score
    grounds = [
        np.where(opaque[..., None] > 0, 210, level).repeat(3, 2).astype(np.uint8) for level in (32, 224)
    ]
    dark, light = (baseline("laplacian").score(ground) for ground in grounds)
    assert light < dark
    assert found == pytest.approx(light)


@pytest.mark.parametrize("name", BASELINES)
def test_what_cannot_be_read_is_a_line(
    tmp_path: Path, dog: Image.Image, encoded: Callable[..., bytes], name: str
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(encoded(dog, "JPEG")[:2000])
    for path, said in ((broken, "truncated"), (tmp_path / "none.jpg", "no such file"), (tmp_path, "folder")):
        found = judge(path, [BASELINES[name]])[name]
        assert found.score is None
        assert found.error is not None
        assert said in found.error


def test_one_that_fails_does_not_take_the_others_along(dog: Image.Image) -> None:
    found = judge(dog.resize((100, 90)), ALL)
    assert "too small" in (found["niqe"].error or "")
    assert all(found[name].score is not None for name in ("brisque", "piqe", "laplacian"))
