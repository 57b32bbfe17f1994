"""Distortions: deterministic, on any size, the input left alone, and each does what it is named for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features

from iqa_cli.images import distortions
from iqa_cli.images.distortions import DISTORTIONS, KADID_TYPES, LEVELS, TYPES, CodecError, distort

# Types that draw nothing: any seed gives the same.
WITHOUT_CHANCE = {
    *("gaussian_blur", "lens_blur", "color_diffusion", "color_quantization", "color_saturation_1"),
    *("color_saturation_2", "jpeg2000", "jpeg", "brighten", "darken", "mean_shift", "pixelate"),
    *("quantization", "high_sharpen", "webp", "avif", "down_up"),
}


@pytest.fixture(scope="module")
def lunch(examples: Path) -> np.ndarray:
    """A colourful crop of 133 x 97 pixels."""
    with Image.open(examples / "lunch.jpg") as image:
        return np.asarray(image.convert("RGB"))[60:193, 120:217]


def made(picture: np.ndarray, name: str, level: int, seed: int = 0) -> np.ndarray:
    return distort(picture, name, level, np.random.default_rng(seed))


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b)


def test_the_types_are_those_of_kadid_in_their_order_and_two_more() -> None:
    assert len(TYPES) == 27
    assert TYPES[25:] == ("webp", "avif")
    assert [*DISTORTIONS] == [*TYPES, "down_up"]
    assert list(KADID_TYPES.items())[:2] == [("gaussian_blur", 1), ("lens_blur", 2)]
    # Numbers that file names of KADID-10k carry.
    known = {
        "jpeg2000": 9,
        "jpeg": 10,
        "white_noise": 11,
        "brighten": 16,
        "jitter": 19,
        "contrast_change": 25,
    }
    assert known.items() <= KADID_TYPES.items()


@pytest.mark.parametrize("name", DISTORTIONS)
def test_one_seed_gives_one_picture_and_the_input_stays(lunch: np.ndarray, name: str) -> None:
    picture = lunch.copy()
    picture.setflags(write=False)
    for level in (1, LEVELS):
        one, two, other = (made(picture, name, level, seed) for seed in (5, 5, 1))
        assert one.shape == picture.shape
        assert one.dtype == np.uint8
        assert not np.shares_memory(one, picture)
        assert (one == two).all()
        assert (one == other).all() == (name in WITHOUT_CHANCE)
    assert (picture == lunch).all()


@pytest.mark.parametrize("name", DISTORTIONS)
def test_any_size_and_any_layout_in_memory(lunch: np.ndarray, name: str) -> None:
    for height, width in ((64, 64), (65, 97), (127, 64), (64, 651)):
        picture = cv2.resize(lunch, (width, height))
        for level in (1, LEVELS):
            result = made(picture, name, level)
            assert result.shape == picture.shape
            assert result.flags.c_contiguous
            assert (result != picture).any()
    flipped = lunch[::-1, ::-1]
    assert (made(flipped, name, 3) == made(flipped.copy(), name, 3)).all()


@pytest.mark.parametrize("name", DISTORTIONS)
def test_plain_and_extreme_pictures_are_taken(name: str) -> None:
    halves = np.zeros((70, 81, 3), np.uint8)
    halves[:, 40:] = 255
    for picture in (halves, *(np.full((70, 81, 3), value, np.uint8) for value in (0, 77, 255))):
        for level in (1, LEVELS):
            assert made(picture, name, level).shape == picture.shape


def test_wrong_pictures_are_refused(lunch: np.ndarray) -> None:
    for wrong in (lunch.astype(np.float32), lunch[:, :, 0], np.dstack([lunch, lunch[:, :, :1]])):
        with pytest.raises(ValueError, match="uint8"):
            made(wrong, "jpeg", 1)


@pytest.mark.parametrize(("name", "feature"), [("avif", "avif"), ("jpeg2000", "jpg_2000")])
def test_a_missing_codec_is_one_clear_error(
    lunch: np.ndarray, monkeypatch: pytest.MonkeyPatch, name: str, feature: str
) -> None:
    check = features.check
    monkeypatch.setattr(features, "check", lambda asked: asked != feature and check(asked))
    with pytest.raises(CodecError, match="cannot encode") as caught:
        made(lunch, name, 1)
    assert "pillow" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_a_codec_missing_in_opencv_is_the_same_error(
    lunch: np.ndarray, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def without(*arguments: object) -> tuple[bool, None]:
        raise cv2.error("could not find a writer for the specified extension")

    monkeypatch.setattr(distortions.compression.cv2, "imencode", without)
    with pytest.raises(CodecError, match="cannot encode") as caught:
        made(lunch, name, 1)
    assert "opencv" in (caught.value.hint or "")


def test_lens_blur_spreads_a_point_over_a_disk_and_motion_blur_over_a_line() -> None:
    point = np.zeros((101, 101, 3), np.uint8)
    point[48:53, 48:53] = 255
    disk = made(point, "lens_blur", LEVELS)[:, :, 0] > 4
    assert disk.sum() == pytest.approx(np.pi * 8**2, rel=0.6)
    assert (disk == disk.T).all()
    line = np.argwhere(made(point, "motion_blur", LEVELS)[:, :, 0] > 4) - 50.0
    long, short = np.sqrt(np.linalg.eigvalsh(np.cov(line.T))[::-1])
    assert long > 4 * short
    assert 24 < 2 * np.hypot(*line.T).max() < 40


def test_color_diffusion_leaves_the_lightness_and_saturation_the_hue(lunch: np.ndarray) -> None:
    def lab(picture: np.ndarray) -> np.ndarray:
        return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)

    diffused = np.abs(lab(made(lunch, "color_diffusion", 2)) - lab(lunch)).mean((0, 1))
    assert diffused[0] < 0.2 * diffused[1:].max()
    chroma = [np.hypot(*lab(made(lunch, name, 1))[:, :, 1:].transpose(2, 0, 1)).mean() for name in TYPES[6:8]]
    assert chroma[0] < 0.8 * np.hypot(*lab(lunch)[:, :, 1:].transpose(2, 0, 1)).mean() < 0.8 * chroma[1]
    grey = made(lunch, "color_saturation_1", LEVELS)
    assert (grey == lunch.max(2, keepdims=True)).all()


def test_color_shift_moves_green_alone_and_only_at_edges(lunch: np.ndarray) -> None:
    change = apart(made(lunch, "color_shift", LEVELS), lunch)
    assert change[:, :, 1].max() > 40
    assert not change[:, :, [0, 2]].any()
    edge = np.full((64, 64, 3), 50, np.uint8)
    edge[:, 32:] = 200
    change = apart(made(edge, "color_shift", 2), edge)[:, :, 1]
    assert change[:, 28:36].any()
    assert not change[:, :24].any()
    assert not change[:, 40:].any()


def test_quantisations_leave_as_many_colours_or_values_as_they_say(lunch: np.ndarray) -> None:
    colours = [
        len(np.unique(made(lunch, "color_quantization", n).reshape(-1, 3), axis=0)) for n in range(1, 6)
    ]
    assert colours == [64, 28, 13, 6, 3]
    values = [len(np.unique(made(lunch, "quantization", n))) for n in range(1, 6)]
    assert values == [12, 8, 5, 3, 2]


def test_two_values_are_split_where_otsu_splits(lunch: np.ndarray) -> None:
    made_two = made(lunch, "quantization", LEVELS)
    joined = lunch.transpose(2, 0, 1).reshape(1, -1)
    threshold, _ = cv2.threshold(joined, 0, 255, cv2.THRESH_OTSU)
    assert ((lunch > threshold) == (made_two == made_two.max())).mean() > 0.999
    assert made_two.min() == round(float(lunch[lunch <= threshold].mean()))


def test_noises_are_as_strong_as_they_say() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)

    def noise(name: str, level: int) -> np.ndarray:
        return made(grey, name, level).astype(float) - 128

    assert noise("white_noise", 3).std() == pytest.approx(18, rel=0.03)
    assert noise("multiplicative_noise", 2).std() == pytest.approx(12.8, rel=0.03)
    ycbcr = noise("white_noise_ycbcr", 3)
    luminance = ycbcr @ [0.299, 0.587, 0.114]
    for part in (luminance, (ycbcr[:, :, 2] - luminance) / 1.772, (ycbcr[:, :, 0] - luminance) / 1.402):
        assert part.std() == pytest.approx(13, rel=0.05)
    hit = made(grey, "impulse_noise", 4)
    assert np.isin(hit, (0, 128, 255)).all()
    assert (hit == 0).mean() == pytest.approx(0.04, rel=0.1)
    assert (hit == 255).mean() == pytest.approx(0.04, rel=0.1)
    # What denoising leaves in a plain area is a fraction of the noise put on it before.
    assert 0 < noise("denoise", 3).std() < 0.4 * 32


def test_brightness_keeps_black_and_white_and_mean_shift_goes_where_room_is(lunch: np.ndarray) -> None:
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    for name, sign in (("brighten", 1), ("darken", -1)):
        change = made(ramp, name, 2).astype(int) - ramp
        assert not change[:, [0, -1]].any()
        assert (sign * change[:, 20:-20] > 0).all()
    for value, expected in ((40, 40 + 43), (200, 200 - 43)):
        assert (made(np.full((64, 64, 3), value, np.uint8), "mean_shift", 3) == expected).all()


def test_contrast_goes_both_ways_and_one_way_for_one_seed(lunch: np.ndarray) -> None:
    spread = lunch.astype(float).std()
    ways = set()
    for seed in range(8):
        found = [made(lunch, "contrast_change", level, seed).std() for level in range(1, LEVELS + 1)]
        raised = found[0] > spread
        assert found == sorted(found, reverse=not raised)
        ways.add(bool(raised))
    assert ways == {True, False}


@pytest.mark.parametrize("name", ["non_eccentricity_patch", "color_block", "impulse_noise"])
def test_a_higher_level_keeps_the_places_of_the_lower(lunch: np.ndarray, name: str) -> None:
    touched = [apart(made(lunch, name, level), lunch).any(2) for level in range(1, LEVELS + 1)]
    for low, high in pairwise(touched):
        assert (low & high).sum() > 0.9 * low.sum()
        assert high.sum() > low.sum()


def test_patches_come_from_close_by_and_blocks_have_one_colour() -> None:
    y, x = np.mgrid[:160, :160]
    places = np.dstack([x, y, np.zeros_like(x)]).astype(np.uint8)
    moved = made(places, "non_eccentricity_patch", LEVELS)[:, :, :2].astype(int) - places[:, :, :2]
    far = np.hypot(*moved.transpose(2, 0, 1))
    assert far.max() <= 1.5 * 16 + 1
    assert np.median(far[far > 0]) >= 15
    blocks = made(np.full((120, 120, 3), 9, np.uint8), "color_block", 1)
    assert 100 <= (blocks != 9).any(2).sum() <= 200
    assert len(np.unique(blocks.reshape(-1, 3), axis=0)) == 3


def test_pixelate_shows_squares_of_the_mean(lunch: np.ndarray) -> None:
    squares = made(lunch, "pixelate", 3)
    assert (squares[:5, :5] == squares[0, 0]).all()
    assert apart(squares[0, 0], lunch[:5, :5].reshape(-1, 3).mean(0).round().astype(int)).max() <= 1


def test_jpeg2000_reaches_the_psnr_it_is_asked_for(lunch: np.ndarray) -> None:
    for level, decibels in enumerate((34.0, 31.3, 28.7, 26.2, 24.0), 1):
        error = (apart(made(lunch, "jpeg2000", level), lunch).astype(float) ** 2).mean()
        assert 10 * np.log10(255**2 / error) == pytest.approx(decibels, abs=1.5)
