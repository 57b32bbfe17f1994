"""What cannot be scored gives one clear line, at once, and nothing on stderr."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from iqa_cli.errors import ExitCode, ImageError
from iqa_cli.images.decode import open_photo
from tests.conftest import ROOT, png_chunk

Encoded = Callable[..., bytes]


def complaint(source: object, **options: object) -> str:
    """The message that a picture is refused with; it must be a single printable line."""
    with pytest.raises(ImageError) as caught:
        open_photo(source, **options)  # type: ignore[arg-type]
    message = caught.value.message
    assert message.isprintable()
    assert message
    assert caught.value.exit_code == ExitCode.SOME_FAILED
    return message


def test_missing(tmp_path: Path) -> None:
    assert complaint(tmp_path / "nothing.jpg") == "no such file"
    assert complaint(tmp_path / ("n" * 5000)) == "File name too long"
    assert complaint("a\0b.jpg") == "not a possible file name"


def test_folder(tmp_path: Path) -> None:
    assert "folder" in complaint(tmp_path)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert complaint(tmp_path / "empty.jpg") == "the file is empty"
    assert complaint(b"") == "the file is empty"


def test_text_named_as_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("Dear diary,\nno picture today.\n")
    assert complaint(path) == "not an image (it looks like text)"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x01\x02\x03" * 50, "not an image"),
        (b"%PDF-1.7\n" + b"x" * 50, "PDF"),
        (b"\xff\x0a" + bytes(50), "JPEG XL"),
        (b'<?xml version="1.0"?><svg xmlns="x"></svg>', "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(50), "video"),
        (b"\x00\x00\x00\x18ftypcrx " + bytes(50), "raw"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "WebP"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(12), "AVIF"),
        (b"II*\x00\x08\x00\x00\x00\x00\x00", "TIFF"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff", "JPEG"),
    ],
)
def test_other_content_is_named(data: bytes, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    message = complaint(data)
    assert words in message or message.startswith("the file is damaged")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "HEIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_truncated(
    kind: str, share: float, dog: Image.Image, encoded: Encoded, capfd: pytest.CaptureFixture[str]
) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(dog, kind)
    message = complaint(data[: int(len(data) * share)])
    assert "truncated" in message or "damaged" in message
    assert capfd.readouterr() == ("", "")


def test_damaged_in_the_middle(dog: Image.Image, encoded: Encoded) -> None:
    data = bytearray(encoded(dog, "PNG"))
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    assert "damaged" in complaint(bytes(data)) or "truncated" in complaint(bytes(data))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    messages: list[str] = []
    worker = threading.Thread(target=lambda: messages.append(complaint(pipe)), daemon=True)
    worker.start()
    worker.join(timeout=10)
    assert messages == ["is not a regular file but a pipe, socket or device"]


def test_a_device_is_refused() -> None:
    assert "device" in complaint("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden(tmp_path: Path, dog: Image.Image) -> None:
    path = tmp_path / "secret.png"
    dog.save(path)
    path.chmod(0)
    assert complaint(path) == "permission denied"


def test_too_many_pixels_is_seen_from_the_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 9))
    start = time.perf_counter()
    message = complaint(data + png_chunk(b"IEND", b""))
    assert time.perf_counter() - start < 1
    assert "60000x50000 is 3000 megapixels" in message
    assert "250" in message


def test_the_limit_of_pixels_is_ours_not_pillows(dog: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with open_photo(dog.copy()) as photo:
        assert photo.region(0, 0, photo.width, photo.height).shape == (536, 432, 3)
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert "limit" in complaint(dog, max_pixels=432 * 536 - 1)
    open_photo(dog, max_pixels=432 * 536).close()


def test_too_small() -> None:
    assert complaint(Image.new("RGB", (15, 400))) == (
        "15x400 pixels is too small: both sides must have at least 16"
    )
    open_photo(Image.new("RGB", (16, 400))).close()


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\x01\x04\x00\x00"}])
def test_the_preview_of_a_camera_raw_file_is_not_scored(
    tags: dict[int, object], dog: Image.Image, encoded: Encoded
) -> None:
    assert "raw" in complaint(encoded(dog, "TIFF", tiffinfo=tags))


def test_warnings_of_pillow_stay_inside(
    dog: Image.Image, encoded: Encoded, recwarn: pytest.WarningsRecorder
) -> None:
    """Several threads at once, with a broken EXIF block that Pillow would warn of."""
    data = encoded(dog, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0")
    limit = Image.MAX_IMAGE_PIXELS

    def work() -> None:
        for _ in range(5):
            with open_photo(data) as photo:
                photo.region(0, 0, 100, 100)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limit == Image.MAX_IMAGE_PIXELS
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000"])
def test_random_damage_ends_in_a_picture_or_in_one_line(
    kind: str, dog: Image.Image, encoded: Encoded
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if kind in ("BMP", "GIF", "PPM", "JPEG2000") else {"exif": exif.tobytes()}
    data = encoded(dog.resize((108, 134)), kind, **options)
    chance = random.Random(kind)
    messages: list[str] = []
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 3, 20])):
            damaged[chance.randrange(min(len(data), chance.choice([64, 1000, len(data)])))] ^= (
                1 << chance.randrange(8)
            )
        try:
            with open_photo(bytes(damaged), max_pixels=4_000_000) as photo:
                assert photo.resized(32, 32).shape == (32, 32, 3)
        except ImageError as error:
            messages.append(error.message)
    assert all(message.isprintable() for message in messages)


def test_complaints_that_pillow_logs_are_not_printed_beside_ours(dog: Image.Image, encoded: Encoded) -> None:
    """In a process of its own: pytest sets up logging. 65,535 samples a pixel are what Pillow logs."""
    data = bytearray(encoded(dog.resize((32, 32)), "TIFF"))
    at = data.index(struct.pack("<HHI", 277, 3, 1))
    data[at + 8 : at + 10] = b"\xff\xff"
    program = (
        "import sys; from iqa_cli.images.decode import open_photo; from iqa_cli.errors import ImageError\n"
        "try: open_photo(sys.stdin.buffer.read())\n"
        "except ImageError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], input=bytes(data), capture_output=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == (b"refused", b"")
