"""What a file is, by its first bytes: for the choice of a decoder and for messages that name the cause."""

from __future__ import annotations

from PIL import Image

HEAD_BYTES = 512

# Brands of the ISO base media container (bytes 4 to 8 are "ftyp", the brands follow).
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")

_SUPPORTED = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
)
_UNSUPPORTED = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "Photoshop"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"PK\x03\x04", "zip archive"),
    (b"\x1f\x8b", "gzip"),
)
_CAMERA_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"IIU\x00", b"MMOR")

_NEW_SUBFILE_TAG, _DNG_VERSION_TAG = 254, 50706


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as a TIFF or BigTIFF."""
    return head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def is_heic(head: bytes) -> bool:
    """Whether a file begins as HEIC or another HEIF that is not AVIF."""
    brands = _brands(head)
    return any(brand in _HEIC_BRANDS for brand in brands) and not any(b in _AVIF_BRANDS for b in brands)


def is_camera_raw(head: bytes, image: Image.Image) -> bool:
    """Whether an opened picture is only the preview inside a camera raw file.

    Many raw formats are TIFF files whose first picture is a thumbnail: its score would say nothing of the
    photograph.
    """
    if head[8:10] == b"CR" and is_tiff(head):
        return True
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    kind = tags.get(_NEW_SUBFILE_TAG, 0)
    return _DNG_VERSION_TAG in tags or (isinstance(kind, int) and bool(kind & 1))


def why_not_an_image(head: bytes) -> str:
    """One line on a file that no decoder took, from its first bytes (at least one)."""
    if head.startswith(_CAMERA_RAW) or head[4:11] == b"ftypcrx":
        return "is a camera raw file; develop it to JPEG or TIFF first"
    for start, name in _UNSUPPORTED:
        if head.startswith(start):
            return f"{name} is not supported"
    brands = _brands(head)
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "damaged or truncated AVIF file"
    if brands:
        return "not an image but a video or another media container"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "damaged or truncated WebP file"
    if is_tiff(head):
        return "a damaged TIFF file, or of a kind that is not supported"
    for start, name in _SUPPORTED:
        if head.startswith(start):
            return f"damaged or truncated {name} file"
    if b"<svg" in head:
        return "SVG is not supported"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "not an image (it looks like text)"
    return "not an image, or of a format that is not supported"


def _brands(head: bytes) -> list[bytes]:
    """Major and compatible brands of an ISO base media file; empty for anything else."""
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12]] + [head[at : at + 4] for at in range(16, end - 3, 4)]
