"""Whether a GPU can be ruled out without importing torch."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
#: The device of AMD's driver, which torch's builds for ROCm use under the name of CUDA.
_AMD = Path("/dev/kfd")


def surely_cpu(device: str) -> bool:
    """Whether "auto", "cpu", ... is certain to mean the CPU: it is named, or no driver of a GPU is there."""
    if device == "cpu":
        return True
    if device != "auto" or _AMD.exists():
        return False
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return True
    return False
