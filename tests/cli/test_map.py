"""`iqa map`: where a photograph is good and where not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from iqa_cli import load
from iqa_cli.images.decode import open_photo
from iqa_cli.images.distortions import distort
from iqa_cli.report.map_overlay import span_of
from iqa_cli.scoring.quality_map import CELL, quality_map
from tests.cli.conftest import Iqa
from tests.conftest import ROOT

Photos = Callable[..., Path]


@pytest.fixture(scope="module")
def halves(examples: Path) -> np.ndarray:
    """A photograph whose right half is blurred."""
    with Image.open(examples / "dog.jpg") as image:
        pixels = np.asarray(image.convert("RGB")).copy()
    middle = pixels.shape[1] // 2
    blurred = distort(pixels, "gaussian_blur", 4, np.random.default_rng(0))
    pixels[:, middle:] = blurred[:, middle:]
    return pixels


def test_the_blurred_half_is_found(halves: np.ndarray) -> None:
    scorer = load(ROOT / "weights" / "mfenet.safetensors")
    with open_photo(halves) as photo:
        found = quality_map(scorer, photo).values
    columns = found.shape[1]
    sound, blurred = found[:, : columns // 3], found[:, -(columns // 3) :]
    assert sound.min() > blurred.max()


def test_cells_are_means_of_the_tiles_above_them(iqa: Iqa, halves: np.ndarray) -> None:
    scorer = load(iqa.weights / "mfenet.safetensors")
    with open_photo(halves[:230, :400]) as photo:
        found = quality_map(scorer, photo, step=1.0)
    assert found.values.shape == (29, 50)
    assert len(found.tiles) == 4
    crop = scorer.policy.crop
    corners = [halves[y : y + crop, x : x + crop] for y in (0, 230 - crop) for x in (0, 400 - crop)]
    alone = scorer.calibration(scorer.predict_crops(np.stack(corners)))
    np.testing.assert_allclose(found.tiles, alone, atol=1e-3)
    assert found.values.min() >= found.tiles.min() - 1e-3
    assert found.values.max() <= found.tiles.max() + 1e-3
    # Above the left column of cells there are the two left tiles alone.
    assert alone[[0, 2]].min() - 1e-3 <= found.values[:, 0].min()
    assert found.values[:, 0].max() <= alone[[0, 2]].max() + 1e-3


def test_formats(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    with Image.open(folder / "a.jpg") as image:
        width, height = image.size
    shape = (-(-height // CELL), -(-width // CELL))
    assert iqa("map", "a.jpg", "-o", "map.npy").code == 0
    values = np.load(folder / "map.npy")
    assert values.shape == shape
    assert values.dtype == np.float32
    as_csv = iqa("map", "a.jpg", "--format", "csv")
    np.testing.assert_allclose(np.loadtxt(as_csv.lines, delimiter=","), values, atol=0.006)
    png = iqa("map", "a.jpg")
    assert "points, mean" in png.err
    with Image.open(io.BytesIO(png.out)) as image:
        assert image.height == height
        assert image.width > width


def test_a_large_picture_is_reduced_unless_native(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    with Image.open(folder / "a.jpg") as image:
        image.resize((2000, 1100)).save(folder / "large.png")
    shapes = []
    for options in ([], ["--native"]):
        assert iqa("map", "large.png", "-o", "map.npy", *options).code == 0
        shapes.append(np.load(folder / "map.npy").shape)
    assert shapes[1] == (138, 250)
    assert shapes[0][0] * shapes[0][1] * CELL**2 == pytest.approx(1024**2, rel=0.05)


def test_what_cannot_be_done_is_one_line_and_nothing_is_written(iqa: Iqa, photos: Photos) -> None:
    folder = photos("a.jpg")
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:3000])
    cv2.imwrite(str(folder / "small.png"), np.zeros((8, 300, 3), np.uint8))
    before = sorted(folder.iterdir())
    for arguments, code in (
        (["cut.jpg", "-o", "m.png"], 3),
        (["small.png", "-o", "m.png"], 3),
        (["missing.jpg", "-o", "m.png"], 3),
        (["a.jpg", "-o", "a.jpg"], 2),
        (["a.jpg", "-o", "m.doc"], 2),
        (["a.jpg", "-o", "no/such/m.png"], 2),
        (["a.jpg", "-o", "m.png", "--scale", "60", "40"], 2),
    ):
        result = iqa("map", *arguments)
        assert result.code == code, result.err
        assert result.err.startswith("iqa: error: ")
        assert len(result.err.splitlines()) <= 2
    assert iqa("map", "a.jpg", terminal="stdout").code == 2
    assert sorted(folder.iterdir()) == before


def test_a_picture_that_is_the_same_everywhere_looks_so() -> None:
    assert span_of(np.full((4, 4), 71.0, np.float32)) == (60, 85)
    assert span_of(np.array([[2.0, 99.0]], np.float32)) == (0, 100)
    low, high = span_of(np.full((4, 4), 99.5, np.float32))
    assert high == 100
    assert high - low >= 20
