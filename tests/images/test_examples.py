"""The example photographs: small, documented, and the distorted ones made by the script beside them."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def script(examples: Path) -> dict[str, object]:
    return runpy.run_path(str(examples / "make_examples.py"))


def test_about_a_dozen_small_ones_each_with_its_origin(examples: Path) -> None:
    pictures = sorted(examples.glob("*.jpg"))
    assert 10 <= len(pictures) <= 15
    assert sum(path.stat().st_size for path in pictures) < 1_500_000
    origin = (examples / "ORIGIN.txt").read_text()
    for path in pictures:
        with Image.open(path) as picture:
            assert max(picture.size) <= 640
        assert sum(line.split()[:1] == [path.name] for line in origin.splitlines()) == 1


def test_the_script_makes_the_distorted_ones(script: dict, examples: Path, tmp_path: Path) -> None:
    script["make"](tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    originals = {original for original, _, _ in script["RECIPES"].values()}
    assert made | originals == {path.name for path in examples.glob("*.jpg")}
    for name in made:
        with Image.open(tmp_path / name) as new, Image.open(examples / name) as shipped:
            # Another version of the JPEG library may round differently.
            apart = np.abs(np.asarray(new).astype(int) - np.asarray(shipped))
            assert apart.mean() < 1


def test_distortions_are_plain_to_see(script: dict, examples: Path) -> None:
    for name, (original, _, _) in script["RECIPES"].items():
        with Image.open(examples / name) as distorted, Image.open(examples / original) as clean:
            assert distorted.size == clean.size
            apart = np.asarray(distorted).astype(float) - np.asarray(clean)
            assert np.sqrt((apart**2).mean()) > 8
