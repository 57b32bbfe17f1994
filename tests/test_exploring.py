"""Photographs distorted on the fly: the pictures of `iqa data synth`, every score at its place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iqa_cli import load, load_many
from iqa_cli.datasets.synth_sources import Source, find_sources, prepare
from iqa_cli.datasets.synth_task import generator
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.evaluation.exploration import explore
from iqa_cli.exploring import Design, score_ladders
from iqa_cli.images.distortions import distort
from tests.tinyweight import make_tiny_weight

DESIGN = Design(types=("jpeg", "white_noise"), levels=(1, 5), size=96)


@pytest.fixture
def folder(tmp_path: Path, examples: Path) -> Path:
    for name in ("dog.jpg", "cliffs.jpg", "palace.jpg"):
        shutil.copy(examples / name, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> list[Path]:
    place = tmp_path_factory.mktemp("weights")
    return [make_tiny_weight(place, examples, name, seed=seed) for name, seed in (("one", 3), ("two", 4))]


def noise(rgb: NDArray[np.uint8]) -> float:
    """Falls with noise: the mean step from pixel to pixel, negated."""
    return -float(np.abs(np.diff(rgb.astype(np.float64), axis=0)).mean())


def one_by_one(source: Source, score: Any) -> list[float]:
    """Scores of the pictures of a photograph, made one after the other."""
    image, _ = prepare(source, DESIGN.size)
    made = [image]
    for kind in DESIGN.types:
        made += [distort(image, kind, level, generator(DESIGN.seed, source, kind)) for level in DESIGN.levels]
    return [score(picture) for picture in made]


def test_every_score_is_at_its_place(folder: Path, weights: list[Path]) -> None:
    sources = find_sources(folder)
    done = []
    group = load_many(weights, device="cpu", batch_size=7)
    found = score_ladders(sources, DESIGN, group, {"noise": noise}, advance=lambda: done.append(1))
    assert len(done) == 3 * DESIGN.pictures == 15
    assert [source.name for source in found.sources] == ["cliffs.jpg", "dog.jpg", "palace.jpg"]
    scorers = {path.name.removesuffix(".safetensors"): load(path, device="cpu") for path in weights}
    asked = {name: lambda rgb, scorer=scorer: scorer.score(rgb).score for name, scorer in scorers.items()}
    assert list(found.ladders) == ["one", "two", "noise"]
    for name, score in {**asked, "noise": noise}.items():
        ladders = found.ladders[name]
        for index, source in enumerate(sources):
            expected = one_by_one(source, score)
            assert ladders.pristine[index] == pytest.approx(expected[0], abs=1e-3)
            assert ladders.distorted[index].ravel() == pytest.approx(expected[1:], abs=1e-3)


def test_scorers_need_no_weight_and_noise_is_seen(folder: Path) -> None:
    found = score_ladders(find_sources(folder), Design(("white_noise",), size=96), None, {"noise": noise})
    whole, _ = explore(found.ladders["noise"])
    assert whole.l_srcc == 1
    again = score_ladders(find_sources(folder), Design(("white_noise",), size=96), None, {"noise": noise})
    assert np.array_equal(again.ladders["noise"].distorted, found.ladders["noise"].distorted)


def test_a_photograph_that_cannot_be_read_ends_the_run_unless_it_may_be_missing(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    sources = find_sources(folder)
    with pytest.raises(ImageError, match=r"broken\.jpg: .*damaged|broken\.jpg: "):
        score_ladders(sources, DESIGN, None, {"noise": noise})
    found = score_ladders(sources, DESIGN, None, {"noise": noise}, allow_missing=True)
    assert list(found.failures) == ["broken.jpg"]
    assert [source.name for source in found.sources] == ["cliffs.jpg", "dog.jpg", "palace.jpg"]
    assert len(found.ladders["noise"].pristine) == 3
    with pytest.raises(DatasetError, match=r"none of 1 photographs .*broken\.jpg"):
        score_ladders(sources[:1], DESIGN, None, {"noise": noise}, allow_missing=True)


def test_a_failure_beside_weights_ends_the_run_too(folder: Path, weights: list[Path]) -> None:
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff no picture")
    group = load_many(weights[:1], device="cpu")
    with pytest.raises(ImageError, match=r"a\.jpg"):
        score_ladders(find_sources(folder), DESIGN, group)
    found = score_ladders(find_sources(folder), DESIGN, group, allow_missing=True)
    assert len(found.sources) == 3


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_a_failure(folder: Path, bad: float) -> None:
    with pytest.raises(ImageError, match="odd gave a value that is not a finite number"):
        score_ladders(find_sources(folder), DESIGN, None, {"odd": lambda rgb: bad})


def test_a_scorer_that_refuses_a_picture_is_named(folder: Path) -> None:
    def refuse(rgb: NDArray[np.uint8]) -> float:
        raise ImageError("too plain")

    with pytest.raises(ImageError, match="strict: too plain"):
        score_ladders(find_sources(folder), DESIGN, None, {"strict": refuse})


@pytest.mark.slow
def test_the_shipped_weight_orders_what_nobody_doubts(folder: Path) -> None:
    # With 384 pixels: D 0.98, L 1, P 1. A weight that did worse than this would be broken.
    found = score_ladders(find_sources(folder), Design(), load_many(["mfenet"], device="cpu"))
    whole, by_type = explore(found.ladders["mfenet"])
    assert len(by_type) == 4
    assert whole.d > 0.9
    assert whole.l_srcc is not None
    assert whole.l_srcc > 0.95
    assert whole.p is not None
    assert whole.p > 0.95
