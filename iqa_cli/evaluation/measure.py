"""The figures of a weight on a part of a database and on its subsets. Where one is not defined, it is None.

A subset of two pictures, or one that got the same score throughout, has no correlation; that must not cost
the figures of all the others, for which every picture has been scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iqa_cli.evaluation.correlation import agreement, srcc_interval


@dataclass(frozen=True)
class Scored:
    """One picture as measured.

    Attributes:
        score: Of the weight, 0 to 100, higher is better.
        opinion: 100 x MOS, so that errors are in points.
        group: Pictures of one group are not independent.
        subset: Named subset of the database, where it has any.
        met: Whether the weight was trained on exactly these pixels; None where that is not known.
        near: Whether it was trained on one that resembles it, and not on these pixels; None likewise.
    """

    score: float
    opinion: float
    group: str
    subset: str | None = None
    met: bool | None = None
    near: bool | None = None


@dataclass(frozen=True)
class Figures:
    """The figures of one row; see `iqa_cli.evaluation.correlation.Agreement`.

    Attributes:
        subset: Name of the row; "all" for the whole part.
        n_used: Pictures in the figures.
        n_total: Pictures that the part or subset has.
        srcc, krcc, plcc, plcc_fitted: Correlations, signs kept; None where not defined.
        srcc_ci: 95 % interval of the SRCC, groups resampled.
        rmse: In points, after the fitted logistic.
        seen: Pictures that were met in training; None where that is not known.
        seen_near: Further pictures that resemble one met in training.
        why_not: Why there is no correlation, where there is none.
    """

    subset: str
    n_used: int
    n_total: int
    srcc: float | None = None
    srcc_ci: tuple[float, float] | None = None
    krcc: float | None = None
    plcc: float | None = None
    plcc_fitted: float | None = None
    rmse: float | None = None
    seen: int | None = None
    seen_near: int | None = None
    why_not: str | None = None


def measure(pictures: Sequence[Scored], n_total: int) -> tuple[Figures, list[Figures]]:
    """The figures of a part, and of each of its subsets where there are several.

    Args:
        pictures: Those that were scored.
        n_total: Pictures that the part has.

    Returns:
        The row "all" and the rows of the subsets, sorted by name.
    """
    subsets = sorted({picture.subset for picture in pictures if picture.subset})
    rows = []
    for name in subsets if len(subsets) > 1 else []:
        members = [picture for picture in pictures if picture.subset == name]
        rows.append(_figures(name, members, len(members)))
    return _figures("all", pictures, n_total), rows


def _figures(name: str, pictures: Sequence[Scored], n_total: int) -> Figures:
    scores = np.array([picture.score for picture in pictures])
    opinions = np.array([picture.opinion for picture in pictures])
    seen, near = _count(pictures, "met"), _count(pictures, "near")
    try:
        found = agreement(scores, opinions)
    except ValueError as error:
        return Figures(name, len(pictures), n_total, seen=seen, seen_near=near, why_not=str(error))
    try:
        interval = srcc_interval(scores, opinions, [picture.group for picture in pictures])
    except ValueError:
        interval = None
    return Figures(
        name,
        len(pictures),
        n_total,
        srcc=found.srcc,
        srcc_ci=interval,
        krcc=found.krcc,
        plcc=found.plcc,
        plcc_fitted=found.plcc_fitted,
        rmse=found.rmse,
        seen=seen,
        seen_near=near,
    )


def _count(pictures: Sequence[Scored], what: str) -> int | None:
    answers = [getattr(picture, what) for picture in pictures]
    return None if None in answers else sum(answers)
