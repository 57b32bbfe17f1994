"""MATLAB files of labels (.mat, up to version 7): vectors of numbers and cell arrays of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iqa_cli.errors import DatasetError
from iqa_cli.text import one_line


def read_mat(path: Path, *variables: str) -> dict[str, Any]:
    """Variables of a MATLAB file, as SciPy gives them.

    Raises:
        DatasetError: The file cannot be read, is none, or lacks a variable.
    """
    from scipy.io import loadmat

    shown = one_line(path)
    try:
        with path.open("rb") as file:
            content = loadmat(file)
    except OSError as error:
        raise DatasetError(f"cannot read '{shown}': {error.strerror or 'it is cut short'}") from None
    except NotImplementedError:
        raise DatasetError(
            f"cannot read '{shown}': it is of version 7.3", hint="take the file as it was downloaded"
        ) from None
    # SciPy lets through whatever its decoding of a damaged file stumbles over: struct.error, zlib.error,
    # ValueError, TypeError, MemoryError and more.
    except Exception:
        raise DatasetError(f"cannot read '{shown}': it is no MATLAB file, or a damaged one") from None
    for name in variables:
        if name not in content:
            known = ", ".join(key for key in content if not key.startswith("__")) or "none"
            raise DatasetError(f"{shown}: lacks the variable {name!r}", hint=f"variables: {one_line(known)}")
    return content


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
