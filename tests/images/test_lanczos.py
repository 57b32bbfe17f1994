"""Reducing by torch's kernel gives Pillow's pixels, but for rounding, and steps aside where it can't."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.images import lanczos
from iqa_cli.images.decode import open_photo
from iqa_cli.images.lanczos import _knows_lanczos, lanczos_by_torch
from tests.conftest import ROOT

if not _knows_lanczos():
    pytest.skip("this torch has no Lanczos kernel", allow_module_level=True)


def both(picture: Image.Image, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """By Pillow, and as scoring has it; in whole numbers that can be subtracted."""
    with open_photo(picture) as photo:
        return tuple(photo.resized(width, height, quick=quick).astype(int) for quick in (False, True))  # type: ignore[return-value]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(216, 268), (301, 173), (64, 500)])
def test_is_as_near_to_the_exact_result_as_pillow(dog: Image.Image, mode: str, size: tuple[int, int]) -> None:
    dog = dog.convert(mode)
    slow, quick = both(dog, *size)
    assert not np.array_equal(slow, quick)  # torch was asked
    values = torch.from_numpy(np.array(dog.convert("RGB"))).permute(2, 0, 1)[None].double()
    exact = torch.nn.functional.interpolate(values, size=size[::-1], mode="lanczos", antialias=True)
    wanted = exact[0].permute(1, 2, 0).clamp(0, 255).numpy()
    errors = [float(np.sqrt(((made - wanted) ** 2).mean())) for made in (slow, quick)]
    assert errors[1] < errors[0] + 0.005
    assert np.abs(slow - quick).max() <= 3


@pytest.mark.parametrize("full", [(1900, 2400), (1901, 2399), (1230, 2567)])
def test_behind_the_box_averages_of_a_strong_reduction(dog: Image.Image, full: tuple[int, int]) -> None:
    slow, quick = both(dog.resize(full), 200, 253)
    assert not np.array_equal(slow, quick)
    assert np.abs(slow - quick).max() <= 3
    assert (slow != quick).mean() < 0.2


def test_a_turned_picture_stays_turned(dog: Image.Image) -> None:
    dog.getexif()[274] = 6
    with open_photo(dog) as photo:
        quick = photo.resized(268, 216, quick=True)
    slow, _ = both(dog, 268, 216)
    assert quick.shape == (216, 268, 3)
    assert np.abs(quick.astype(int) - slow).max() <= 3


def test_transparency_is_left_to_pillow(dog: Image.Image) -> None:
    dog.putalpha(Image.linear_gradient("L").resize(dog.size))
    slow, quick = both(dog, 216, 268)
    assert np.array_equal(slow, quick)


def test_without_the_kernel_pillow_does_it(dog: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise NotImplementedError("mode lanczos")

    monkeypatch.setattr(lanczos, "_reduced", refuses)
    _knows_lanczos.cache_clear()
    try:
        assert lanczos_by_torch(dog, 20, 20, dog.size) is None
        slow, quick = both(dog, 216, 268)
        assert np.array_equal(slow, quick)
    finally:
        _knows_lanczos.cache_clear()


def test_scores_of_a_store_are_those_without_one(examples: Path, tmp_path: Path) -> None:
    """Whoever scores for a store decodes before, while and after torch is loaded."""
    large = tmp_path / "large"
    large.mkdir()
    with Image.open(examples / "dog.jpg") as photo:
        for place in range(6):
            photo.resize((1301 + place, 1601)).save(large / f"{place:02}.png", compress_level=1)
    weight = ROOT / "weights" / "qfm-iqm.safetensors"
    command = [sys.executable, "-m", "iqa_cli", "score", "-r", str(large), "--model", str(weight)]
    command += ["--threads", "1", "--format", "csv"]
    plain, stored = (
        subprocess.run([*command, *further], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for further in ([], ["--store", str(tmp_path / "s.db")])
    )
    assert plain == stored


def test_crops_for_an_engine_without_torch_do_not_load_it(examples: Path) -> None:
    script = """
import sys
from iqa_cli.images.crops import iter_shared_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import SizePolicy
from PIL import Image
with Image.open(sys.argv[1]) as photo, open_photo(photo.resize((1300, 1600))) as large:
    for quick in (False, True):
        views = {crop.view for _, crop in iter_shared_crops(large, [SizePolicy()], quick=quick)}
        print("whole" in views, "torch" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(examples / "dog.jpg")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.split() == ["True", "False", "True", "True"]
