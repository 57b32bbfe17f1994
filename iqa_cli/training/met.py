"""Pictures that are held out by name only: a start was trained on them, or a copy of them is fitted.

A figure on such pictures says too much. They are told, not refused: a training that goes on from a weight on
the pictures that this one was made with is usual, and its figures on them are of use to nobody.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import torch

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import DatasetError, WeightsError
from iqa_cli.finding import find_weights
from iqa_cli.seen import PhotoHash, Seen, hash_photo, read_seen, seen_path
from iqa_cli.text import one_line
from iqa_cli.training.options import RunOptions
from iqa_cli.training.parts import Source
from iqa_cli.training.pictures import decode

#: Option of a finished weight -> the hashes of what it was trained on.
Known = dict[str, Seen]


def known_to_starts(run: RunOptions) -> Known:
    """What the finished weights of a run have seen, those of `--start`, `--teacher` and `--backbone`, as far
    as they say.

    Raises:
        WeightsError: There is no such weight.
    """
    known = {}
    for option, names in (("--start", run.start), ("--teacher", run.teacher)):
        for name in names:
            path = find_weights(name)
            try:
                known[f"{option} {one_line(name)}"] = read_seen(seen_path(path))
            except WeightsError:
                continue  # that it is not known what it has seen is on the card of what is made from it
    backbone = run.path("backbone")
    if backbone is not None and backbone.is_file() and seen_path(backbone).is_file():
        known[f"--backbone {one_line(backbone)}"] = read_seen(seen_path(backbone))
    return known


def count_met(records: Sequence[ImageRecord], seen: Iterable[Seen]) -> int:
    """How many of the pictures are, pixel for pixel, among those seen by one weight or another.

    Raises:
        ImageError: A picture cannot be read.
    """
    others = list(seen)
    if not others:
        return 0
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        hashes = pool.map(_hashed, [record.path for record in records])
        return sum(any(other.met(photo) for other in others) for photo in hashes)


def tell_met(database: str, records: Sequence[ImageRecord], use: str, known: Known) -> list[str]:
    """A line for each start that was trained on some of these pictures.

    Args:
        database: Its name.
        records: Pictures that are not fitted.
        use: What they are for: "to choose on", "to measure on".
        known: As `known_to_starts` gives it.
    """
    lines = []
    for option, seen in known.items():
        met = count_met(records, [seen])
        if met:
            lines.append(
                f"{database}: {met} of {len(records)} pictures {use} were met in the training of {option}: "
                "figures on them flatter"
            )
    return lines


def copies(held: Sequence[ImageRecord], fitted: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Those of `held` whose file is, byte for byte, also one of `fitted`. Files of one size are read.

    Raises:
        DatasetError: A file cannot be read.
    """
    of_size: dict[int, set[Path]] = defaultdict(set)
    for record in fitted:
        of_size[_size(record.path)].add(record.path)
    digests: dict[int, set[bytes]] = {}
    found = []
    for record in held:
        size = _size(record.path)
        if size in of_size:
            if size not in digests:
                digests[size] = {_digest(path) for path in of_size[size]}
            if _digest(record.path) in digests[size]:
                found.append(record)
    return found


def tell_copies(
    database: str, held: Sequence[ImageRecord], use: str, fitted: Iterable[ImageRecord]
) -> list[str]:
    """A line where copies of pictures that are not fitted are fitted, by another name or in another database.

    Args:
        database: Of the pictures held out.
        held: They.
        use: What they are for.
        fitted: Pictures that are fitted, of all databases.
    """
    found = copies(held, fitted)
    if not found:
        return []
    return [
        f"{database}: {len(found)} of {len(held)} pictures {use} are copies of fitted ones, the first "
        f"{one_line(found[0].name)!r}: figures on them flatter"
    ]


def remarks_on_choice(run: RunOptions, sources: Sequence[Source]) -> list[str]:
    """What is to be said of the pictures that a training chooses on, a line each.

    Raises:
        ImageError: A picture cannot be read.
        DatasetError: Likewise.
    """
    known = known_to_starts(run)
    fitted = [record for source in sources for record in source.fit]
    lines = []
    for source in sources:
        name = source.database.name
        lines += tell_met(name, source.choose, "to choose on", known)
        lines += tell_copies(name, source.choose, "to choose on", fitted)
    return lines


def _hashed(path: Path) -> PhotoHash:
    stat = path.stat()
    return _hashed_once(path, stat.st_mtime_ns, stat.st_size)


@cache  # the splits of a run hold out the same pictures in turn
def _hashed_once(path: Path, time: int, size: int) -> PhotoHash:
    return hash_photo(decode(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DatasetError(f"{one_line(path)}: cannot be read: {error.strerror}") from None


def _digest(path: Path) -> bytes:
    try:
        stat = path.stat()
        return _digest_once(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise DatasetError(f"{one_line(path)}: cannot be read: {error.strerror}") from None


@cache
def _digest_once(path: Path, time: int, size: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
