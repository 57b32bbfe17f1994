"""The baselines on real photographs: ladders of distortions, other programs, pictures of every kind."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from iqa_cli.baselines import BASELINES, baseline, niqe, plane
from iqa_cli.errors import ImageError, UsageError

PHOTOS = ("dog", "cliffs", "lunch", "alpaca")
JUDGES_NOISE = sorted(set(BASELINES) - {"laplacian"})


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


@pytest.fixture(scope="module")
def photos(examples: Path) -> dict[str, np.ndarray]:
    return {name: pixels(examples / f"{name}.jpg") for name in PHOTOS}


def blurred(rgb: np.ndarray) -> list[np.ndarray]:
    return [rgb, *(cv2.GaussianBlur(rgb, (0, 0), sigma) for sigma in (1, 2, 4))]


def noisy(rgb: np.ndarray) -> list[np.ndarray]:
    noise = np.random.default_rng(0).standard_normal(rgb.shape)
    return [rgb, *(np.clip(rgb + sigma * noise, 0, 255).astype(np.uint8) for sigma in (10, 25, 50))]


def compressed(rgb: np.ndarray) -> list[np.ndarray]:
    coded = [cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for quality in (30, 12, 5)]
    return [rgb, *(cv2.imdecode(code, cv2.IMREAD_COLOR) for code in coded)]


def ladder(name: str, steps: list[np.ndarray]) -> list[float]:
    return [BASELINES[name].oriented(BASELINES[name].score(step)) for step in steps]


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("name", BASELINES)
def test_more_blur_is_worse(photos: dict[str, np.ndarray], name: str, photo: str) -> None:
    scores = ladder(name, blurred(photos[photo]))
    assert scores[0] == max(scores)
    # A strongly blurred picture may have reached the worst there is.
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("name", JUDGES_NOISE)
def test_more_noise_and_stronger_compression_are_worse(
    photos: dict[str, np.ndarray], name: str, photo: str
) -> None:
    for steps in (noisy(photos[photo]), compressed(photos[photo])):
        scores = ladder(name, steps)
        assert scores[0] == max(scores)
        assert scores[-1] < scores[1]


@pytest.mark.parametrize("photo", PHOTOS)
def test_the_laplacian_takes_noise_for_sharpness(photos: dict[str, np.ndarray], photo: str) -> None:
    scores = ladder("laplacian", noisy(photos[photo]))
    assert scores == sorted(scores)


# Of OpenCV's own program with the same support vectors: opencv-contrib-python-headless 4.14.0.94,
# cv2.quality.QualityBRISQUE_create(model, range).compute(bgr).
OPENCV = {
    "alpaca-dark": 43.7388,
    "cliffs-noise": 63.9719,
    "college": 14.5171,
    "dog": 8.8244,
    "dog-blur": 69.9389,
    "lunch-upscaled": 61.9678,
}
# Of PyPI's pypiqe 1.2: pypiqe.piqe(bgr)[0].
PYPIQE = {
    "alpaca-dark": 65.3299,
    "cliffs-noise": 67.7228,
    "college-shake": 40.6125,
    "dog": 21.4630,
    "dog-blur": 100.0,
    "dog-jpeg": 84.6374,
    "palace": 44.7084,
}


@pytest.mark.parametrize(
    ("name", "picture", "printed"),
    [*(("brisque", *row) for row in OPENCV.items()), *(("piqe", *row) for row in PYPIQE.items())],
)
def test_other_programs_print_the_same(examples: Path, name: str, picture: str, printed: float) -> None:
    # JPEG decoders may differ by a level here and there.
    assert BASELINES[name].score(pixels(examples / f"{picture}.jpg")) == pytest.approx(printed, abs=0.1)


def test_statistics_of_a_patch_are_those_of_another_program(examples: Path) -> None:
    # Patch of row 2 and column 2 of college.jpg by PyPI's scikit-video 1.1.11 (BSD), at full and at half
    # size: skvideo.measure.niqe.get_patches_test_features(grey, 96)[12], with Pillow's resize for the
    # scipy.misc.imresize that is gone. It repeats the left scale of the diagonals for the right one, so that
    # those are left out.
    full = [3.365, 0.9718, 0.9, 0.0891, 0.1516, 0.2272, 0.868, 0.0887, 0.1528, 0.2235, 0.86, 0.0239, 0.1744]
    half = [3.6, 1.0809, 0.999, 0.0785, 0.2225, 0.3009, 0.865, 0.1264, 0.1739, 0.274, 0.987, 0.0336, 0.2497]
    features, _ = niqe.patches(pixels(examples / "college.jpg"))
    assert features.shape == (25, 36)
    np.testing.assert_allclose(features[12, :13], full, atol=0.003)
    np.testing.assert_allclose(features[12, 18:31], half, atol=0.003)


def test_the_distance_is_zero_from_itself_and_grows(photos: dict[str, np.ndarray]) -> None:
    found, _ = niqe.patches(photos["dog"])
    mean, covariance = found.mean(axis=0), np.cov(found, rowvar=False)
    assert niqe.distance(found, mean, covariance) == pytest.approx(0, abs=1e-6)
    # Of one standard deviation along every feature where they do not depend on each other: sqrt(36).
    rng = np.random.default_rng(0)
    many = rng.standard_normal((20_000, 36))
    many -= many.mean(axis=0)
    assert niqe.distance(many, np.ones(36), np.eye(36)) == pytest.approx(6, abs=0.01)


def test_plain_patches_do_not_count(photos: dict[str, np.ndarray]) -> None:
    sky = photos["cliffs"].copy()
    sky[: 2 * niqe.PATCH] = 200
    features, _ = niqe.patches(sky)
    assert np.isnan(features[0]).all()
    # The lowest rows are as they were; the ones below the sky differ by its border alone.
    np.testing.assert_allclose(features[-10:], niqe.patches(photos["cliffs"])[0][-10:])
    assert np.isfinite(niqe.score(sky))


def test_the_laplacian_is_that_of_opencv(photos: dict[str, np.ndarray]) -> None:
    for rgb in photos.values():
        grey = cv2.cvtColor(rgb[:-1, :-3], cv2.COLOR_RGB2GRAY)
        expected = cv2.Laplacian(grey, cv2.CV_64F).var()
        assert BASELINES["laplacian"].score(rgb[:-1, :-3]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", BASELINES)
def test_neither_bands_nor_threads_nor_layout_change_a_score(
    monkeypatch: pytest.MonkeyPatch, photos: dict[str, np.ndarray], name: str
) -> None:
    rgb = np.ascontiguousarray(photos["dog"][:301, :215])
    scorer = BASELINES[name]
    whole = scorer.score(rgb)
    assert scorer.score(np.asfortranarray(rgb)) == whole
    threads = cv2.getNumThreads()
    for n in (1, 4):
        cv2.setNumThreads(n)
        assert scorer.score(rgb) == whole
    cv2.setNumThreads(threads)
    for size in (1, 40 * 215):
        monkeypatch.setattr(plane, "BAND_PIXELS", size)
        assert scorer.score(rgb) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_memory_does_not_grow_with_the_picture(
    monkeypatch: pytest.MonkeyPatch, photos: dict[str, np.ndarray], name: str
) -> None:
    monkeypatch.setattr(plane, "BAND_PIXELS", 40_000)
    small = np.tile(photos["lunch"], (2, 1, 1))
    peaks = []
    for rgb in (small, np.tile(small, (4, 1, 1))):
        tracemalloc.start()
        BASELINES[name].score(rgb)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000
    assert peaks[1] < rgb.nbytes


@pytest.mark.parametrize("name", BASELINES)
def test_plain_and_tiny_pictures(photos: dict[str, np.ndarray], name: str) -> None:
    scorer = BASELINES[name]
    side = scorer.min_side
    with pytest.raises(ImageError, match=f"{side - 1}x{side} pixels is too small"):
        scorer.score(photos["dog"][:side, : side - 1])
    assert np.isfinite(scorer.score(photos["cliffs"][300 : 300 + side, 200 : 200 + side]))
    for level in (0, 77, 255):
        flat = np.full((200, 220, 3), level, np.uint8)
        if name == "piqe":
            assert scorer.score(flat) == 100
        elif name == "laplacian":
            assert scorer.score(flat) == 0
        else:
            with pytest.raises(ImageError, match="too plain"):
                scorer.score(flat)


@given(st.integers(0, 2**32 - 1), st.integers(16, 60), st.integers(16, 60), st.integers(1, 8), st.booleans())
@settings(max_examples=60)
def test_any_picture_has_a_number_or_a_reason(
    seed: int, height: int, width: int, levels: int, stripes: bool
) -> None:
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (levels, 3), dtype=np.uint8)
    chosen = rng.integers(0, levels, (height, width))
    if stripes:
        chosen = np.tile(np.arange(width) % levels, (height, 1))
    for scorer in BASELINES.values():
        try:
            score, reason = scorer.score(colours[chosen]), ""
        except ImageError as error:
            score, reason = 0.0, error.message
        assert np.isfinite(score)
        assert not reason or "too plain" in reason or "too small" in reason


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_no_picture_is_refused(name: str) -> None:
    for wrong in (np.zeros((50, 50), np.uint8), np.zeros((50, 50, 3)), np.zeros((50, 50, 4), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            BASELINES[name].score(wrong)


def test_names() -> None:
    assert baseline("brisque").title == "BRISQUE"
    with pytest.raises(UsageError, match="there is no baseline 'Brisk'") as raised:
        baseline("Brisk")
    assert raised.value.hint == "did you mean brisque?"
    with pytest.raises(UsageError, match=r"'\\x1b\[2J'"):
        baseline("\x1b[2J")


def test_naming_them_imports_nothing_heavy() -> None:
    code = (
        "import sys; from iqa_cli.baselines import BASELINES, baseline; baseline('piqe');"
        "print(sorted({'torch', 'numpy', 'scipy', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", BASELINES)
def test_scoring_needs_no_torch(name: str) -> None:
    code = (
        "import sys, numpy as np; from iqa_cli.baselines import baseline;"
        "rgb = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8);"
        f"print(np.isfinite(baseline({name!r}).score(rgb)), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"
