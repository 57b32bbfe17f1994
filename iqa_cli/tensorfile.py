"""Reading safetensors files without torch: the header, and the checked content.

A weight may come from anywhere, so nothing that its header claims is believed before it has been compared
with the size of the
file: no claim leads to an allocation. Only a header of a few mebibytes is parsed, by json, never by a pickle.
The layout (https://github.com/huggingface/safetensors): eight bytes with the length of the header (little
endian), the header (JSON: name -> dtype, shape, [first, last + 1) byte), then the tensors' bytes without
gaps.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from iqa_cli.checksums import (
    MAX_FILE,
    compare_checksum,
    listed_checksum,
    mebibytes,
    open_regular,
    sha256_from,
)
from iqa_cli.errors import WeightsError
from iqa_cli.text import one_line

MAX_HEADER = (
    4 * 2**20
)  # the largest network planned has some 200 KiB; what is longer is an attack or no header
BYTES_OF = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "U64": 8,
    "I32": 4,
    "U32": 4,
    "I16": 2,
    "U16": 2,
}
BYTES_OF |= {"I8": 1, "U8": 1, "BOOL": 1}

_MAX_DIMENSIONS = 16
_MAX_ELEMENTS = 2**40
_CONVERT = (
    "only safetensors files are read, since a pickle can run code when opened. If you trust its origin, "
    "convert it yourself: torch.load(file, weights_only=True), then iqa_cli.weights.save_weights"
)


@dataclass(frozen=True)
class TensorInfo:
    """One tensor in the header: dtype by its safetensors name, shape, its bytes [start, end) in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header that fits its file: the tensors by name and the text metadata."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    file_size: int


def read_header(path: Path) -> Header:
    """The header of a safetensors file; none of the tensors is read.

    Raises:
        WeightsError: The file is missing, no regular file, not safetensors (with a hint where its kind is
            known), cut short, or its header contradicts itself or the file.
    """
    with open_regular(path) as (file, size):
        return _parse_header(path, file, size)


def read_header_hashed(path: Path) -> tuple[Header, str]:
    """`read_header`, and the SHA-256 (hex) of the very file that it was read from."""
    with open_regular(path) as (file, size):
        header = _parse_header(path, file, size)
        file.seek(0)
        return header, sha256_from(file)


def read_file(path: Path, *, verify: bool = True, sha256: str | None = None) -> tuple[Header, bytearray]:
    """Header and whole content of a safetensors file, in one pass over the disk.

    Args:
        path: The file.
        verify: Compare the content with `SHA256SUMS` beside it. What is compared is the very memory that is
            returned.
        sha256: Of the file as it was when it was first looked at, in hex.

    Raises:
        WeightsError: As `read_header`; or a checksum differs; or the file shrank while it was read.
    """
    expected = listed_checksum(path) if verify else None
    with open_regular(path) as (file, size):
        header = _parse_header(path, file, size)
        try:
            content = bytearray(size)
        except MemoryError:
            raise WeightsError(f"{one_line(path)}: not enough memory for its {mebibytes(size)}") from None
        file.seek(0)
        if file.readinto(content) != size:
            raise WeightsError(f"{one_line(path)}: changed while it was read")
    if expected is not None or sha256 is not None:
        actual = hashlib.sha256(content).hexdigest()
        if sha256 not in (None, actual):
            raise WeightsError(
                f"{one_line(path)}: has been replaced since the start",
                hint="start again, and the new weight is used with its own card",
            )
        if expected is not None:
            compare_checksum(path, actual, expected)
    return header, content


def _parse_header(path: Path, file: BufferedReader, size: int) -> Header:
    name = one_line(path)
    start = file.read(16)
    if size == 0:
        raise WeightsError(f"{name}: is empty")
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{":
        if length <= MAX_HEADER and 0 < size < 9:
            raise WeightsError(f"{name}: is cut short after {size} bytes")
        raise _not_safetensors(name, start)
    if length > MAX_HEADER:
        raise WeightsError(f"{name}: its header is damaged (it claims {length} bytes)")
    if 8 + length > size:
        raise WeightsError(
            f"{name}: is cut short: {mebibytes(size)}, of which {length} bytes should be header"
        )
    file.seek(8)
    try:
        values = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_no_duplicates)
        if not isinstance(values, dict):
            raise ValueError("is no object")
        metadata = _metadata(values.pop("__metadata__", {}))
        tensors = {key: _tensor_info(key, entry, 8 + length) for key, entry in values.items()}
        _check_layout(tensors, 8 + length, size)
    except _CutShort as error:
        raise WeightsError(f"{name}: is cut short: {error}") from None
    except (ValueError, RecursionError) as error:
        reason = one_line(str(error) or "not JSON")
        raise WeightsError(f"{name}: its header is damaged ({reason})") from None
    return Header(tensors, metadata, size)


class _CutShort(Exception):
    pass


def _not_safetensors(name: str, start: bytes) -> WeightsError:
    """The error for a file that does not begin as a safetensors file does, by what it begins with."""
    if start.startswith(b"PK\x03\x04"):
        what = "a zip archive (as torch.save writes .pt and .pth files), not a safetensors file"
        return WeightsError(f"{name}: is {what}", hint=_CONVERT)
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return WeightsError(f"{name}: is a pickle, not a safetensors file", hint=_CONVERT)
    if start.startswith(b"version https://"):
        hint = "fetch the content with `git lfs pull`"
        return WeightsError(f"{name}: is a Git LFS pointer, not the weight itself", hint=hint)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return WeightsError(f"{name}: is a web page, not a safetensors file", hint="download the file itself")
    return WeightsError(f"{name}: is not a safetensors file", hint=_CONVERT)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name occurs twice")
    return values


def _metadata(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("the metadata is no table of texts")
    return values


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values
    )


def _tensor_info(name: str, entry: Any, base: int) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name[:80]}: should have dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES_OF:
        raise ValueError(f"tensor {name[:80]}: unknown dtype")
    if (
        not _whole(shape)
        or len(shape) > _MAX_DIMENSIONS
        or math.prod(max(side, 1) for side in shape) > _MAX_ELEMENTS
    ):
        raise ValueError(f"tensor {name[:80]}: impossible shape")
    if (
        not _whole(offsets)
        or len(offsets) != 2
        or offsets[1] - offsets[0] != math.prod(shape) * BYTES_OF[dtype]
    ):
        raise ValueError(f"tensor {name[:80]}: its shape and its place in the file disagree")
    return TensorInfo(dtype, tuple(shape), base + offsets[0], base + offsets[1])


def _check_layout(tensors: dict[str, TensorInfo], base: int, size: int) -> None:
    """The tensors should follow each other without gap or overlap, from the header to the end of the file."""
    end = base
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != end:
            raise ValueError(f"tensor {name[:80]}: overlaps another or leaves a gap")
        end = info.end
    if end > size:
        raise _CutShort(f"{mebibytes(size)} of {mebibytes(end) if end < MAX_FILE else 'an absurd size'}")
    if end < size:
        raise ValueError(f"{size - end} bytes follow the last tensor")
