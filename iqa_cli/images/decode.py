"""Opening a picture: a path, bytes, a stream, a PIL image or an array becomes a `Photo`.

What a file is, is decided by its content and never by its name. What cannot be opened gives one clear line.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from iqa_cli.errors import ImageError
from iqa_cli.images.arrays import check_pixels, image_from_array, tiff_by_opencv
from iqa_cli.images.content import HEAD_BYTES, is_camera_raw, is_heic, is_tiff, why_not_an_image
from iqa_cli.images.hdr import transfer_of_file, transfer_of_profile
from iqa_cli.images.large import in_less_memory
from iqa_cli.images.photo import Photo
from iqa_cli.images.pillow import quiet_pillow
from iqa_cli.images.policy import SizePolicy, reduced_size
from iqa_cli.images.reading import reading_of
from iqa_cli.text import one_line, reason_of

__all__ = ["Photo", "Source", "open_file", "open_photo"]

Source: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image.Image | np.ndarray"

# Only formats of photographs, and none that runs another program (as EPS does).
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
# The EXIF orientation that undoes another one; the rest undo themselves.
_UNDONE = {6: 8, 8: 6}


def open_photo(
    source: Source,
    *,
    max_pixels: int = 250_000_000,
    exif: bool = True,
    draft_side: int | None = None,
    draft_shortest: int = SizePolicy.crop,
    min_side: int = SizePolicy.min_side,
) -> Photo:
    """Decode a picture (of an animation its first frame), ready to be asked for pieces.

    Args:
        source: A path, the bytes of a file, a binary stream (read from its start if it can seek), a PIL
            image (left as it is), or an array as `image_from_array` takes.
        max_pixels: Larger pictures are refused, from their header, before memory is taken for them.
        exif: Whether the EXIF orientation is applied.
        draft_side: If given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, so that both sides stay
            at least twice those of a view reduced to this geometric-mean side. Such a photo has no native
            regions.
        draft_shortest: The shorter side that such a view has at least.
        min_side: Pictures with a shorter side are refused.

    Returns:
        An open Photo; close it, or use it as a context manager.

    Raises:
        ImageError: with one line, for anything that cannot be scored: missing, a folder, a pipe, empty,
            truncated, damaged, no image, of a format that is not supported, too large or too small.
        TypeError: if `source` is none of the types above.
    """
    draft = None if draft_side is None else (draft_side, draft_shortest)
    try:
        if isinstance(source, np.ndarray):
            image = image_from_array(source)
            _check_size(*image.size, max_pixels, min_side)
            return Photo(image, reading_of(image))
        if isinstance(source, Image.Image):
            return _decoded(source, max_pixels, min_side, exif=exif, owned=False)
        if isinstance(source, (bytes, bytearray, memoryview)):
            return _from_stream(io.BytesIO(source), max_pixels, min_side, exif, draft)
        if isinstance(source, (str, os.PathLike)):
            with open_file(source) as stream:
                return _from_stream(stream, max_pixels, min_side, exif, draft)
        if hasattr(source, "read"):
            stream = source if source.seekable() else io.BytesIO(source.read())
            return _from_stream(stream, max_pixels, min_side, exif, draft)
    except MemoryError:
        raise ImageError("not enough memory to decode it") from None
    raise TypeError(f"cannot open a picture from {type(source).__name__}")


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """The file of a picture opened for reading; looked at before, because opening a pipe would wait for its
    writer.

    Raises:
        ImageError: It is missing, a folder, a pipe, a device, or may not be read.
    """
    try:
        kind = Path(path).stat().st_mode
        if stat.S_ISDIR(kind):
            raise ImageError("is a folder, not a picture", hint="use -r to score the pictures inside")
        if not stat.S_ISREG(kind):
            raise ImageError("is not a regular file but a pipe, socket or device")
        return Path(path).open("rb")
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except PermissionError:
        raise ImageError("permission denied") from None
    except OSError as error:
        raise ImageError(reason_of(error)) from None
    except ValueError:  # a null character inside the name
        raise ImageError("not a possible file name") from None


def _from_stream(
    stream: BinaryIO, max_pixels: int, min_side: int, exif: bool, draft: tuple[int, int] | None
) -> Photo:
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    transfer = transfer_of_file(stream)
    stream.seek(0)
    if not head:
        raise ImageError("the file is empty")
    formats: tuple[str, ...] = _FORMATS
    if is_heic(head):
        _register_heif()
        formats = ("HEIF",)
    with quiet_pillow():
        image: Image.Image
        try:
            image = Image.open(stream, formats=formats)
        except UnidentifiedImageError:
            found = tiff_by_opencv(stream, max_pixels) if is_tiff(head) else None
            if found is None:
                raise ImageError(why_not_an_image(head)) from None
            image, orientation, profile = found
            _check_size(*image.size, max_pixels, min_side)
            return Photo(image, reading_of(image, profile), orientation=orientation if exif else 1)
        except MemoryError:
            raise
        except Exception as error:  # the decoders raise struct.error, SyntaxError, EOFError and many more
            raise _damaged(error) from None
        if is_camera_raw(head, image):
            raise ImageError("is a camera raw file", hint="develop it to JPEG or TIFF first")
        if transfer is not None:
            raise _is_hdr(transfer)
        _check_size(*image.size, max_pixels, min_side)
        if draft is None or image.format == "WEBP":  # a JPEG is then decoded smaller, in less memory yet
            image = in_less_memory(image, stream)
        return _decoded(image, max_pixels, min_side, exif=exif, draft=draft, owned=True)


def _decoded(
    image: Image.Image,
    max_pixels: int,
    min_side: int,
    *,
    exif: bool,
    draft: tuple[int, int] | None = None,
    owned: bool,
) -> Photo:
    """A photo of a picture that Pillow has opened but perhaps not decoded yet."""
    full_size = None
    with quiet_pillow():
        width, height = image.size
        _check_size(width, height, max_pixels, min_side)
        if draft is not None and image.format in ("JPEG", "MPO"):
            view_width, view_height = reduced_size(width, height, *draft)
            image.draft(image.mode, (2 * view_width, 2 * view_height))
            full_size = (width, height)
        # Pillow turns a TIFF by itself while it decodes it, and drops the tag then.
        tagged = _orientation(image) if image.format == "TIFF" else 1
        try:
            image.load()
        except MemoryError:
            raise ImageError(f"not enough memory to decode {width}x{height} pixels") from None
        except Exception as error:
            raise _damaged(error) from None
        orientation = _orientation(image)
        if orientation != tagged and image.format == "TIFF":
            orientation = 1 if exif else _UNDONE.get(tagged, tagged)
        elif not exif:
            orientation = 1
        profile = image.info.get("icc_profile")
        transfer = transfer_of_profile(profile) if isinstance(profile, bytes) else None
        if transfer is not None:
            raise _is_hdr(transfer)
        reading = reading_of(image, profile, may_mend=owned)
        return Photo(image, reading, orientation=orientation, full_size=full_size, owned=owned)


def _check_size(width: int, height: int, max_pixels: int, min_side: int) -> None:
    check_pixels(width, height, max_pixels)
    if min(width, height) < min_side:
        raise ImageError(f"{width}x{height} pixels is too small: both sides must have at least {min_side}")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where there is none or the EXIF block is broken."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block is no reason to refuse the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_hdr(transfer: str) -> ImageError:
    return ImageError(f"is a picture of high dynamic range ({transfer}); convert it to standard range first")


def _damaged(error: Exception) -> ImageError:
    """What a decoder complained about, as one line."""
    text = one_line(str(error)).rstrip(".")
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return ImageError("the file is truncated")
    if text.lower().startswith("unsupported"):
        return ImageError(f"of a kind that is not supported ({text})")
    return ImageError(f"the file is damaged ({text})" if text else "the file is damaged")


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            "HEIC needs an extra package: pip install 'iqa-cli[heif]'",
        ) from None
    pillow_heif.register_heif_opener()
