"""The pool of a competition: pictures, and what every model says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import ImageError
from iqa_cli.evaluation.gmad import Floats, Ints
from iqa_cli.text import one_line


@dataclass(frozen=True)
class Pool:
    """Pictures as columns, since there may be a million.

    Attributes:
        source: Where they come from, in a few words.
        names: [n] as the pool calls them.
        paths: [n] their files, which need not be there.
        scores: Model -> [n] its own scores, oriented so that higher is better; finite.
        opinions: [n] points, NaN where not known.
        references: [n] undistorted pictures that they were made from, None where not known.
        groups: [n] pictures of one group are of one content, as a database says.
        files: Reference -> its file, where there is one.
        notes: Further facts for the record.
    """

    source: str
    names: Sequence[str]
    paths: Sequence[Path]
    scores: Mapping[str, Floats]
    opinions: Floats
    references: Sequence[str | None]
    groups: Sequence[str]
    files: Mapping[str, Path] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def only(self, kept: NDArray[np.bool_]) -> Pool:
        """The pictures of a mask [n]."""
        return replace(
            self,
            names=tuple(compress(self.names, kept)),
            paths=tuple(compress(self.paths, kept)),
            scores={name: values[kept] for name, values in self.scores.items()},
            opinions=self.opinions[kept],
            references=tuple(compress(self.references, kept)),
            groups=tuple(compress(self.groups, kept)),
        )

    def contents(self, *, references_apart: bool) -> Ints:
        """[n] codes: pictures of one code never form a pair. A database tells near-duplicates by the group
        where there is no reference; of one reference is one content only where that is asked for."""
        keys = [
            f"g{group}" if reference is None else f"r{reference}" if references_apart else f"#{place}"
            for place, (group, reference) in enumerate(zip(self.groups, self.references, strict=True))
        ]
        return _codes(keys)

    def same_reference(self) -> Ints:
        """[n] codes of references; a picture without one is alone."""
        keys = [f"#{i}" if ref is None else f"r{ref}" for i, ref in enumerate(self.references)]
        return _codes(keys)


def pool_of(source: str, records: Sequence[ImageRecord], scores: Mapping[str, Floats]) -> Pool:
    """The pool of records, with the scores of each model in their order."""
    return Pool(
        source,
        tuple(record.name for record in records),
        tuple(record.path for record in records),
        scores,
        np.array([100 * record.mos for record in records], dtype=np.float64),
        tuple(record.ref for record in records),
        tuple(record.group for record in records),
        reference_files(records),
    )


def reference_files(records: Sequence[ImageRecord]) -> dict[str, Path]:
    """Files of the references: where the databases keep them, beside their distorted pictures."""
    own = {record.name: record.path for record in records}
    found: dict[str, Path] = {}
    for record in records:
        if record.ref is None or record.ref in found:
            continue
        folder = record.path.parent
        places = [folder / record.ref]
        for parent in (folder.parent, folder.parent.parent):
            places += [parent / record.ref]
            places += [parent / name / record.ref for name in ("reference_images", "src_imgs", "refimgs")]
        if record.ref in own:
            places.insert(0, own[record.ref])
        file = next((place for place in places if _is_file(place)), None)
        if file is not None:
            found[record.ref] = file
    return found


class NearDuplicates:
    """Whether two pictures of a pool are of one content; looked at only for pairs that would be taken, so
    that a pool of any size costs a few decodings.

    Distorted copies of one known reference resemble each other by design: only copies with the same pixels
    count there. Otherwise it is what `iqa data split --group-duplicates` finds.

    Attributes:
        unread: Places of pictures that could not be looked at, and why.
        refused: Number of pairs found to be of one content.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._hashes: dict[int, int] = {}
        self._known: dict[tuple[int, int], bool] = {}
        self.unread: dict[int, str] = {}
        self.refused = 0

    def __call__(self, one: int, other: int) -> bool:
        key = (min(one, other), max(one, other))
        if key not in self._known:
            self._known[key] = self._look(*key)
            self.refused += self._known[key]
        return self._known[key]

    def _look(self, one: int, other: int) -> bool:
        references = self._pool.references
        if references[one] is not None and references[one] == references[other]:
            hashes = [self._hash(place) for place in (one, other)]
            return None not in hashes and hashes[0] == hashes[1]
        from iqa_cli.datasets.duplicates import find_duplicates

        if one in self.unread or other in self.unread:
            return False
        found = find_duplicates([self._pool.paths[one], self._pool.paths[other]])
        for place, reason in found.unreadable.items():
            self.unread[(one, other)[place]] = reason
        return not found.unreadable and found.groups[0] == found.groups[1]

    def _hash(self, place: int) -> int | None:
        from iqa_cli.seen import hash_file

        if place not in self._hashes and place not in self.unread:
            try:
                self._hashes[place] = hash_file(self._pool.paths[place]).pixels
            except ImageError as error:
                self.unread[place] = error.message
        return self._hashes.get(place)


def check_there(paths: Sequence[Path]) -> None:
    """Look for the files of pictures that are to be shown.

    Raises:
        ImageError: Some are missing; it names the first ones and says how many.
    """
    missing = [path for path in dict.fromkeys(paths) if not _is_file(path)]
    if missing:
        named = ", ".join(f"'{one_line(path)}'" for path in missing[:2])
        more = f" and {len(missing) - 2:,} more" if len(missing) > 2 else ""
        raise ImageError(
            f"{len(missing):,} of the pictures of pairs are missing: {named}{more}",
            hint="give the folder that they are in; without -o pairs are found by their scores alone",
        )


def _codes(keys: Sequence[str]) -> Ints:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
