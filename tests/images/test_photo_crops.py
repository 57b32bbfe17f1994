"""Which crops are taken, and that together they are the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from iqa_cli.errors import ImageError
from iqa_cli.images.crops import Crop, _plan, grid_positions, iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.photo import Photo
from iqa_cli.images.policy import Mode, SizePolicy
from iqa_cli.images.sharpest import sharpness

POLICY = SizePolicy()
EVENLY = SizePolicy(native_crops=9, native_places=0, native_best=1 / 3)
MODES: tuple[Mode, ...] = get_args(Mode)


def crops_of(picture: object, mode: Mode = "default", policy: SizePolicy = POLICY) -> list[Crop]:
    with open_photo(picture) as photo:  # type: ignore[arg-type]
        return list(iter_crops(photo, policy, mode))


def planned(width: int, height: int, mode: Mode) -> int:
    """The number of crops of a picture of this size, which need not be made to know it."""
    return sum(part.taken for part in _plan(width, height, POLICY, mode))


def coordinates(width: int, height: int) -> np.ndarray:
    """A picture whose every pixel tells where it is (up to 4096 a side): x and y in 12 bits each."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x & 255, y & 255, (x >> 8) | (y >> 8) << 4]).astype(np.uint8)


def corners(crops: Iterable[Crop]) -> list[tuple[int, int]]:
    """Upper left corners of crops of a `coordinates` picture."""
    first = [crop.pixels[0, 0].astype(int) for crop in crops]
    return [(int(p[0] + ((p[2] & 15) << 8)), int(p[1] + ((p[2] >> 4) << 8))) for p in first]


@given(st.integers(1, 400), st.integers(0, 5000))
def test_grid_covers_evenly_with_the_fewest_crops(crop: int, more: int) -> None:
    length = crop + more
    starts = grid_positions(length, crop)
    assert starts[0] == 0
    assert starts[-1] == length - crop
    assert len(starts) == -(-length // crop)
    steps = np.diff(starts)
    if len(steps):
        assert steps.min() >= 1
        assert steps.max() <= crop
        assert steps.max() - steps.min() <= 1


def test_grid_of_nothing() -> None:
    with pytest.raises(ValueError, match="cannot be covered"):
        grid_positions(223, 224)


@settings(max_examples=200, deadline=None)
@given(st.integers(16, 9000), st.integers(16, 9000), st.sampled_from(MODES))
def test_counts_are_small_but_in_native_mode(width: int, height: int, mode: Mode) -> None:
    number = planned(width, height, mode)
    assert number >= 1
    if mode == "native":
        assert number == max(1, -(-width // 224)) * max(1, -(-height // 224))
    elif max(width, height) <= 4 * min(width, height):
        assert number <= 12 + 1 + POLICY.native_crops + 6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "size",
    [
        (224, 224),
        (16, 16),
        (100, 700),
        (512, 512),
        (720, 720),
        (721, 721),
        (1600, 900),
        (30, 1500),
        (3000, 40),
    ],
)
def test_weights_and_shapes(size: tuple[int, int], mode: Mode) -> None:
    crops = crops_of(Image.new("RGB", size, (9, 99, 199)), mode)
    assert len(crops) == planned(*size, mode)
    assert sum(crop.weight for crop in crops) == pytest.approx(1, abs=1e-9)
    for crop in crops:
        assert crop.pixels.shape == (224, 224, 3)
        assert crop.pixels.dtype == np.uint8
        assert crop.pixels.flags.c_contiguous
        assert crop.background == 0
        assert np.abs(crop.pixels.astype(int) - (9, 99, 199)).max() <= 1


@pytest.mark.parametrize("size", [(224, 224), (512, 384), (720, 720), (225, 1000), (700, 301)])
def test_tiles_are_the_picture_itself(size: tuple[int, int]) -> None:
    picture = coordinates(*size)
    crops = crops_of(picture)
    seen = np.zeros(picture.shape[:2], int)
    for crop, (x, y) in zip(crops, corners(crops), strict=True):
        assert crop.view == "tiles"
        assert np.array_equal(crop.pixels, picture[y : y + 224, x : x + 224])
        seen[y : y + 224, x : x + 224] += 1
    assert seen.min() >= 1


@pytest.mark.parametrize(
    # Numbers of crops along the sides, and of one more in the middle, where even numbers have none.
    ("size", "grid", "extra"),
    [
        ((400, 400), (2, 2), 1),
        ((512, 512), (3, 3), 0),
        ((1000, 300), (5, 2), 1),
        ((224, 700), (1, 4), 1),
        ((160, 600), (1, 3), 0),
        ((224, 224), (1, 1), 0),
    ],
)
def test_there_is_a_crop_in_the_middle_and_it_counts_most(
    size: tuple[int, int], grid: tuple[int, int], extra: int
) -> None:
    crops = crops_of(coordinates(*size))
    assert len(crops) == grid[0] * grid[1] + extra
    even = crops_of(coordinates(*size), policy=SizePolicy(centre_sigma=0))
    assert [crop.weight for crop in even] == [1 / len(even)] * (grid[0] * grid[1])
    # 0 along a side that is mirrored.
    found = [(x if size[0] >= 224 else 0, y) for x, y in corners(crops)]
    heaviest = max(crops, key=lambda crop: crop.weight)
    middle = tuple((max(side, 224) - 224 + 1) // 2 for side in size)
    expected = next(crop for crop, place in zip(crops, found, strict=True) if place == middle)
    assert heaviest is expected
    # Turned round, the picture has the same weights.
    weights = [crop.weight for crop in crops[: grid[0] * grid[1]]]
    assert weights == pytest.approx(weights[::-1], rel=0.02)


def test_the_farther_from_the_middle_the_less_a_crop_counts() -> None:
    """By the formula: a corner's middle lies 112 of 256 pixels out, both ways."""
    policy = SizePolicy(crop=288)
    corner = np.exp(-2 * (112 / 256) ** 2 / (2 * 0.45**2))
    weights = [crop.weight for crop in crops_of(coordinates(512, 512), policy=policy)]
    assert weights == pytest.approx([corner / (1 + 4 * corner)] * 4 + [1 / (1 + 4 * corner)])
    # Wider is more even, and a larger photograph's reduced view has its middle, too.
    wide = crops_of(coordinates(512, 512), policy=SizePolicy(crop=288, centre_sigma=50))
    assert [crop.weight for crop in wide] == pytest.approx([0.2] * 5, rel=1e-3)
    large = [crop for crop in crops_of(coordinates(1500, 1500), policy=policy) if crop.view == "whole"]
    assert [crop.weight for crop in large] == pytest.approx([w / 2 for w in weights])


@pytest.mark.parametrize(
    ("size", "views"),
    # 627x418, 591x443, 512x512; 683x384 is too long, and so is what 224 pixels look at.
    [((3000, 2000), 5), ((1600, 1200), 5), ((1500, 1500), 5), ((1920, 1080), 7)],
)
def test_four_corners_and_the_middle_see_nearly_all_of_a_reduced_view(
    size: tuple[int, int], views: int
) -> None:
    policy = SizePolicy(crop=288, native_weight=0)
    (part,) = _plan(*size, policy, "default")
    assert (part.view, len(part.places)) == ("whole", views)
    seen = np.zeros(part.size[::-1], bool)
    for x, y in part.places:
        assert 0 <= x <= part.size[0] - 288
        assert 0 <= y <= part.size[1] - 288
        seen[y : y + 288, x : x + 288] = True
    assert seen.mean() > 0.97
    # Without the middle there is no gap.
    (even,) = _plan(*size, SizePolicy(crop=288, native_weight=0, centre_sigma=0), "default")
    assert even.places == [
        (x, y) for y in grid_positions(part.size[1], 288) for x in grid_positions(part.size[0], 288)
    ]


def test_native_mode_covers_the_full_resolution() -> None:
    picture = coordinates(1500, 1100)
    crops = crops_of(picture, "native")
    seen = np.zeros(picture.shape[:2], int)
    for crop, (x, y) in zip(crops, corners(crops), strict=True):
        assert crop.view == "native"
        assert np.array_equal(crop.pixels, picture[y : y + 224, x : x + 224])
        seen[y : y + 224, x : x + 224] += 1
    assert seen.min() >= 1
    assert len(crops) == 7 * 5


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((1600, 1600), (3, 3)),
        ((2000, 1500), (3, 3)),
        ((1920, 1080), (4, 2)),
        ((1080, 1920), (2, 4)),
        ((4000, 400), (9, 1)),
    ],
)
def test_larger_photograph_is_seen_twice(size: tuple[int, int], grid: tuple[int, int]) -> None:
    picture = coordinates(*size)
    crops = crops_of(picture, policy=EVENLY)
    native = [crop for crop in crops if crop.view == "native"]
    whole = [crop for crop in crops if crop.view == "whole"]
    assert len(native) + len(whole) == len(crops)
    assert sum(crop.weight for crop in native) == pytest.approx(POLICY.native_weight)
    places = corners(native)
    for crop, (x, y) in zip(native, places, strict=True):
        assert np.array_equal(crop.pixels, picture[y : y + 224, x : x + 224])
    assert (len({x for x, _ in places}), len({y for _, y in places})) == grid
    # Spread symmetrically: the middle of the crops is the middle of the picture.
    assert np.mean([x for x, _ in places]) + 112 == pytest.approx(size[0] / 2, abs=1)
    assert np.mean([y for _, y in places]) + 112 == pytest.approx(size[1] / 2, abs=1)


@pytest.mark.parametrize("turned", [False, True])
def test_native_crops_are_taken_where_the_photograph_is_sharp(examples: Path, turned: bool) -> None:
    with Image.open(examples / "lunch.jpg") as small:
        picture = np.asarray(small.convert("RGB").resize((2400, 1600), Image.Resampling.BICUBIC)).copy()
    # A sharp subject in a soft picture, off the middle: enlarged six times nothing else is sharp.
    with Image.open(examples / "alpaca.jpg") as subject:
        picture[900:1400, 1500:2000] = np.asarray(subject.convert("RGB"))[:500, :500]
    picture = np.ascontiguousarray(picture.transpose(1, 0, 2)) if turned else picture
    native = [crop for crop in crops_of(picture) if crop.view == "native"]
    assert len(native) == POLICY.native_crops == 4
    assert sum(crop.weight for crop in native) == pytest.approx(POLICY.native_weight)
    inside = 0
    for crop in native:
        found = cv2.matchTemplate(picture, crop.pixels, cv2.TM_SQDIFF)
        _, _, (x, y), _ = cv2.minMaxLoc(found)
        x, y = (y, x) if turned else (x, y)
        inside += min(x + 224, 2000) - max(x, 1500) > 0 and min(y + 224, 1400) - max(y, 900) > 0
    assert inside == 4
    # Of nine spread evenly none is as sharp as these four are on average.
    even = [crop for crop in crops_of(picture, policy=EVENLY) if crop.view == "native"]
    assert max(sharpness(crop.pixels) for crop in even) < np.mean([sharpness(crop.pixels) for crop in native])


def test_of_equally_sharp_places_the_first_are_taken() -> None:
    native = [crop for crop in crops_of(Image.new("RGB", (2400, 1600))) if crop.view == "native"]
    assert [sharpness(crop.pixels) for crop in native] == [0, 0, 0, 0]
    assert sharpness(np.zeros((2, 300, 3), np.uint8)) == sharpness(np.zeros((300, 2, 3), np.uint8)) == 0


def test_whole_view_is_the_reduced_picture(examples: Path) -> None:
    with Image.open(examples / "palace.jpg") as small:
        large = small.convert("RGB").resize((1600, 1200), Image.Resampling.BICUBIC)
    whole = [crop for crop in crops_of(large) if crop.view == "whole"]
    assert POLICY.whole_size(1600, 1200) == (591, 443)
    reduced = np.asarray(large.resize((591, 443), Image.Resampling.LANCZOS)).astype(int)
    places = [(x, y) for y in grid_positions(443, 224) for x in grid_positions(591, 224)] + [(184, 110)]
    for crop, (x, y) in zip(whole, places, strict=True):
        assert np.abs(crop.pixels - reduced[y : y + 224, x : x + 224]).max() <= 2


@pytest.mark.parametrize(
    ("size", "view", "places"),
    [
        ((1600, 1200), "whole", [(0, 110), (184, 110), (367, 110)]),
        ((1200, 800), "whole", [(0, 97), (202, 97), (403, 97)]),
        ((600, 500), "tiles", [(0, 138), (188, 138), (376, 138)]),
        ((500, 500), "tiles", [(138, 26), (138, 250)]),
        ((400, 500), "tiles", [(88, 26), (88, 250)]),
        ((300, 300), "tiles", [(38, 0), (38, 76)]),
        ((200, 180), "tiles", [(0, 0)]),
        ((3000, 500), "whole", [(0, 0), (224, 0), (448, 0), (672, 0), (896, 0), (1120, 0)]),
        ((2800, 500), "whole", [(0, 0), (206, 0), (412, 0), (618, 0), (824, 0), (1030, 0)]),
    ],
)
def test_fast_mode_looks_along_the_middle(
    size: tuple[int, int], view: str, places: list[tuple[int, int]]
) -> None:
    across, down = (np.linspace(0, 255, length).astype(np.uint8) for length in size)
    pixels = np.stack(np.broadcast_arrays(across[None, :], down[:, None], np.uint8(0)), axis=-1)
    found = crops_of(Image.fromarray(pixels), "fast")
    assert {crop.view for crop in found} == {view}
    seen = POLICY.whole_size(*size)
    for crop, place in zip(found, places, strict=True):
        middle = crop.pixels[112, 112, :2] / 255 * (np.array(seen) - 1)
        assert middle == pytest.approx(np.array(place) + np.minimum(seen, 224) / 2, abs=2 + max(seen) / 250)
    weights = [crop.weight for crop in found]
    assert sum(weights) == pytest.approx(1)
    assert weights == pytest.approx(weights[::-1])
    if len(weights) > 2:
        assert weights[0] < weights[1]
    even = crops_of(Image.fromarray(pixels), "fast", policy=replace(POLICY, centre_sigma=0))
    assert [crop.weight for crop in even] == pytest.approx([1 / len(places)] * len(places))


def test_only_native_crops_beside_another_view_are_chosen_from() -> None:
    large = Image.new("RGB", (1600, 1200))
    policy = SizePolicy(native_best=0.25, glance_weight=0.1)
    best = {crop.view: crop.best for crop in crops_of(large, policy=policy)}
    assert best == {"whole": 1, "native": 0.25, "glance": 1}
    assert {crop.best for crop in crops_of(large, "native", policy=policy)} == {1}


def test_weight_of_one_view_alone() -> None:
    large = Image.new("RGB", (1600, 1200))
    assert {crop.view for crop in crops_of(large, policy=SizePolicy(native_weight=0))} == {"whole"}
    assert {crop.view for crop in crops_of(large, policy=SizePolicy(native_weight=1))} == {"native"}


def test_small_picture_is_mirrored_and_never_enlarged() -> None:
    picture = coordinates(100, 60)
    (crop,) = crops_of(picture)
    # Mirror images without the edge repeated have a period of 2 (n - 1).
    for axis, length, missing in ((1, 100, 124), (0, 60, 164)):
        steps = (np.arange(224) - missing // 2) % (2 * (length - 1))
        picture = np.take(picture, np.minimum(steps, 2 * (length - 1) - steps), axis=axis)
    assert np.array_equal(crop.pixels, picture)


def test_long_strip_keeps_its_short_side() -> None:
    assert POLICY.whole_size(30_000, 30) == (30_000, 30)
    assert POLICY.whole_size(14_000, 700) == (4480, 224)
    crops = crops_of(Image.new("RGB", (5000, 120), (1, 2, 3)))
    assert {crop.view for crop in crops} == {"tiles"}
    assert len(crops) == -(-5000 // 224)


def test_too_small_for_the_policy() -> None:
    with open_photo(Image.new("RGB", (40, 40))) as photo, pytest.raises(ImageError, match="too small"):
        iter_crops(photo, SizePolicy(min_side=64))


def test_unknown_mode(dog: Image.Image) -> None:
    with open_photo(dog) as photo, pytest.raises(ValueError, match="unknown mode"):
        iter_crops(photo, POLICY, "slow")  # type: ignore[arg-type]


def test_transparent_picture_over_both_backgrounds() -> None:
    crops = crops_of(Image.new("RGBA", (300, 250), (0, 0, 0, 0)))
    assert [crop.background for crop in crops] == [0] * 5 + [1] * 5
    for background, level in enumerate(POLICY.backgrounds):
        mine = [crop for crop in crops if crop.background == background]
        assert sum(crop.weight for crop in mine) == pytest.approx(1)
        assert all((crop.pixels == level).all() for crop in mine)


def test_crops_are_made_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    region, resized = Photo.region, Photo.resized
    monkeypatch.setattr(Photo, "region", lambda self, *a: calls.append("region") or region(self, *a))
    monkeypatch.setattr(
        Photo, "resized", lambda self, *a, **k: calls.append("resized") or resized(self, *a, **k)
    )
    with open_photo(Image.new("RGB", (2000, 1500))) as photo:
        crops = iter_crops(photo, POLICY)
        assert calls == []
        assert next(crops).view == "whole"
        assert calls == ["resized"]
        first_native = next(crop for crop in crops if crop.view == "native")
        assert first_native.view == "native"
        # The places are looked at before one is chosen; what is not chosen is not kept.
        assert calls[0] == "resized"
        assert 30 <= calls.count("region") == len(calls) - 1 <= POLICY.native_places + 1


def test_crops_are_the_same_every_time(dog: Image.Image) -> None:
    large = dog.resize((1500, 1861), Image.Resampling.BICUBIC)
    one, other = crops_of(large), crops_of(large)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))
