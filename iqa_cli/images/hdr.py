"""Whether a file says that its values are those of high dynamic range: PQ or HLG.

Such values are not sRGB with other colours: scored as they are, the picture is flat and grey, and how they
should be brought to standard range depends on the display. Looked for where the formats have it: in the chunk
cICP of PNG, the box colr of AVIF and HEIC, the tag cicp of an ICC profile (version 4.4). Photographs with a
gain map (Ultra HDR, those of telephones) are standard range with something added, and not meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

# Transfer characteristics of ITU-T H.273.
_TRANSFERS = {16: "PQ", 18: "HLG"}
_PNG = b"\x89PNG\r\n\x1a\n"
# Far more than any file has before its pixels.
_MAX_CHUNKS = 1000
_MAX_META = 2**24
_MAX_BOX = 2**40


def transfer_of_file(stream: BinaryIO) -> str | None:
    """ "PQ" or "HLG" where a PNG, AVIF or HEIC file says so; None for all others.

    Args:
        stream: The file; read from its start, and left somewhere.
    """
    stream.seek(0)
    head = stream.read(8)
    stream.seek(0)
    if head == _PNG:
        return _of_png(stream)
    return _of_heif(stream) if head[4:] == b"ftyp" else None


def transfer_of_profile(profile: bytes) -> str | None:
    """ "PQ" or "HLG" where an ICC profile says so in its tag cicp; None for all others."""
    for number in range(min(_number(profile[128:132]), 100)):
        entry = profile[132 + 12 * number : 144 + 12 * number]
        if entry[:4] == b"cicp":
            # Signature, four bytes of nothing, primaries, transfer, matrix, range.
            at = _number(entry[4:8])
            return _TRANSFERS.get(_number(profile[at + 9 : at + 10]))
    return None


def _of_png(stream: BinaryIO) -> str | None:
    stream.seek(len(_PNG))
    for _ in range(_MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            break
        if head[4:] == b"cICP":
            return _TRANSFERS.get(_number(stream.read(4)[1:2]))
        stream.seek(_number(head[:4]) + 4, 1)
    return None


def _of_heif(stream: BinaryIO) -> str | None:
    """By the colour properties of the primary picture: an auxiliary or alternative one may have others."""
    meta = _meta_box(stream)
    boxes = dict(_boxes(meta[4:]))
    properties = dict(_boxes(boxes.get(b"iprp", b"")))
    of_primary = _properties_of(_primary(boxes.get(b"pitm", b"")), properties.get(b"ipma", b""))
    listed = list(_boxes(properties.get(b"ipco", b"")))
    colours = [listed[i - 1][1] for i in of_primary if 0 < i <= len(listed) and listed[i - 1][0] == b"colr"]
    if any(colour[:4] in (b"prof", b"rICC") for colour in colours):
        return None  # a profile goes before it
    transfers = (_TRANSFERS.get(_number(colour[6:8])) for colour in colours if colour[:4] == b"nclx")
    return next(filter(None, transfers), None)


def _meta_box(stream: BinaryIO) -> bytes:
    """The content of the box meta on the first level; empty where there is none."""
    for _ in range(_MAX_CHUNKS):
        head = stream.read(8)
        size = _number(head[:4])
        if size == 1:
            size = _number(stream.read(8)) - 8
        if len(head) < 8 or not 8 <= size <= _MAX_BOX:
            break
        if head[4:] == b"meta":
            return stream.read(min(size - 8, _MAX_META))
        stream.seek(size - 8, 1)
    return b""


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes in a box, as far as they are whole."""
    at = 0
    while 8 <= (size := _number(content[at : at + 4])) <= len(content) - at:
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size


def _primary(pitm: bytes) -> int:
    return _number(pitm[4:8] if pitm[:1] > b"\0" else pitm[4:6])


def _properties_of(item: int, ipma: bytes) -> list[int]:
    """Numbers of the properties of an item, counted from 1."""
    id_size = 4 if ipma[:1] > b"\0" else 2
    step = 2 if _number(ipma[1:4]) & 1 else 1
    at = 8
    while at + id_size < len(ipma):
        found, count = _number(ipma[at : at + id_size]), ipma[at + id_size]
        at += id_size + 1
        if found == item:
            numbers = (_number(ipma[i : i + step]) for i in range(at, at + step * count, step))
            # The highest bit says whether a reader must know the property.
            return [number & (0x7FFF if step == 2 else 0x7F) for number in numbers]
        at += step * count
    return []


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
