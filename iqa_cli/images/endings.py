"""Endings of the names of pictures, for whatever looks for pictures in a folder.

What a file is, is decided by its content (`iqa_cli.images.content`); this module imports nothing.
"""

from __future__ import annotations

#: In lower case.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".tif", ".tiff"}
    | {".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".jp2", ".ppm", ".pgm"}
)
