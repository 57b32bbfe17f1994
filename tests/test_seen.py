"""Hashes of seen pictures: the same pixels are always recognised, copies nearly so, other pictures not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from iqa_cli.errors import ImageError, WeightsError
from iqa_cli.seen import PhotoHash, hash_file, hash_photo, read_seen, seen_path, write_seen
from iqa_cli.weights import verify_checksum

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.jpg"))
uint64 = st.integers(0, 2**64 - 1)


def scene(seed: int, height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """A smooth random picture: large blobs of colour, as photographs have."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def as_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def test_pixel_hash_is_the_documented_one() -> None:
    import hashlib

    picture = scene(1, 5, 4)
    content = (4).to_bytes(4, "little") + (5).to_bytes(4, "little") + picture.tobytes()
    assert hash_photo(picture).pixels == int.from_bytes(hashlib.sha256(content).digest()[:8], "little")


def test_pixel_hash_sees_one_level_and_the_shape_but_not_the_memory_layout() -> None:
    picture = scene(2)
    changed = picture.copy()
    changed[100, 100, 1] ^= 1
    assert hash_photo(changed).pixels != hash_photo(picture).pixels
    flat = np.zeros((4, 6, 3), np.uint8)
    assert hash_photo(flat).pixels != hash_photo(flat.reshape(6, 4, 3)).pixels
    assert hash_photo(np.asfortranarray(picture)) == hash_photo(picture)
    assert hash_photo(picture[:, ::-1][:, ::-1]) == hash_photo(picture)


def test_perceptual_hash_of_ramps() -> None:
    ramp = np.repeat(np.arange(0, 252, 4, dtype=np.uint8)[None, :, None], 56, axis=0).repeat(3, axis=2)
    assert hash_photo(ramp).perceptual == 2**64 - 1
    assert hash_photo(ramp[:, ::-1]).perceptual == 0
    assert hash_photo(np.full((1, 1, 3), 99, np.uint8)).perceptual == 0


def test_copies_are_near_and_other_pictures_are_not(tmp_path: Path) -> None:
    pictures = [scene(seed) for seed in range(40)]
    path = tmp_path / "w.seen.safetensors"
    assert write_seen(path, map(hash_photo, pictures[:20])) == 20
    seen = read_seen(path)
    for index, picture in enumerate(pictures):
        known = index < 20
        assert seen.met(hash_photo(picture)) is known
        copy = hash_photo(as_jpeg(picture, 60))
        smaller = hash_photo(
            np.asarray(Image.fromarray(picture).resize((200, 150), Image.Resampling.LANCZOS))
        )
        assert not seen.met(copy)
        assert seen.near(copy) is known
        assert seen.near(smaller) is known


@pytest.mark.skipif(not EXAMPLES, reason="no example photographs in this checkout")
def test_a_photograph_is_recognised_when_saved_again(tmp_path: Path) -> None:
    picture = np.asarray(Image.open(EXAMPLES[0]).convert("RGB"))
    path = tmp_path / "w.seen.safetensors"
    write_seen(path, [hash_photo(picture)])
    seen = read_seen(path)
    assert seen.met(hash_photo(picture))
    assert seen.near(hash_photo(as_jpeg(picture, 75)))


@pytest.mark.skipif(not EXAMPLES, reason="no example photographs in this checkout")
def test_a_file_is_hashed_as_training_has_hashed_it(tmp_path: Path) -> None:
    from iqa_cli.training.crops import decode_all

    turned = tmp_path / "turned.jpg"
    with Image.open(EXAMPLES[0]) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.convert("RGB").save(turned, exif=exif)
    clear = tmp_path / "clear.png"
    rgba = np.dstack([scene(3), np.tile(np.arange(320, dtype=np.uint8) // 2, (240, 1))])
    Image.fromarray(rgba).save(clear)
    for path in (EXAMPLES[0], turned, clear):
        assert hash_file(path) == hash_photo(decode_all([path])[0])
    with pytest.raises(ImageError, match="no such file"):
        hash_file(tmp_path / "none.jpg")


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(uint64, uint64), max_size=30), other=st.tuples(uint64, uint64))
def test_file_gives_back_what_was_written(
    pairs: list[tuple[int, int]], other: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("seen") / "w.seen.safetensors"
    assert write_seen(path, pairs) == len(set(pairs)) == len(read_seen(path))
    seen = read_seen(path)
    assert all(seen.met(PhotoHash(*pair)) for pair in pairs)
    assert seen.met(PhotoHash(*other)) is (other[0] in {pixels for pixels, _ in pairs})
    for bits in (0, 4, 31):
        near = any((perceptual ^ other[1]).bit_count() <= bits for _, perceptual in pairs)
        assert seen.near(PhotoHash(*other), bits) is near


def test_order_does_not_change_the_file(tmp_path: Path) -> None:
    pairs = [(5, 1), (3, 2), (5, 1), (2**64 - 1, 0)]
    one, two = tmp_path / "1.seen.safetensors", tmp_path / "2.seen.safetensors"
    write_seen(one, pairs)
    write_seen(two, reversed(pairs))
    assert one.read_bytes() == two.read_bytes()
    assert verify_checksum(one)


def test_seen_path_and_names(tmp_path: Path) -> None:
    assert seen_path("weights/mfenet.safetensors") == Path("weights/mfenet.seen.safetensors")
    with pytest.raises(WeightsError, match=r"\.seen\.safetensors"):
        write_seen(tmp_path / "mfenet.safetensors", [])


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.seen.safetensors"
    write_seen(path, [(1, 1), (2, 2)])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        read_seen(path)
    (tmp_path / "SHA256SUMS").unlink()
    path.write_bytes(bytes(content[:-5]))
    with pytest.raises(WeightsError, match="cut short"):
        read_seen(path)
    with pytest.raises(WeightsError, match="No such file"):
        read_seen(tmp_path / "none.seen.safetensors")


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "w.seen.safetensors"
    one = np.array([2, 1], np.uint64)
    for tensors, reason in (
        ({"pixels": one}, "lacks 'perceptual'"),
        ({"pixels": one.astype(np.int64), "perceptual": one}, "lacks 'pixels'"),
        ({"pixels": one[None], "perceptual": one}, "lacks 'pixels'"),
        ({"pixels": one, "perceptual": one}, "not sorted"),
        ({"pixels": one[1:], "perceptual": one}, "pairs"),
    ):
        save_file(tensors, path)
        with pytest.raises(WeightsError, match=reason):
            read_seen(path)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        hash_photo(picture)


def test_bits_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "w.seen.safetensors"
    write_seen(path, [])
    assert not read_seen(path).near(PhotoHash(0, 0), 64)
    with pytest.raises(ValueError, match="65"):
        read_seen(path).near(PhotoHash(0, 0), 65)
