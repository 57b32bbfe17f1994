"""Crops, distortions, losses and schedule of training."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import ImageError
from iqa_cli.images.distortions import DISTORTIONS, LEVELS, distort
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.crops import RANKED, CropSampler, decode_all
from iqa_cli.training.losses import StepLosses, opinion_loss, ranking_loss
from iqa_cli.training.pictures import Pictures
from iqa_cli.training.schedule import warmup_cosine
from iqa_cli.training.setup import sampler_of
from iqa_cli.training.team import Team


class Flat(torch.nn.Module):
    """Gives every crop the same score."""

    def forward_with_auxiliary(self, rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return rgb.new_full((len(rgb),), 0.5), rgb.new_zeros(())


@pytest.fixture(scope="module")
def dog(examples: Path) -> np.ndarray:
    with Image.open(examples / "dog.jpg") as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_distortion_is_a_strictly_growing_ladder(dog: np.ndarray, name: str) -> None:
    errors = [
        float(np.mean((distort(dog, name, level, np.random.default_rng(0)).astype(float) - dog) ** 2))
        for level in range(1, LEVELS + 1)
    ]
    assert errors[0] > 1
    assert all(later > 1.15 * earlier for earlier, later in pairwise(errors)), errors


def test_an_unknown_distortion_or_level_is_refused(dog: np.ndarray) -> None:
    for name, level in (("fog", 1), ("jpeg", 0), ("jpeg", LEVELS + 1)):
        with pytest.raises(ValueError, match="no distortion"):
            distort(dog, name, level, np.random.default_rng(0))


def test_the_same_seed_gives_the_same_batches_and_resumes_in_the_middle(dog: np.ndarray) -> None:
    images = [dog, dog[::-1], dog[:, ::-1], dog[::2, ::2]] * 3
    one = list(CropSampler(images, 96, 4, 2, seed=7).epoch(3))
    two = list(CropSampler(images, 96, 4, 2, seed=7).epoch(3, start=1))
    assert len(one) == 3
    assert torch.equal(one[1].rgb, two[0].rgb)
    assert (one[1].index == two[0].index).all()
    other = next(CropSampler(images, 96, 4, 2, seed=8).epoch(3))
    assert not torch.equal(one[0].rgb, other.rgb)


def test_a_distorted_copy_is_of_the_crop_it_is_paired_with(dog: np.ndarray) -> None:
    images = [dog, 255 - dog, dog // 2, dog[::-1]]
    batch = next(CropSampler(images, 64, 4, 3, eligible=[True, False, True, True]).epoch(0))
    assert batch.rgb.shape == (7, 3, 64, 64)
    assert list(batch.pair[:4]) == [-1] * 4
    for row in range(4, 7):
        original = batch.pair[row]
        assert batch.index[row] == batch.index[original] != 1
        assert 1 <= batch.level[row] <= LEVELS
        difference = (batch.rgb[row] - batch.rgb[original]).abs().mean()
        assert 0 < difference < 0.2


def test_a_copy_that_may_be_welcome_keeps_half_the_margin(dog: np.ndarray) -> None:
    images = [dog, dog[::-1], dog[:, ::-1], dog // 2]
    for name, share in (("jpeg", 1.0), ("brighten", 0.5)):
        batch = CropSampler(images, 64, 4, 2, types=[name]).at(0)
        assert batch.share is not None
        assert batch.share.tolist() == [1.0] * 4 + [share] * 2
    config = TrainConfig(precision="fp32", rank_weight=1.0, rank_margin=0.04)
    flat = StepLosses(config, Flat(), torch.full((4,), 0.5), torch.float32)
    lost = float(flat(batch)[2].detach())
    assert lost == pytest.approx(0.04 * 0.5 * float(batch.level[4:].mean())), "scores that are all the same"


def test_the_copies_of_a_ladder_are_of_one_crop_and_type_and_the_stronger_must_score_below(
    dog: np.ndarray,
) -> None:
    images = [dog, dog[::-1], dog[:, ::-1], dog // 2]
    batch = CropSampler(images, 64, 4, 3, types=["gaussian_blur"], ladders=True).at(0)
    assert batch.share is not None
    mild, strong, alone = 4, 5, 6
    original = batch.pair[mild]
    assert batch.pair[strong] == mild
    assert batch.pair[alone] < 4
    assert batch.pair[alone] != original
    assert batch.index[mild] == batch.index[strong] == batch.index[original]
    assert batch.level[mild] < batch.level[strong]
    difference = (batch.rgb[[mild, strong]] - batch.rgb[original]).abs().mean((1, 2, 3))
    assert difference[0] < difference[1]
    config = TrainConfig(precision="fp32", rank_weight=1.0, rank_margin=0.04)
    flat = StepLosses(config, Flat(), torch.full((4,), 0.5), torch.float32)
    # From the crop to the milder one, from there to the stronger one, and the one that is alone.
    steps = batch.level[mild], batch.level[strong] - batch.level[mild], batch.level[alone]
    assert float(flat(batch)[2].detach()) == pytest.approx(0.04 * sum(steps) / 3)


def test_what_is_random_of_a_ladder_is_the_same_on_each_rung(dog: np.ndarray) -> None:
    grey = np.full_like(dog, 128)
    batch = CropSampler([grey] * 4, 64, 4, 2, types=["white_noise"], ladders=True).at(0)
    mild, strong = (batch.rgb[row].flatten() - 128 / 255 for row in (4, 5))
    assert torch.corrcoef(torch.stack([mild, strong]))[0, 1] > 0.99


def test_a_run_may_rank_every_type() -> None:
    record = ImageRecord(Path("dog.jpg"), "dog.jpg", mos=0.7, raw=0.7, group="dog")
    cases: list[tuple[Literal["loss", "all"], set[str]]] = [("loss", set(RANKED)), ("all", set(DISTORTIONS))]
    for ranked, types in cases:
        config = TrainConfig(ranked=ranked, batch=2, distorted=1)
        sampler = sampler_of(config, Pictures([]), [record] * 4, [], Team(torch.device("cpu")))
        assert set(sampler.types) == types


def test_each_step_has_one_of_several_sizes_and_none_is_rare(dog: np.ndarray) -> None:
    images = [dog, dog[::-1], dog[:60]] * 4
    sampler = CropSampler(images, 224, 4, 1, seed=5, sizes=[64, 80, 96], reduced=0.5)
    batches = [sampler.at(step) for step in range(18)]
    sides = [batch.rgb.shape[-1] for batch in batches]
    assert all(batch.rgb.shape == (5, 3, side, side) for batch, side in zip(batches, sides, strict=True))
    assert [sorted(sides[i : i + 3]) for i in range(0, 18, 3)] == [[64, 80, 96]] * 6
    assert len({tuple(sides[i : i + 3]) for i in range(0, 18, 3)}) > 1, "in an order drawn each time"
    # A run that begins anew in the middle, and the other one of two processes, have the same sizes.
    again = CropSampler(images, 224, 4, 1, seed=5, sizes=[64, 80, 96], reduced=0.5)
    assert torch.equal(again.at(11).rgb, batches[11].rgb)
    other = CropSampler(images, 224, 4, 1, seed=5, sizes=[64, 80, 96], rank=1, ranks=2)
    assert [other.at(step).rgb.shape[-1] for step in range(9)] == sides[:9]


def test_one_size_is_what_there_was_without_sizes(dog: np.ndarray) -> None:
    images = [dog, dog[::-1]] * 2
    plain, listed = CropSampler(images, 96, 4, 2, seed=7), CropSampler(images, 64, 4, 2, seed=7, sizes=[96])
    assert all(torch.equal(plain.at(step).rgb, listed.at(step).rgb) for step in range(3))


def test_pictures_under_the_crop_are_mirrored_up_to_it() -> None:
    small = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    batch = next(CropSampler([small, small], 64, 2).epoch(0))
    assert batch.rgb.shape == (2, 3, 64, 64)


def test_decoding_names_the_picture_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"bad\.jpg: "):
        decode_all([tmp_path / "bad.jpg"])


def test_losses_are_their_formulas() -> None:
    assert opinion_loss(torch.tensor([0.2, 0.9]), torch.tensor([0.5, 0.8])) == pytest.approx(0.2)
    loss = ranking_loss(torch.tensor([0.8, 0.5]), torch.tensor([0.2, 0.6]), torch.tensor([0.1, 0.1]))
    assert loss == pytest.approx((0 + 0.2) / 2)
    assert ranking_loss(torch.zeros(0), torch.zeros(0), torch.zeros(0)) == 0


def test_the_rate_warms_up_and_ends_at_nothing() -> None:
    factor = warmup_cosine(100, 10)
    values = [factor(step) for step in range(101)]
    assert values[:10] == sorted(values[:10])
    assert max(values) == values[10] == 1
    assert values[10:] == sorted(values[10:], reverse=True)
    assert values[100] == pytest.approx(0)
