"""How much scores move when a picture is changed in a way that nobody sees. Plain NumPy. Our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iqa_cli.evaluation.correlation import Floats

#: Share of the pictures that moved by no more than `Movement.p95`, in %.
PERCENTILE = 95


@dataclass(frozen=True)
class Movement:
    """How far the scores of one scorer moved under one change; all but the names in units of the scores.

    Attributes:
        change: Name of the change.
        n_used: Pictures that have a score before and after.
        n_total: Pictures.
        mean: Mean of |after - before|; None, as all below, where no picture has both.
        p95: Their 95th percentile, between pictures by linear interpolation.
        max: The greatest.
        bias: Mean of after - before: above 0 where the change raises scores.
        worst: Name of the picture that moved most, the first of equals.
    """

    change: str
    n_used: int
    n_total: int
    mean: float | None = None
    p95: float | None = None
    max: float | None = None
    bias: float | None = None
    worst: str | None = None


def movement(change: str, names: Sequence[str], before: Floats, after: Floats) -> Movement:
    """Compare scores of the same pictures.

    Args:
        change: Name of the change.
        names: [n] pictures.
        before: [n] scores; NaN where there is none.
        after: [n] scores of the changed pictures; NaN likewise.

    Raises:
        ValueError: The lengths differ.
    """
    if not len(names) == len(before) == len(after):
        raise ValueError(f"{len(names)} pictures, {len(before)} scores before and {len(after)} after")
    moved = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    there = np.flatnonzero(np.isfinite(moved))
    if not len(there):
        return Movement(change, 0, len(names))
    sizes = np.abs(moved[there])
    return Movement(
        change,
        len(there),
        len(names),
        mean=float(sizes.mean()),
        p95=float(np.percentile(sizes, PERCENTILE)),
        max=float(sizes.max()),
        bias=float(moved[there].mean()),
        worst=names[there[int(sizes.argmax())]],
    )
