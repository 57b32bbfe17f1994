"""Several weights on the same pictures: decoded once, and every score the very bits that it has alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from iqa_cli import load, load_many
from iqa_cli.errors import ImageError, UsageError, WeightsError
from iqa_cli.images.policy import Mode, SizePolicy
from iqa_cli.scoring import group as module
from iqa_cli.scoring.group import ScorerGroup
from iqa_cli.scoring.scorer import Scorer
from tests.scoring.fakescorers import FakeScorer, group_of
from tests.tinyweight import make_tiny_weight

#: Seen by three weights: two look at the same places with other shares, the third looks elsewhere.
POLICIES = {
    "one": SizePolicy(crop=96, near_side=300, reduced_side=200, native_crops=4),
    "two": SizePolicy(crop=96, near_side=300, reduced_side=200, native_crops=4, glance_weight=0.3),
    "three": SizePolicy(crop=64, near_side=250, reduced_side=120, native_crops=3, min_side=50),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> list[Path]:
    """Files of the three weights."""
    folder = tmp_path_factory.mktemp("several")
    return [
        make_tiny_weight(folder, examples, name, seed=20 + number, policy=policy)
        for number, (name, policy) in enumerate(POLICIES.items())
    ]


@pytest.fixture(scope="module")
def alone(files: list[Path]) -> list[Scorer]:
    return [load(path, device="cpu", batch_size=7) for path in files]


@pytest.fixture(scope="module")
def group(files: list[Path]) -> ScorerGroup:
    return load_many(files, device="cpu", batch_size=7)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is decoded, in order."""
    found: list[Any] = []
    real = module.open_photo

    def count(source: Any, **options: Any) -> Any:
        found.append(source)
        return real(source, **options)

    monkeypatch.setattr(module, "open_photo", count)
    return found


@pytest.fixture
def pictures(examples: Path, dog: Image.Image) -> list[Any]:
    clear = dog.copy()
    clear.putalpha(Image.linear_gradient("L").resize(dog.size))
    return [examples / "dog.jpg", dog.resize((150, 90)), clear, examples / "cliffs.jpg"]


@pytest.mark.parametrize("mode", ["default", "fast"])
def test_scores_are_the_bits_of_each_weight_alone_and_pictures_are_decoded_once(
    group: ScorerGroup, alone: list[Scorer], pictures: list[Any], opened: list[Any], mode: Mode
) -> None:
    together = list(group.score_many(pictures, mode=mode))
    # In the fast mode a JPEG may be decoded at a reduced size, which hangs on the policy.
    assert len(opened) == len(pictures) * (1 if mode == "default" else 2)
    for number, scorer in enumerate(alone):
        singles = list(scorer.score_many(pictures, mode=mode))
        assert [p.scores[scorer.name] for p in together] == [p.score for p in singles]
        if number == 0:
            for one, other in zip(together, singles, strict=True):
                assert (one.score, one.raw, one.spread, one.crops) == (
                    other.score,
                    other.raw,
                    other.spread,
                    other.crops,
                )
    assert [list(p.scores) for p in together] == [list(POLICIES)] * len(pictures)
    assert len({value for p in together for value in p.scores.values()}) == 3 * len(pictures)
    assert {p.model for p in together} == {"one"}
    assert all(p.error is None and p.errors == {} for p in together)


@pytest.mark.parametrize(
    ("size", "policy"),
    [
        ((2200, 2200), SizePolicy(near_side=2300)),
        ((4000, 1000), SizePolicy(crop=1024, near_side=1024, reduced_side=1024)),
    ],
)
def test_what_is_tiled_as_it_is_is_not_decoded_smaller(size: tuple[int, int], policy: SizePolicy) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).save(file, "JPEG")
    found = group_of(FakeScorer(policy=policy)).score(file.getvalue(), mode="fast")
    assert found.error is None
    assert found.score == pytest.approx(50, abs=1)


def test_one_picture_is_scored_by_all(group: ScorerGroup, alone: list[Scorer], examples: Path) -> None:
    prediction = group.score(examples / "dog.jpg")
    assert prediction.scores == {s.name: s.score(examples / "dog.jpg").score for s in alone}


def test_a_stream_that_cannot_be_read_twice_is_scored_by_all(group: ScorerGroup, examples: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: Any) -> int:
            raise io.UnsupportedOperation("seek")

    content = (examples / "dog.jpg").read_bytes()
    for mode in ("default", "fast"):
        got = group.score(Pipe(content), mode=mode)
        assert got.scores == group.score(content, mode=mode).scores


def test_a_picture_that_one_of_them_cannot_score_is_scored_by_the_others(
    group: ScorerGroup, files: list[Path], dog: Image.Image
) -> None:
    small = dog.resize((200, 40))
    prediction = group.score(small)
    assert prediction.error is None
    assert prediction.scores["three"] is None
    assert prediction.scores["two"] is not None
    assert prediction.errors == {"three": "200x40 pixels is too small: both sides must have at least 50"}
    other = load_many(reversed(files), device="cpu")
    with pytest.raises(ImageError, match="at least 50"):
        other.score(small)
    first, second = other.score_many([small, dog])
    assert (first.score, first.error) == (None, prediction.errors["three"])
    assert first.scores["three"] is None
    assert first.scores["one"] == pytest.approx(prediction.scores["one"], abs=0.005)
    assert None not in second.scores.values()


def test_a_picture_that_cannot_be_read_is_so_for_all(group: ScorerGroup) -> None:
    (prediction,) = group.score_many(["missing.jpg"])
    assert prediction.score is None
    assert prediction.scores == dict.fromkeys(POLICIES)
    assert prediction.errors == dict.fromkeys(POLICIES, "no such file")
    with pytest.raises(ImageError, match="no such file"):
        group.score("missing.jpg")


def test_pictures_are_taken_as_they_come_and_never_far_ahead(group: ScorerGroup, dog: Image.Image) -> None:
    taken = []
    tiny = dog.resize((90, 80))

    def endless() -> Iterator[Image.Image]:
        while True:
            taken.append(1)
            yield tiny

    predictions = group.score_many(endless())
    for _ in range(30):
        next(predictions)
    assert len(taken) < 70


def test_weights_that_cannot_be_told_apart_are_refused(
    files: list[Path], tmp_path: Path, alone: list[Scorer]
) -> None:
    with pytest.raises(UsageError, match=r"one\.safetensors is given twice"):
        load_many([files[0], files[1], files[0]])
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(files[0].read_bytes())
    with pytest.raises(UsageError, match="both called one"):
        load_many([files[0], copy])
    with pytest.raises(UsageError, match="no weight"):
        load_many([])
    with pytest.raises(WeightsError, match="no file"):
        load_many([files[0], tmp_path / "none.safetensors"])
    with pytest.raises(UsageError, match="called one"):
        ScorerGroup([alone[0], alone[0]])
    with pytest.raises(TypeError, match="for one picture there is score"):
        ScorerGroup(alone).score_many("photo.jpg")
