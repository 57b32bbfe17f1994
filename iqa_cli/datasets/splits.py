"""Parts of a database: drawn with a seed, never parting a group, the same in every process.

The order in which records come does not count: they are sorted first. Shuffling a set instead would give
another split in every process, since Python's hashes of texts differ between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import DatasetError, UsageError

Records = tuple[ImageRecord, ...]


def hold_out(records: Iterable[ImageRecord], share: float, seed: int) -> tuple[Records, Records]:
    """Set a share of the records apart, whole groups only.

    Args:
        records: In any order.
        share: Wanted share of the pictures, above 0 and below 1. What comes out differs from it by at most
            half of a group.
        seed: Seed of the draw, from 0.

    Returns:
        The records kept and those held out, each sorted by name and otherwise as they were (`split` too).

    Raises:
        UsageError: The share is not between 0 and 1, or the seed is negative.
        DatasetError: There are too few groups for two parts of such sizes.
    """
    _check_share(share)
    held, kept = _draw(records, (share, 1 - share), seed)
    return kept, held


def split(records: Iterable[ImageRecord], fractions: Mapping[str, float], seed: int) -> dict[str, Records]:
    """Part records by fractions, whole groups only.

    Args:
        records: In any order.
        fractions: Name of each part -> its share of the pictures; together 1.
        seed: Seed of the draw, from 0.

    Returns:
        Name -> its records, sorted by name, with `split` set to that name. Every record is in one part.

    Raises:
        UsageError: There is no part, a share is not above 0, they do not sum to 1, or the seed is negative.
        DatasetError: There are too few groups for parts of such sizes.
    """
    for share in fractions.values():
        if share != 1:
            _check_share(share)
    if not fractions or abs(math.fsum(fractions.values()) - 1) > 1e-6:
        raise UsageError(f"the shares of the parts sum to {math.fsum(fractions.values()):g}, not to 1")
    parts = _draw(records, tuple(fractions.values()), seed)
    return {
        name: tuple(replace(record, split=name) for record in part)
        for name, part in zip(fractions, parts, strict=True)
    }


def _check_share(share: float) -> None:
    if not (math.isfinite(share) and 0 < share < 1):
        raise UsageError(f"a share of pictures lies above 0 and below 1, not at {share:g}")


def _draw(records: Iterable[ImageRecord], shares: tuple[float, ...], seed: int) -> list[Records]:
    """The shuffled groups laid end to end, cut where the shares end; a group belongs to where its middle
    lies."""
    if seed < 0:
        raise UsageError(f"a seed is a whole number from 0, not {seed}")
    groups: dict[str, list[ImageRecord]] = {}
    for record in sorted(records, key=lambda r: (r.group, r.name)):
        groups.setdefault(record.group, []).append(record)
    names = list(groups)
    total = sum(map(len, groups.values()))
    ends = np.cumsum(shares) * total
    parts: list[list[ImageRecord]] = [[] for _ in shares]
    laid = 0
    for position in np.random.default_rng(seed).permutation(len(names)):
        members = groups[names[position]]
        place = int(np.searchsorted(ends, laid + len(members) / 2, side="right"))
        parts[min(place, len(parts) - 1)].extend(members)
        laid += len(members)
    if not all(parts):
        wanted = " and ".join(f"{share:g}" for share in shares)
        raise DatasetError(
            f"{total} pictures in whole groups, of which there are {len(names)}, "
            f"cannot be parted into {wanted}",
            hint="groups (near-duplicates, or one reference) stay together; take larger shares",
        )
    return [tuple(sorted(part, key=lambda r: r.name)) for part in parts]
