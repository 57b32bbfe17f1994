"""The Python API: what it takes, what it gives, and that a picture has one score whatever is scored with
it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli import Prediction, load
from iqa_cli.errors import ImageError, IqaError, UsageError, WeightsError
from iqa_cli.images.crops import iter_crops
from iqa_cli.images.decode import open_photo
from iqa_cli.images.policy import Mode
from iqa_cli.scoring.scorer import Scorer
from iqa_cli.weights import load_network


@pytest.fixture(scope="module")
def files(examples: Path) -> list[Path]:
    return sorted(examples.glob("*.jpg"))


def test_a_path_is_scored(scorer: Scorer, examples: Path) -> None:
    prediction = scorer.score(str(examples / "dog.jpg"))
    assert isinstance(prediction, Prediction)
    assert prediction.path == str(examples / "dog.jpg")
    assert prediction.model == "tiny"
    assert prediction.score is not None
    assert 0 <= prediction.score <= 100
    assert prediction.scores == {"tiny": prediction.score}
    assert (prediction.width, prediction.height, prediction.crops) == (432, 536, 7)
    assert prediction.error is None
    assert prediction.spread is not None
    assert prediction.spread > 0


def test_all_kinds_of_sources_give_the_same_score(scorer: Scorer, examples: Path) -> None:
    path = examples / "dog.jpg"
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
        sources = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), picture, pixels]
        predictions = [scorer.score(source) for source in sources]
        many = list(scorer.score_many([*sources, ("named", pixels)]))
    assert len({prediction.score for prediction in predictions}) == 1
    scores = [prediction.score for prediction in [*predictions, *many]]
    assert scores == pytest.approx([scores[0]] * len(scores), abs=0.005)
    labels = [str(path), str(path), "<image>", "<image>", str(path), "<image>"]
    assert [prediction.path for prediction in predictions] == labels
    assert [prediction.path for prediction in many] == [*labels, "named"]


def test_the_score_is_that_of_the_network_before_it_was_made_fast(
    scorer: Scorer, tiny_weight: Path, examples: Path
) -> None:
    """Folded batch norms, channels-last, batches and threads leave the definition as it is."""
    card, network = load_network(tiny_weight)
    for name in ("cliffs.jpg", "palace.jpg"):
        with open_photo(examples / name) as photo, torch.inference_mode():
            pooled = 0.0
            for crop in iter_crops(photo, card.policy()):
                x = torch.from_numpy(crop.pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
                pooled += crop.weight * float(network(x)[0])
        prediction = scorer.score(examples / name)
        assert prediction.raw == pytest.approx(pooled, abs=1e-6)
        assert prediction.score == pytest.approx(float(card.calibration(pooled)), abs=0.005)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_alone_or_in_a_batch_scores_agree_to_two_decimals(
    scorer: Scorer, tiny_weight: Path, files: list[Path], batch_size: int
) -> None:
    alone = [scorer.score(path).score for path in files]
    other = load(tiny_weight, device="cpu", batch_size=batch_size)
    together = [prediction.score for prediction in other.score_many(files)]
    backwards = [prediction.score for prediction in other.score_many(reversed(files))]
    assert together == pytest.approx(alone, abs=0.005)
    assert backwards[::-1] == pytest.approx(alone, abs=0.005)


def test_one_thread_or_many_scores_agree_to_two_decimals(tiny_weight: Path, files: list[Path]) -> None:
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            scorer = load(tiny_weight, device="cpu", threads=threads)
            assert torch.get_num_threads() == threads
            results.append([prediction.score for prediction in scorer.score_many(files[:5])])
    finally:
        torch.set_num_threads(before)
    assert results[1] == pytest.approx(results[0], abs=0.005)


def test_two_runs_agree_bit_for_bit(scorer: Scorer, files: list[Path]) -> None:
    assert list(scorer.score_many(files)) == list(scorer.score_many(files))


def test_a_bad_picture_raises_alone_and_is_a_record_among_others(
    scorer: Scorer, examples: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes((examples / "dog.jpg").read_bytes()[:3000])
    with pytest.raises(ImageError, match="truncated"):
        scorer.score(bad)
    with pytest.raises(ImageError, match="no such file"):
        scorer.score("missing.jpg")
    with pytest.raises(TypeError, match="int"):
        scorer.score(7)  # type: ignore[arg-type]
    predictions = list(scorer.score_many([bad, examples / "dog.jpg", "missing.jpg"]))
    assert [prediction.error for prediction in predictions] == [
        "the file is truncated",
        None,
        "no such file",
    ]
    assert predictions[0].score is None
    assert predictions[0].scores == {"tiny": None}
    assert predictions[1].score is not None


@pytest.mark.parametrize("one", ["photo.jpg", b"bytes", Path("photo.jpg"), Image.new("RGB", (64, 64))])
def test_one_picture_given_as_many_is_told(scorer: Scorer, one: object) -> None:
    with pytest.raises(TypeError, match="for one picture there is score"):
        scorer.score_many(one)  # type: ignore[arg-type]


def test_an_array_of_pictures_is_many(scorer: Scorer, dog: Image.Image) -> None:
    pixels = np.asarray(dog)
    predictions = list(scorer.score_many(np.stack([pixels, pixels[::-1]])))
    assert len(predictions) == 2
    assert predictions[0].score == pytest.approx(scorer.score(dog).score, abs=0.005)


def test_a_transparent_picture_has_the_worse_of_its_two_scores(scorer: Scorer, dog: Image.Image) -> None:
    mask = Image.new("L", dog.size, 255)
    mask.paste(0, (0, 0, dog.width // 2, dog.height))
    clear = dog.copy()
    clear.putalpha(mask)
    over = []
    for level in scorer.policy.backgrounds:
        flat = Image.new("RGB", dog.size, (level, level, level))
        flat.paste(dog, mask=mask)
        over.append(scorer.score(flat).score)
    assert over[0] != over[1]
    prediction = scorer.score(clear)
    assert prediction.score == pytest.approx(min(over), abs=0.005)
    assert prediction.crops == 7


def test_modes_look_at_a_large_picture_as_the_policy_says(scorer: Scorer, dog: Image.Image) -> None:
    large = dog.resize((1800, 1400))
    modes: tuple[Mode, ...] = ("default", "native", "fast")
    crops = {mode: scorer.score(large, mode=mode).crops or 0 for mode in modes}
    assert crops["native"] == 9 * 7
    assert crops["fast"] == 3
    assert 9 < crops["default"] <= 9 + scorer.policy.native_crops
    with pytest.raises(UsageError, match="there is no mode 'slow'"):
        scorer.score(large, mode="slow")  # type: ignore[arg-type]


def test_reduced_size_decoding_in_fast_mode_hardly_moves_the_score(
    scorer: Scorer, dog: Image.Image, tmp_path: Path
) -> None:
    large = dog.resize((2600, 3200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", quality=95)
    with Image.open(tmp_path / "large.jpg") as picture:
        picture.load()
        whole = scorer.score(picture.copy(), mode="fast")
    reduced = scorer.score(tmp_path / "large.jpg", mode="fast")
    assert (reduced.width, reduced.height) == (2600, 3200)
    assert reduced.score == pytest.approx(whole.score, abs=1.5)


def test_scoring_leaves_the_callers_torch_as_it_was(scorer: Scorer, dog: Image.Image) -> None:
    state = torch.random.get_rng_state()
    scorer.score(dog)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.equal(state, torch.random.get_rng_state())


def test_predict_crops_checks_its_input(scorer: Scorer) -> None:
    assert scorer.predict_crops(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0,)
    raws = scorer.predict_crops(np.full((40, 224, 224, 3), 99, np.uint8))
    assert raws.shape == (40,)
    assert raws.dtype == np.float32
    for wrong in (np.zeros((1, 3, 224, 224), np.uint8), np.zeros((1, 224, 224, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            scorer.predict_crops(wrong)


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
    ],
)
def test_a_batch_that_is_begun_has_the_same_rows(tiny_weight: Path, device: str) -> None:
    network = load(tiny_weight, device=device, batch_size=4)._network
    crops = np.random.default_rng(1).integers(0, 256, (9, 224, 224, 3), np.uint8)
    begun = [network.begin(part) for part in (crops[:4], crops[4:8], crops[8:])]
    found = np.concatenate([wait() for wait in begun])
    assert np.array_equal(found, network.rows(crops))
    assert np.array_equal(network.begin(crops)(), found), "more than a batch"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_a_choice_and_stays_near(
    scorer: Scorer, tiny_weight: Path, examples: Path, precision: str
) -> None:
    lower = load(tiny_weight, device="cpu", precision=precision)  # type: ignore[arg-type]
    raw = scorer.score(examples / "dog.jpg").raw
    other = lower.score(examples / "dog.jpg").raw
    assert other != raw
    assert other == pytest.approx(raw, abs=0.02)


def test_what_load_refuses(tiny_weight: Path, tmp_path: Path) -> None:
    for options in ({"device": "tpu"}, {"precision": "fp8"}, {"batch_size": 0}, {"threads": -1}):
        with pytest.raises(UsageError):
            load(tiny_weight, **options)  # type: ignore[arg-type]
    with pytest.raises(WeightsError):
        load(tmp_path / "none.safetensors")


def test_a_network_that_gives_no_number_is_an_error_of_the_picture(
    tiny_weight: Path, dog: Image.Image
) -> None:
    scorer = load(tiny_weight, device="cpu")
    for parameter in scorer._network.network.parameters():
        parameter.fill_(float("nan"))
    (prediction,) = scorer.score_many([dog])
    assert prediction.score is None
    assert "not a finite number" in str(prediction.error)
    with pytest.raises(ImageError, match="not a finite number"):
        scorer.score(dog)


def test_a_gpu_short_of_memory_gets_smaller_batches(
    tiny_weight: Path, dog: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = load(tiny_weight, device="cpu", batch_size=8)
    real, sizes = scorer._network.forward, []

    def small(crops: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        if len(crops) > limit:
            raise torch.cuda.OutOfMemoryError
        return real(crops)

    monkeypatch.setattr(scorer._network, "forward", small)
    limit = 2
    assert scorer.score(dog).score is not None
    assert sizes[:3] == [7, 3, 1]
    limit = 0
    with pytest.raises(IqaError, match="not enough free memory"):
        scorer.score(dog)
