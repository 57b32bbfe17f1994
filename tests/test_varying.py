"""Scores of pictures and of their variants."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from iqa_cli import load
from iqa_cli.datasets.synth_sources import find_sources
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.images.decode import open_photo
from iqa_cli.images.variants import VARIANTS, crop, flip, pixels_of, shift
from iqa_cli.varying import rounds, score_variants
from tests.tinyweight import make_tiny_weight


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> list[Path]:
    place = tmp_path_factory.mktemp("weights")
    return [make_tiny_weight(place, examples, name, seed=seed) for name, seed in (("one", 3), ("two", 4))]


@pytest.fixture
def folder(tmp_path: Path, examples: Path) -> Path:
    """A photograph, and a small picture with transparent parts."""
    shutil.copy(examples / "dog.jpg", tmp_path)
    with Image.open(examples / "palace.jpg") as image:
        small = image.convert("RGB").resize((150, 120))
    small.putalpha(Image.linear_gradient("L").resize(small.size))
    small.save(tmp_path / "clear.png")
    return tmp_path


def left(rgb: NDArray[np.uint8]) -> float:
    """Looks at the left half only."""
    return float(rgb[:, : rgb.shape[1] // 2].mean())


def test_movements_are_those_of_the_pictures_scored_one_by_one(folder: Path, weights: list[Path]) -> None:
    sources = find_sources(folder)
    done = []
    found = score_variants(sources, weights, device="cpu", advance=lambda: done.append(1))
    assert len(done) == rounds(sources)
    assert list(found.movements) == ["one", "two"]
    for path in weights:
        name = path.name.removesuffix(".safetensors")
        moved = {row.change: row for row in found.movements[name]}
        assert list(moved) == [*VARIANTS, "batch-1", "bf16"]
        assert all(row.n_used == row.n_total == 2 for row in moved.values())
        scorer = load(path, device="cpu")
        sizes: dict[str, list[float]] = {"flip": [], "shift": [], "crop": []}
        for source in sources:
            with open_photo(source.path) as photo:
                pixels = pixels_of(photo)
            for make in (flip, shift, crop):
                before, after = make(pixels)
                scores = scorer.score(pixels if before is None else before).score, scorer.score(after).score
                assert None not in scores
                sizes[make.__name__].append(abs(scores[1] - scores[0]))  # type: ignore[operator]
        for change, expected in sizes.items():
            assert moved[change].mean == pytest.approx(np.mean(expected), abs=2e-3)
            assert moved[change].max == pytest.approx(max(expected), abs=2e-3)
        # What is lossless, and what computes the same in another order, moves nothing that is ever shown.
        assert moved["reencode"].max == pytest.approx(0, abs=5e-3)
        assert moved["batch-1"].max == pytest.approx(0, abs=5e-3)
        assert moved["bf16"].max != 0


def test_scorers_that_are_no_weights_move_too(folder: Path) -> None:
    found = score_variants(find_sources(folder), [], {"left": left, "flat": lambda rgb: 1.0})
    moved = {row.change: row for row in found.movements["left"]}
    assert list(moved) == list(VARIANTS)
    assert moved["reencode"].max == 0
    assert moved["flip"].max is not None
    assert moved["flip"].max > 1
    assert all(row.max == 0 for row in found.movements["flat"])


def test_other_scorers_beside_weights_say_what_they_say_alone(folder: Path, weights: list[Path]) -> None:
    sources = find_sources(folder)
    alone = score_variants(sources, [], {"left": left})
    beside = score_variants(sources, weights[:1], {"left": left}, device="cpu")
    assert beside.movements["left"] == alone.movements["left"]


def test_a_picture_that_cannot_be_read_ends_the_run_unless_it_may_be_missing(
    folder: Path, weights: list[Path]
) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    sources = find_sources(folder)
    for files in ([], weights[:1]):
        with pytest.raises(ImageError, match=r"broken\.jpg"):
            score_variants(sources, files, {"left": left}, device="cpu")
        found = score_variants(sources, files, {"left": left}, device="cpu", allow_missing=True)
        assert found.pictures == 2
        assert list(found.failures) == ["broken.jpg"]
        assert all(row.n_used == 2 for rows in found.movements.values() for row in rows)
    with pytest.raises(DatasetError, match="none of 1 pictures"):
        score_variants(sources[:1], [], {"left": left}, allow_missing=True)


def test_a_variant_without_a_score_leaves_the_picture_out(tmp_path: Path, weights: list[Path]) -> None:
    """A picture of just the least side has no room to be moved in."""
    Image.linear_gradient("L").resize((16, 40)).save(tmp_path / "thin.png")
    with pytest.raises(ImageError, match=r"thin\.png: (before )?shift: .*too small"):
        score_variants(find_sources(tmp_path), weights[:1], device="cpu")
