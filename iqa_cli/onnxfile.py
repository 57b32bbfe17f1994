"""What an ONNX file says of itself, read without an ONNX library: its card, before anything is made of it.

An ONNX file is one protobuf message (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, ModelProto). Its
texts about the model are field 14, pairs of key (1) and value (2); the graph, field 7, holds nearly all of
the bytes and is passed over. Nothing that the file claims leads to an allocation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from iqa_cli.checksums import compare_checksum, listed_checksum, mebibytes, open_regular
from iqa_cli.errors import WeightsError
from iqa_cli.tensorfile import MAX_HEADER
from iqa_cli.text import one_line

SUFFIX = ".onnx"

_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: Fields of the message: a graph, some texts. What has more is no file of `iqa export`.
_MOST_FIELDS = 1000


def is_exported(path: Path) -> bool:
    """Whether a file is an exported graph, by its name."""
    return path.name.endswith(SUFFIX)


def read_metadata(path: Path) -> dict[str, str]:
    """The texts about the model; of the rest of the file only lengths are read.

    Raises:
        WeightsError: The file is missing, no regular file, damaged or no ONNX file.
    """
    with open_regular(path) as (file, size):
        return _metadata(path, file, size)


def read_graph(path: Path, *, verify: bool = True) -> tuple[dict[str, str], bytes]:
    """The texts about the model, and the whole content.

    Args:
        path: The file.
        verify: Compare the content with `SHA256SUMS` beside it. What is compared is the very memory that is
            returned.

    Raises:
        WeightsError: As `read_metadata`; or the checksum differs; or the file changed while it was read.
    """
    expected = listed_checksum(path) if verify else None
    with open_regular(path) as (file, size):
        metadata = _metadata(path, file, size)
        file.seek(0)
        try:
            content = file.read(size)
        except MemoryError:
            raise WeightsError(f"{one_line(path)}: not enough memory for its {mebibytes(size)}") from None
    if len(content) != size:
        raise WeightsError(f"{one_line(path)}: changed while it was read")
    if expected is not None:
        compare_checksum(path, hashlib.sha256(content).hexdigest(), expected)
    return metadata, content


class _Damaged(Exception):
    pass


def _metadata(path: Path, file: BufferedReader, size: int) -> dict[str, str]:
    found: dict[str, str] = {}
    graph = False
    try:
        for field, length in _fields(file, size):
            graph |= field == _GRAPH
            if field == _METADATA:
                key, value = _pair(file, file.tell() + length)
                found[key] = value
    except (_Damaged, UnicodeDecodeError):
        graph = False
    if not graph:
        raise WeightsError(
            f"{one_line(path)}: is damaged, or is no ONNX file",
            hint="iqa export makes one of a weight",
        )
    return found


def _pair(file: BufferedReader, end: int) -> tuple[str, str]:
    texts = {_KEY: "", _VALUE: ""}
    for field, length in _fields(file, end):
        if field in texts:
            if length > MAX_HEADER:
                raise _Damaged
            texts[field] = file.read(length).decode("utf-8")
    return texts[_KEY], texts[_VALUE]


def _fields(file: BufferedReader, end: int) -> Iterator[tuple[int, int]]:
    """Number and length of each field that has bytes; the file stands at their beginning, and is set behind
    them afterwards."""
    for _ in range(_MOST_FIELDS):
        if file.tell() == end:
            return
        key = _varint(file)
        kind, length = key & 7, 0
        if kind == _VARINT:
            _varint(file)
        elif kind == _BYTES:
            length = _varint(file)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise _Damaged
        after = file.tell() + length
        if after > end:
            raise _Damaged
        if kind == _BYTES:
            yield key >> 3, length
        file.seek(after)
    raise _Damaged


def _varint(file: BufferedReader) -> int:
    value = 0
    for place in range(10):
        byte = file.read(1)
        if not byte:
            raise _Damaged
        value |= (byte[0] & 127) << (7 * place)
        if byte[0] < 128:
            return value
    raise _Damaged
