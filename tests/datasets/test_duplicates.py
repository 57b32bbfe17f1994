"""Near-duplicates: copies that were re-encoded, resized or cropped are found, other photographs are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from iqa_cli.datasets.biq2021 import read_biq2021
from iqa_cli.datasets.candidates import candidate_pairs, coarse, crops
from iqa_cli.datasets.duplicates import find_duplicates, near_duplicate_groups
from iqa_cli.datasets.fingerprint import SIDE, fingerprint, fingerprint_of, match
from iqa_cli.datasets.grouping import agreement
from iqa_cli.errors import DatasetError
from tests.conftest import ROOT

ORIGINALS = ("alpaca", "cliffs", "college", "dog", "lunch", "palace")
BIQ2021 = ROOT.parent / "shared" / "data" / "biq2021"


def cropped(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The picture without these shares of its width and height."""
    width, height = picture.size
    return picture.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


COPIES: dict[str, tuple[str, Callable[[Image.Image], Image.Image], dict[str, object]]] = {
    "encoded": (".jpg", lambda p: p, {"quality": 15}),
    "webp": (".webp", lambda p: p, {"quality": 40}),
    "half": (".png", lambda p: p.resize((p.width // 2, p.height // 2)), {}),
    "squeezed": (".png", lambda p: p.resize((p.width, p.height * 9 // 10)), {}),
    "larger": (".jpg", lambda p: p.resize((p.width * 2, p.height * 2)), {"quality": 60}),
    "crop": (".jpg", lambda p: cropped(p, 0.06, 0.03, 0.04, 0.07), {"quality": 80}),
    "side": (".png", lambda p: cropped(p, 0.2, 0, 0, 0), {}),
    "corner": (".jpg", lambda p: cropped(p, 0, 0.2, 0.2, 0).resize((300, 300)), {"quality": 70}),
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the original photographs of the examples and copies of each of them."""
    folder = tmp_path_factory.mktemp("copies")
    for name in ORIGINALS:
        with Image.open(ROOT / "examples" / f"{name}.jpg") as picture:
            photo = picture.convert("RGB")
        photo.save(folder / f"{name}_original.png")
        for kind, (suffix, change, options) in COPIES.items():
            change(photo).save(folder / f"{name}_{kind}{suffix}", **options)
    return folder


def test_every_copy_is_grouped_with_its_original_and_no_two_photographs_are(copies: Path) -> None:
    paths = sorted(copies.iterdir())
    groups = near_duplicate_groups(paths)
    members: dict[int, set[str]] = {}
    for path, group in zip(paths, groups, strict=True):
        members.setdefault(group, set()).add(path.name.split("_")[0])
    assert sorted(members.values(), key=sorted) == [{name} for name in ORIGINALS]
    result = agreement(groups, [path.name.split("_")[0] for path in paths])
    assert (result.pair_precision, result.pair_recall) == (1, 1)


def test_the_groups_hang_neither_on_threads_nor_on_order(copies: Path) -> None:
    paths = sorted(copies.iterdir())[::3]
    forward = near_duplicate_groups(paths, threads=1)
    backward = near_duplicate_groups(paths[::-1], threads=3)[::-1]
    assert agreement(forward, backward).pair_precision == agreement(forward, backward).pair_recall == 1
    assert forward[0] == 0
    assert max(forward) + 1 == len(set(forward))


def test_links_name_the_evidence(copies: Path) -> None:
    paths = [copies / "dog_original.png", copies / "lunch_original.png", copies / "dog_encoded.jpg"]
    found = find_duplicates(paths)
    assert found.groups == [0, 1, 0]
    (link,) = found.links
    assert (link.one, link.other) == (0, 2)
    assert link.points >= 50
    assert link.correlation > 0.95


def test_another_exposure_and_strong_blur_are_the_same_scene(tmp_path: Path, dog: Image.Image) -> None:
    dark = dog.point([round(255 * (level / 255) ** 2 * 0.3) for level in range(256)] * 3)
    dark.save(tmp_path / "dark.png")
    dog.resize((40, 50)).resize(dog.size, Image.Resampling.BICUBIC).save(tmp_path / "blurred.png")
    dog.save(tmp_path / "dog.png")
    assert near_duplicate_groups(sorted(tmp_path.iterdir())) == [0, 0, 0]


def test_the_same_watermark_in_a_corner_makes_no_duplicates(tmp_path: Path, examples: Path) -> None:
    for name in ORIGINALS:
        with Image.open(examples / f"{name}.jpg") as picture:
            photo = picture.convert("RGB").resize((512, 512))
        draw = ImageDraw.Draw(photo)
        draw.rectangle((10, 470, 250, 500), "black")
        draw.text((16, 474), "SHOT ON A TELEPHONE 12 MP", "white", font_size=17)
        photo.save(tmp_path / f"{name}.png")
    assert len(set(near_duplicate_groups(sorted(tmp_path.iterdir())))) == len(ORIGINALS)


def test_flat_pictures_and_noise_resemble_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number, shade in enumerate((0, 128, 128, 255)):
        flat = np.full((200, 300, 3), shade, np.int16) + rng.integers(-1, 2, (200, 300, 3))
        Image.fromarray(flat.clip(0, 255).astype(np.uint8)).save(tmp_path / f"flat{number}.png")
        noise = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"noise{number}.png")
    assert len(set(near_duplicate_groups(sorted(tmp_path.iterdir())))) == 8


def test_pictures_that_cannot_be_read_are_told_and_stay_alone(tmp_path: Path, dog: Image.Image) -> None:
    dog.save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    (tmp_path / "c.jpg").write_bytes(b"")
    dog.save(tmp_path / "d.jpg", quality=50)
    found = find_duplicates([*sorted(tmp_path.iterdir()), tmp_path / "missing.jpg"])
    assert found.groups == [0, 1, 2, 0, 3]
    assert sorted(found.unreadable) == [1, 2, 4]
    assert "no such file" in found.unreadable[4]


def test_many_equal_files_are_one_group(tmp_path: Path, dog: Image.Image) -> None:
    small = dog.resize((108, 134))
    for number in range(40):
        small.save(tmp_path / f"{number:02}.png")
    assert set(near_duplicate_groups(sorted(tmp_path.iterdir()))) == {0}


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_picture(count: int, tmp_path: Path, dog: Image.Image) -> None:
    dog.save(tmp_path / "a.png")
    assert near_duplicate_groups([tmp_path / "a.png"] * count) == [0] * count


def test_a_full_disk_is_one_line(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(DatasetError, match="No space left on device"):
        find_duplicates(sorted(copies.iterdir())[:2])


def test_the_fingerprint_has_the_stated_form_and_is_the_same_each_time(copies: Path) -> None:
    one = fingerprint(copies / "dog_original.png")
    assert one.thumbnail.shape == (64, 64)
    assert one.points.shape[0] == one.descriptors.shape[0] <= 200
    assert one.points.max() < SIDE
    again = fingerprint(copies / "dog_original.png")
    assert (one.descriptors == again.descriptors).all()
    fit = match(one.points, one.descriptors, again.points, again.descriptors)
    assert fit.points > 100
    assert fit.spread > 30


def test_a_crop_is_nearest_to_its_own_box() -> None:
    rng = np.random.default_rng(1)
    with Image.open(ROOT / "examples" / "cliffs.jpg") as picture:
        photo = np.asarray(picture.convert("RGB").resize((256, 256)))
    boxes = crops()
    part = photo[0:218, 38:256]
    thumbnail = fingerprint_of(np.asarray(Image.fromarray(part).resize((256, 256)))).thumbnail[None]
    whole = fingerprint_of(photo).thumbnail[None]
    values = [float(coarse(whole, box)[0] @ coarse(thumbnail)[0]) for box in boxes]
    assert boxes[int(np.argmax(values))] == (0.15, 0.0, 1.0, 0.85)
    assert max(values) > 0.9
    noise = rng.integers(0, 256, (5, 64, 64), dtype=np.uint8)
    assert len(candidate_pairs(noise)[0]) == 0


def test_the_result_is_the_same_in_another_process(copies: Path) -> None:
    paths = sorted(copies.iterdir())[::4]
    code = (
        "import sys; from pathlib import Path; from iqa_cli.datasets.duplicates import find_duplicates\n"
        "print(find_duplicates([Path(p) for p in sys.argv[1:]], 2).links)"
    )
    command = [sys.executable, "-c", code, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == str(find_duplicates(paths).links)


@pytest.mark.skipif(not BIQ2021.is_dir(), reason="needs BIQ2021 beside the checkout")
def test_groups_of_biq2021_are_recovered() -> None:
    """Twenty given groups of two stock photographs, among as many others: all found, and nothing else."""
    records = [record for record in read_biq2021(BIQ2021).records if record.subset == "ss03"]
    members: dict[str, list[Path]] = {}
    for record in records:
        members.setdefault(record.group, []).append(record.path)
    pairs = [paths for paths in members.values() if len(paths) == 2][:20]
    singles = [paths for paths in members.values() if len(paths) == 1][:20]
    chosen = [(path, number) for number, paths in enumerate(pairs + singles) for path in paths]
    result = agreement(near_duplicate_groups([path for path, _ in chosen]), [group for _, group in chosen])
    assert result.pairs_given == 20
    assert result.pair_precision == 1
    assert result.pair_recall >= 0.95
