"""The undistorted photographs that a synthetic database is made of: which they are, what each is called in
it,
and how one is prepared."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.table import read_table, refuse_repeated, shown_columns
from iqa_cli.errors import DatasetError, ImageError, UsageError
from iqa_cli.text import one_line, reason_of

#: Names that may be photographs; what one really is, is decided by its content.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".tif", ".tiff"}
    | {".bmp", ".gif", ".ppm", ".pgm", ".pnm", ".jp2", ".j2k", ".heic", ".heif"}
)


@dataclass(frozen=True)
class Source:
    """One undistorted photograph.

    Attributes:
        name: As its folder or `sources.csv` calls it, with "/" between folders.
        path: Where the file is.
        key: Name of its folder in the synthetic database: plain, and unlike any other whatever the letter
            case.
        split: Part it belongs to, "" where none is known.
    """

    name: str
    path: Path
    key: str
    split: str = ""


def find_sources(folder: Path, part: str | None = None, limit: int | None = None) -> list[Source]:
    """The photographs of a folder, in the order of their names.

    Args:
        folder: With `sources.csv` (columns image and split) beside `images/`; or of pictures, sub-folders
            included, hidden ones not.
        part: Only the photographs of this part of `sources.csv`.
        limit: At most so many, spread evenly over the list. The choice depends on nothing but the list.

    Raises:
        UsageError: A part is asked of a folder without `sources.csv`.
        DatasetError: There is no such folder, part or photograph, or `sources.csv` is damaged.
    """
    if not folder.is_dir():
        raise DatasetError(f"no such folder: '{one_line(folder)}'")
    if (folder / "sources.csv").is_file():
        found = _listed(folder)
    elif part is not None:
        raise UsageError(
            f"{one_line(folder)} has no sources.csv that would say what is in part {part!r}",
            hint="without a part every picture of the folder is taken",
        )
    else:
        found = [(name, folder / name, "") for name in _walk(folder)]
    if not found:
        raise DatasetError(f"'{one_line(folder)}' holds no pictures")
    found.sort(key=lambda entry: os.fsencode(entry[0]))
    keys = _keys([name for name, _, _ in found])
    sources = [Source(name, path, key, split) for (name, path, split), key in zip(found, keys, strict=True)]
    if part is not None:
        known = sorted({source.split for source in sources if source.split})
        sources = [source for source in sources if source.split == part]
        if not sources:
            raise DatasetError(
                f"'{one_line(folder)}' has no part {part!r}", hint=f"parts: {', '.join(known) or 'none'}"
            )
    if limit is not None and limit < len(sources):
        sources = [sources[(2 * i + 1) * len(sources) // (2 * limit)] for i in range(limit)]
    return sources


def list_hash(sources: Sequence[Source]) -> str:
    """Identity of a list of photographs by name and part: 16 hex digits."""
    lines = b"\n".join(os.fsencode(f"{source.split}\t{source.name}") for source in sources)
    return hashlib.sha256(lines).hexdigest()[:16]


def prepare(source: Source, size: int) -> tuple[NDArray[np.uint8], str]:
    """Read one photograph as it enters the database.

    Args:
        source: Which.
        size: Its shorter side is reduced to this (Lanczos, never enlarged) and the centre of size x size cut
            out; 0 leaves it as it is.

    Returns:
        RGB [H, W, 3], uint8, and the SHA-256 of the file in hex.

    Raises:
        ImageError: It cannot be read or is too small.
    """
    from iqa_cli.evaluation.full_reference import MIN_SIDE
    from iqa_cli.images.decode import open_photo

    try:
        data = source.path.read_bytes() if source.path.is_file() else None
    except (OSError, ValueError) as error:
        raise ImageError(reason_of(error)) from None
    # What is no file (missing, a folder, a pipe) is told by open_photo, which never waits for a pipe.
    with open_photo(source.path if data is None else data, min_side=MIN_SIDE) as photo:
        width, height = photo.width, photo.height
        shorter = min(width, height)
        if size and shorter > size:
            scale = size / shorter
            small_width, small_height = max(size, round(width * scale)), max(size, round(height * scale))
            image = photo.resized(small_width, small_height, background=255)
        else:
            image = photo.region(0, 0, width, height, background=255)
    if size:
        height, width = image.shape[:2]
        top, left = max(0, (height - size) // 2), max(0, (width - size) // 2)
        image = image[top : top + size, left : left + size]
    return np.ascontiguousarray(image), hashlib.sha256(data or b"").hexdigest()


def _listed(folder: Path) -> list[tuple[str, Path, str]]:
    path = folder / "sources.csv"
    header, rows = read_table(path)
    for column in ("image", "split"):
        if column not in header:
            raise DatasetError(f"{one_line(path)}: lacks the column {column!r}, has {shown_columns(header)}")
    names = [row.picture("image") for row in rows]
    refuse_repeated(names, one_line(path))
    base = folder / "images" if (folder / "images").is_dir() else folder
    return [(name, base / name, row.cells["split"]) for name, row in zip(names, rows, strict=True)]


def _walk(folder: Path) -> list[str]:
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                names.append((Path(parent) / name).relative_to(folder).as_posix())
    return names


def _keys(names: Sequence[str]) -> list[str]:
    """A plain name of a folder for each photograph: its own without the ending where that will do, else with
    a
    piece of the hash of the whole name."""
    plain = []
    for name in names:
        stem = str(Path(name).with_suffix(""))
        key = "".join(c if c.isalnum() or c in "._-" else "_" for c in stem)[:80].lstrip(".") or "_"
        plain.append((key, key == stem))
    met = Counter(key.casefold() for key, _ in plain)
    return [
        key
        if same and met[key.casefold()] == 1
        else f"{key}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
        for name, (key, same) in zip(names, plain, strict=True)
    ]
