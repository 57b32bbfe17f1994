"""Near-duplicates among pictures: the same photograph re-encoded, resized or slightly cropped, and other
shots of the same scene from the same place, as in a series.

Parting them puts into the test what training has seen. Every picture is decoded once (`fingerprint`);
thumbnails give pairs that might be duplicates (`candidates`); a pair is one where local features of both fit
on each other by a shift, rotation and scale, or where the thumbnails agree in fine detail, which finds
blurred pictures that have hardly any features. What is joined by pairs is a group. Mirrored copies and those
turned by a quarter are not found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.candidates import candidate_pairs, fine
from iqa_cli.datasets.decodable import in_threads
from iqa_cli.datasets.fingerprint import DESCRIPTOR, THUMBNAIL, Fingerprint, fingerprint, match
from iqa_cli.datasets.grouping import connected
from iqa_cli.errors import DatasetError, ImageError
from iqa_cli.text import one_line, reason_of

#: Raised with every change of what is found.
METHOD = 1

# Places that have to fit, and how far they have to spread in pixels of 256: the watermark that some cameras
# leave in a corner fits perfectly between any two of their pictures, on a line of text.
_LEAST_POINTS = 8
_LEAST_SPREAD = 10.0
_LEAST_FINE = 0.8
_CHUNK = 2048

#: Called as work goes on: what is done ("reading" or "comparing"), how many, of how many.
Watch: TypeAlias = "Callable[[str, int, int], None]"


@dataclass(frozen=True)
class Link:
    """Two pictures found to be near-duplicates, by their places in the list, and the evidence.

    Attributes:
        one: The first.
        other: The second; its place is the larger one.
        points: Number of places of local features that fit, 0 where the thumbnails alone have told.
        correlation: That of their thumbnails in fine detail, up to 1.
    """

    one: int
    other: int
    points: int
    correlation: float


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        groups: For each picture the number of its group, from 0 in the order of first members.
        links: The pairs that have made the groups: as many as it takes, not all there are.
        unreadable: Place -> why a picture could not be read; it is alone in its group.
        thumbnails: uint8 [n, 64, 64], as of `Fingerprint`; 0 for unreadable pictures.
    """

    groups: list[int]
    links: list[Link]
    unreadable: dict[int, str]
    thumbnails: NDArray[np.uint8]


def near_duplicate_groups(paths: Sequence[Path], threads: int = 1) -> list[int]:
    """For each picture the number of its group of near-duplicates, see `find_duplicates`."""
    return find_duplicates(paths, threads).groups


def find_duplicates(
    paths: Sequence[Path], threads: int = 1, watch: Watch = lambda task, done, total: None
) -> Duplicates:
    """Find the near-duplicates among pictures.

    About 5 KB of memory are taken for each picture, and up to 27 KB of the folder for temporary files. The
    result does not depend on the number of threads; it may change with the version of OpenCV.

    Args:
        paths: The pictures. Those that cannot be read are told and stay alone.
        threads: Threads that decode and compare.
        watch: Told of progress.

    Raises:
        DatasetError: There is no space for the temporary file.
    """
    unreadable: dict[int, str] = {}
    thumbnails = np.zeros((len(paths), THUMBNAIL, THUMBNAIL), np.uint8)
    with tempfile.TemporaryFile(prefix="iqa-features-") as file:
        store = _Features(file)
        for place, (_, found) in enumerate(in_threads(_fingerprint_or_reason, paths, threads)):
            if isinstance(found, str):
                unreadable[place] = found
            else:
                thumbnails[place] = found.thumbnail
            store.add(None if isinstance(found, str) else found)
            watch("reading", place + 1, len(paths))
        store.complete()
        links = _links(thumbnails, store, threads, watch, set(unreadable))
    groups = connected(len(paths), [(link.one, link.other) for link in links])
    return Duplicates(groups, links, unreadable, thumbnails)


def _fingerprint_or_reason(path: Path) -> Fingerprint | str:
    try:
        return fingerprint(path)
    except ImageError as error:
        return error.message


class _Features:
    """Local features of many pictures in a file: they are too large for memory where pictures are many."""

    _ROW = 8 + DESCRIPTOR

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ends = [0]
        self._rows: NDArray[np.uint8] = np.zeros((0, self._ROW), np.uint8)

    def add(self, picture: Fingerprint | None) -> None:
        """Keep the features of the next picture; None is one without any."""
        self._ends.append(self._ends[-1] + (0 if picture is None else len(picture.points)))
        if picture is not None:
            points = np.ascontiguousarray(picture.points, np.float32).view(np.uint8).reshape(-1, 8)
            self._write(np.concatenate([points, picture.descriptors], axis=1).tobytes())

    def complete(self) -> None:
        """All pictures are there: from now on they are asked for."""
        self._write(b"")
        if self._ends[-1]:
            self._rows = np.memmap(self._file, np.uint8, "r", shape=(self._ends[-1], self._ROW))

    def of(self, place: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Points and descriptors of a picture, as in `Fingerprint`."""
        rows = np.array(self._rows[self._ends[place] : self._ends[place + 1]])
        return np.ascontiguousarray(rows[:, :8]).view(np.float32).reshape(-1, 2), rows[:, 8:]

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            if not data:
                self._file.flush()
        except OSError as error:
            raise DatasetError(
                f"cannot keep the features of pictures in '{one_line(tempfile.gettempdir())}': "
                f"{reason_of(error)}",
                hint="TMPDIR names another folder",
            ) from None


def _links(
    thumbnails: NDArray[np.uint8], store: _Features, threads: int, watch: Watch, left_out: set[int]
) -> list[Link]:
    """The pairs among the candidates that are near-duplicates; those already joined are not looked at."""
    number = len(thumbnails)
    watch("comparing", 0, 0)
    pairs, _ = candidate_pairs(thumbnails)
    if left_out:
        pairs = pairs[~np.isin(pairs, list(left_out)).any(axis=1)]
    links: list[Link] = []
    groups = list(range(number))

    def compare(pair: tuple[int, int]) -> Link | None:
        one, other = pair
        fit = match(*store.of(one), *store.of(other))
        vectors = fine(thumbnails[[one, other]])
        correlation = float(vectors[0] @ vectors[1])
        fits = fit.points >= _LEAST_POINTS and fit.spread >= _LEAST_SPREAD
        if not fits and correlation < _LEAST_FINE:
            return None
        return Link(one, other, fit.points if fits else 0, round(correlation, 3))

    for start in range(0, len(pairs), _CHUNK):
        # Whole chunks, or what is skipped would hang on which thread is faster.
        chunk = [(int(one), int(other)) for one, other in pairs[start : start + _CHUNK]]
        apart = [(one, other) for one, other in chunk if groups[one] != groups[other]]
        links += [link for _, link in in_threads(compare, apart, threads) if link is not None]
        groups = connected(number, [(link.one, link.other) for link in links])
        watch("comparing", start + len(chunk), len(pairs))
    return links
