"""What belongs to a picture and goes where it goes: sidecars, and the RAW file of the same shot.

    photo.jpg:  photo.xmp  photo.jpg.xmp  photo_01.jpg.xmp  photo.jpg.pp3  photo.jpg.dop
                photo.cr2  photo.cr2.xmp  photo_01.cr2.xmp  photo.aae  photo.mov (of a live photo)

Case does not matter. What is named after the stem alone (photo.xmp, photo.cr2) is shared where another
picture of that stem is there (photo.png): it then belongs to neither.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from iqa_cli.images.endings import SUFFIXES as PICTURES

#: Endings of RAW files.
RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef"}
    | {".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf"}
    | {".srw", ".x3f"}
)
#: Endings of sidecars of one file, behind its whole name or in place of its ending.
SIDECARS = frozenset({".xmp", ".pp3", ".dop"})
# Beside them, in place of the ending alone: edits and film of iOS, thumbnail and sound of a camera.
_OF_STEM = frozenset({".aae", ".mov", ".thm", ".wav"})
# darktable calls the sidecar of a second edit photo_01.jpg.xmp.
_EDIT = re.compile(r"(.*)_\d\d+(\.[^.]+)", re.DOTALL)


@dataclass(frozen=True)
class Companions:
    """The companions of a picture.

    Attributes:
        own: Names in its folder, sorted.
        shared: Names that would be, but belong to another picture as well.
    """

    own: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


@dataclass
class _Folder:
    """The files of a folder, by the stem that they belong to."""

    of_stem: dict[str, list[str]] = field(default_factory=dict)
    pictures: Counter[str] = field(default_factory=Counter)


class CompanionFinder:
    """Finds companions; each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}

    def of(self, path: str) -> Companions:
        """The companions of a picture; none where its folder cannot be listed."""
        parent, name = os.path.split(path)
        folder = self._folders.get(parent)
        if folder is None:
            folder = self._folders[parent] = _listed(parent or ".")
        stem = Path(name).stem.casefold()
        others = [other for other in folder.of_stem.get(stem, ()) if other != name]
        if folder.pictures[stem] <= 1:
            return Companions(tuple(sorted(others)))
        named = name.casefold()
        own = [other for other in others if _whole(other) == named]
        # What is named wholly after another picture is that one's.
        shared = [
            other for other in others if other not in own and Path(_whole(other)).suffix not in PICTURES
        ]
        return Companions(tuple(sorted(own)), tuple(sorted(shared)))


def _whole(name: str) -> str:
    """The file that a sidecar is named after, in lower case: photo.jpg for photo.jpg.xmp and
    photo_01.jpg.xmp; the name itself for anything else."""
    stem, ending = os.path.splitext(name.casefold())  # noqa: PTH122
    if ending not in SIDECARS or not Path(stem).suffix:
        return name.casefold()
    edit = _EDIT.fullmatch(stem)
    return f"{edit[1]}{edit[2]}" if edit else stem


def _listed(folder: str) -> _Folder:
    found = _Folder()
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
    except OSError:
        return found
    there = {name.casefold() for name in names}
    for name in names:
        stem, ending = os.path.splitext(name.casefold())  # noqa: PTH122
        if ending in PICTURES:
            found.pictures[stem] += 1
        elif ending in SIDECARS and Path(stem).suffix in PICTURES | RAW:
            # A name like photo_01.jpg.xmp is that of a picture photo_01.jpg where there is one.
            whole = stem if stem in there else _whole(name)
            found.of_stem.setdefault(Path(whole).stem, []).append(name)
        elif ending in SIDECARS | RAW | _OF_STEM:
            found.of_stem.setdefault(stem, []).append(name)
    return found
