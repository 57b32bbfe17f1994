"""Files that stand under their name whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from iqa_cli.text import one_line


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, beside `path`. When all went well it is forced to the disk and takes that name;
    when not it is gone, and what stood there still does.

    Raises:
        OSError: No permission, no space, no such folder, a folder of that name, ...
        ValueError: The name is not a possible one.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)


def reason_of(error: Exception) -> str:
    """Why a file could not be written, in one line, in the words of the system where it has some."""
    return one_line(getattr(error, "strerror", None) or str(error))
