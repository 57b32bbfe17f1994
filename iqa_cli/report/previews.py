"""Small pictures for a page: in the page itself, or in a folder beside it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iqa_cli.errors import UsageError
from iqa_cli.replacing import replacing, unwritable
from iqa_cli.text import one_line

_QUALITY = 80
# What was being written when a run was killed begins with a dot and ends in .part.
_OURS = re.compile(r"[0-9a-f]{32}\.jpg|\.[0-9a-f]{32}\.jpg\.[0-9a-f]{12}\.part")
# Its presence says that a folder was made here: collections have pictures of such names, too.
_MARKER = ".iqa-report"


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A picture, sRGB uint8 [height, width, 3], as a JPEG without metadata."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return stream.getvalue()


def data_uri(content: bytes) -> str:
    """A JPEG as what stands in a page itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"


class PreviewFolder:
    """Pictures beside a page, in a folder that is named after it as browsers do ("report_files").

    A picture is called by its content: until a new page takes the place of an old one, the old one keeps its
    pictures; `clean` takes away what the new one does not show. A file ".iqa-report" in the folder says that
    it is such a one: no other folder is cleaned, or written to where it has anything in it.

    Args:
        page: The place of the page.

    Raises:
        UsageError: The folder holds something and was not made here, or something else than such pictures,
            or cannot be read.
    """

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(f"{page.stem}_files")
        self._used: set[str] = set()
        try:
            self._refuse_foreign()
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(unwritable(one_line(self.folder), error)) from None

    @property
    def is_ours(self) -> bool:
        """Whether the folder is there and was made for such pictures."""
        return os.path.lexists(self.folder / _MARKER)

    def add(self, content: bytes) -> str:
        """Write a JPEG, the first one into a new folder; returns its address from the page.

        Raises:
            UsageError: The disk is full, ...
        """
        name = f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.jpg"
        place = self.folder / name
        self._used.add(name)
        try:
            if not self.is_ours:
                self.folder.mkdir(exist_ok=True)
                self._refuse_foreign()  # it may have come since
                (self.folder / _MARKER).touch()
            if not place.exists():
                with replacing(place, durable=False) as file:
                    file.write(content)
        except OSError as error:
            raise UsageError(unwritable(one_line(place), error)) from None
        return quote(os.fsencode(f"{self.folder.name}/{name}"))

    def clean(self) -> None:
        """Take away the pictures of earlier pages under this name, now that the new one stands; and the
        folder, where it has none."""
        if not self.is_ours:
            return
        with contextlib.suppress(OSError):
            for entry in self.folder.iterdir():
                if _OURS.fullmatch(entry.name) and entry.name not in self._used:
                    entry.unlink()
            if [entry.name for entry in self.folder.iterdir()] == [_MARKER]:
                (self.folder / _MARKER).unlink()
                self.folder.rmdir()

    def _refuse_foreign(self) -> None:
        marked = self.is_ours
        for entry in self.folder.iterdir():
            if not (marked and (entry.name == _MARKER or _OURS.fullmatch(entry.name))):
                raise UsageError(
                    f"{one_line(self.folder)} is where the pictures of the page go; it holds something else: "
                    f"{one_line(entry.name)}",
                    hint="another name with -o has another folder",
                )
