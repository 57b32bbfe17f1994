"""Labels in MATLAB files (version 5 to 7): vectors of numbers and cell arrays of names.

Read here and not by `scipy.io.loadmat`, whose reader ends the process on some damaged files: it looks up
the type of an element without a bound (https://github.com/scipy/scipy/pull/25349), and is by its own words
not for files from anywhere. The layout: "MAT-File Format", The MathWorks, chapter 1 (level 5).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line, reason_of

if TYPE_CHECKING:
    import numpy as np

_HEADER = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _CHARACTERS, _NUMERIC = 1, 4, range(6, 16)
_COMPLEX = 0x800
# Far more than the labels of any database; a compressed file may claim a thousand times its size.
_LARGEST = 2**26
_MAX_DEPTH = 8


class _Damaged(Exception):
    pass


def read_mat(path: Path, *variables: str) -> dict[str, Any]:
    """Variables of a MATLAB file.

    Returns:
        Name -> an array: of numbers, of one text (characters), or of objects that are such arrays (cells);
        None for a variable of another kind.

    Raises:
        DatasetError: The file cannot be read, is none, is too large for labels, or lacks a variable.
    """
    shown = one_line(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise DatasetError(f"cannot read '{shown}': {reason_of(error)}") from None
    try:
        found = dict(_variables(content))
    except _NewVersion:
        raise DatasetError(
            f"cannot read '{shown}': it is of version 7.3", hint="take the file as it was downloaded"
        ) from None
    except (_Damaged, zlib.error, UnicodeError):
        raise DatasetError(f"cannot read '{shown}': it is no MATLAB file, or a damaged one") from None
    for name in variables:
        if name not in found:
            known = ", ".join(found) or "none"
            raise DatasetError(f"{shown}: lacks the variable {name!r}", hint=f"variables: {one_line(known)}")
    return found


class _NewVersion(Exception):
    pass


def _variables(content: bytes) -> Iterator[tuple[str, Any]]:
    orders = {b"IM": "<", b"MI": ">"}
    order = orders.get(content[126:128])
    if order is None or not content.startswith(b"MATLAB") or len(content) > _LARGEST:
        raise _Damaged
    if int.from_bytes(content[124:126], "little" if order == "<" else "big") >> 8 != 1:
        raise _NewVersion
    left = _LARGEST
    for kind, data in _elements(content[_HEADER:], order):
        if kind == _COMPRESSED:
            if left <= 0:
                raise _Damaged
            unpacked = zlib.decompressobj().decompress(data, left)
            left -= len(unpacked)
            kind, data = next(_elements(unpacked, order), (0, b""))
        if kind != _MATRIX:
            raise _Damaged
        yield _matrix(data, order, 0)


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Kind and content of the elements of a file or of a matrix."""
    byteorder = "little" if order == "<" else "big"
    at = 0
    while at + 8 <= len(data):
        tag = int.from_bytes(data[at : at + 4], byteorder)  # type: ignore[arg-type]
        if tag >> 16:  # a small element: size and kind in one number, up to four bytes behind it
            kind, size, start, end = tag & 0xFFFF, tag >> 16, at + 4, at + 8
            if size > 4:
                raise _Damaged
        else:
            kind, size = tag, int.from_bytes(data[at + 4 : at + 8], byteorder)  # type: ignore[arg-type]
            start = at + 8
            end = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise _Damaged
        yield kind, data[start : start + size]
        at = end


def _matrix(data: bytes, order: str, depth: int) -> tuple[str, Any]:
    """Name and value of a matrix."""
    import numpy as np

    if not data:
        return "", np.empty((0, 0))
    parts = _elements(data, order)
    flags, sizes = (_numbers(*next(parts, (0, b"")), order) for _ in range(2))
    name = _text(*next(parts, (0, b"")), order)
    if flags.dtype.kind == "f" or sizes.dtype.kind == "f":  # of which some are no whole numbers
        raise _Damaged
    if depth > _MAX_DEPTH or len(flags) != 2 or not 2 <= len(sizes) <= 8 or min(sizes) < 0:
        raise _Damaged
    shape = tuple(int(size) for size in sizes)
    kind, entries = int(flags[0]) & 0xFF, math.prod(shape)
    # Also where a side of 0 lets it hold nothing.
    if math.prod(size or 1 for size in shape) > _LARGEST:
        raise _Damaged
    if kind == _CELL:
        cells = [_matrix(part, order, depth + 1)[1] for found, part in parts if found == _MATRIX]
        if len(cells) != entries:
            raise _Damaged
        array = np.empty(entries, dtype=object)
        for place, cell in enumerate(cells):
            array[place] = cell
        return name, array.reshape(shape, order="F")
    if kind == _CHARACTERS and (shape[0] == 1 or not entries):
        text = _text(*next(parts, (2, b"")), order)
        return name, np.array([text] if entries else [], dtype=str)
    if kind in _NUMERIC and not int(flags[0]) & _COMPLEX:
        values = _numbers(*next(parts, (9, b"")), order)
        if len(values) != entries:
            raise _Damaged
        return name, values.reshape(shape, order="F")
    return name, None


def _numbers(kind: int, data: bytes, order: str) -> np.ndarray:
    import numpy as np

    dtype = np.dtype(order + _NUMBERS[kind]) if kind in _NUMBERS else None
    if dtype is None or len(data) % dtype.itemsize:
        raise _Damaged
    return np.frombuffer(data, dtype)


def _text(kind: int, data: bytes, order: str) -> str:
    if kind not in _TEXTS:
        raise _Damaged
    coding = _TEXTS[kind]
    if coding in ("utf-16", "utf-32"):
        coding += "-le" if order == "<" else "-be"
    return data.decode(coding)


def numbers(value: Any, where: str) -> list[float]:
    """A vector of numbers, lying or standing.

    Raises:
        DatasetError: It holds something else.
    """
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.size != max(array.shape, default=0):
        raise DatasetError(f"{where}: is no vector of numbers")
    return [float(entry) for entry in array.ravel()]


def texts(value: Any, where: str) -> list[str]:
    """A cell array of texts, lying or standing.

    Raises:
        DatasetError: It holds something else, or an empty text.
    """
    import numpy as np

    array = np.asarray(value)
    found = []
    for number, cell in enumerate(array.ravel() if array.dtype.kind == "O" else (), 1):
        entry = np.asarray(cell)
        text = str(entry.ravel()[0]).strip() if entry.dtype.kind == "U" and entry.size == 1 else ""
        if not text or "\0" in text:
            raise DatasetError(f"{where}, entry {number}: is no name")
        found.append(text)
    if not found:
        raise DatasetError(f"{where}: is no list of names")
    return found
