"""The figures of a scorer on a part of a database and on what it can be taken apart by. Where one is not
defined, it is None.

A row of two pictures, or one that got the same score throughout, has no correlation; that must not cost the
figures of all the others, for which every picture has been scored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.evaluation.bootstrap import MIN_GROUPS, Method, count_groups, intervals, method_for
from iqa_cli.evaluation.correlation import agreement
from iqa_cli.evaluation.covering import covering
from iqa_cli.evaluation.part import KINDS, Column, Part
from iqa_cli.evaluation.resample import FIGURES, Sample

#: A kind of which a part has more values than these gets no rows: nobody reads them, and each takes its time.
MAX_ROWS = 1000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Figures:
    """The figures of one row; see `iqa_cli.evaluation.correlation.Agreement`.

    Attributes:
        row: Name of the row: a value of a kind; "all" for the whole part.
        n_used: Pictures in the figures: those that have a score.
        n_total: Pictures that the part or row has.
        n_groups: Groups of the pictures in the figures; groups, not pictures, are independent.
        srcc, krcc, plcc, plcc_fitted: Correlations, signs kept; None where not defined.
        rmse: In points, after the fitted logistic.
        srcc_ci, krcc_ci, plcc_ci, plcc_fitted_ci, rmse_ci: Their intervals; None where there is no figure,
            or fewer groups than `bootstrap.MIN_GROUPS` (for the error, `error_interval.MIN_GROUPS`).
        outlier_ratio: Share of the pictures, of those whose opinions have a known standard deviation, that
            the fitted logistic misses by more than twice that (Sheikh, Sabir and Bovik, IEEE TIP 15, 2006);
            None where there are none, or no fit.
        fit_converged: Whether the logistic fit did; None where none was tried.
        interval_method: How the intervals were made; None where there are none.
        seen: Pictures in the figures that were met in training; None where that is not known.
        seen_near: Further pictures that resemble one met in training.
        why_not: Why there is no correlation, where there is none.
        covered, covered_ci, width: Of the intervals that the scorer gives; see
            `iqa_cli.evaluation.covering.Covering`. None where it gives none.
    """

    row: str
    n_used: int
    n_total: int
    n_groups: int = 0
    srcc: float | None = None
    srcc_ci: Interval | None = None
    krcc: float | None = None
    krcc_ci: Interval | None = None
    plcc: float | None = None
    plcc_ci: Interval | None = None
    plcc_fitted: float | None = None
    plcc_fitted_ci: Interval | None = None
    rmse: float | None = None
    rmse_ci: Interval | None = None
    outlier_ratio: float | None = None
    fit_converged: bool | None = None
    interval_method: Method | None = None
    seen: int | None = None
    seen_near: int | None = None
    why_not: str | None = None
    covered: float | None = None
    covered_ci: Interval | None = None
    width: float | None = None


@dataclass(frozen=True)
class Measured:
    """All figures of one scorer on one part.

    Attributes:
        whole: The row "all".
        rows: By kind, the rows of its values in natural order (level 2 before level 10); only kinds with at
            least two values. A picture without a value is in none of them.
        left_out: Kind -> number of its values, where they are more than `MAX_ROWS` and there are no rows.
    """

    whole: Figures
    rows: Mapping[str, list[Figures]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def measure(
    part: Part,
    column: Column,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    by: Sequence[str] = KINDS,
) -> Measured:
    """The figures of a scorer on a part, and on each value of the kinds asked for.

    Args:
        part: The opinions.
        column: The scores, of the same pictures in the same order.
        resamples: Bootstrap samples for an interval.
        level: Coverage of the intervals.
        seed: Of the bootstrap: the same table is printed again.
        by: Kinds to take the part apart by; those that it does not have are passed over.

    Raises:
        ValueError: The column has not as many scores as the part has pictures.
    """
    if len(column.scores) != len(part):
        raise ValueError(f"{len(column.scores)} scores for {len(part)} pictures")

    def figures(row: str, members: NDArray[np.bool_] | slice) -> Figures:
        return _figures(row, part, column, members, resamples=resamples, level=level, seed=seed)

    rows, left_out = {}, {}
    for kind in by:
        labels = part.kinds.get(kind, ())
        values = sorted({label for label in labels if label is not None}, key=natural)
        if len(values) > MAX_ROWS:
            left_out[kind] = len(values)
        elif len(values) > 1:
            column_of = np.array([str(label) for label in labels], dtype=object)
            known = np.array([label is not None for label in labels])
            rows[kind] = [figures(value, known & (column_of == value)) for value in values]
    return Measured(figures("all", slice(None)), rows, left_out)


def held_out(part: Part, column: Column) -> tuple[Part, Column]:
    """What of a part a scorer was not trained on: neither on these pixels nor on ones that resemble them.

    Raises:
        ValueError: It is not known what the scorer was trained on.
    """
    if column.met is None:
        raise ValueError(f"what {column.scorer} was trained on is not known")
    kept = ~column.met if column.near is None else ~(column.met | column.near)
    return part.only(kept), column.only(kept)


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts numbers inside of names by their value."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, int(piece), "") if piece[0].isdecimal() else (1, 0, piece) for piece in pieces)


def _figures(
    row: str,
    part: Part,
    column: Column,
    members: NDArray[np.bool_] | slice,
    *,
    resamples: int,
    level: float,
    seed: int,
) -> Figures:
    scores = column.scores[members]
    used = np.isfinite(scores)
    scores, opinions, groups = scores[used], part.opinions[members][used], part.groups[members][used]
    met, near = (
        None if flags is None else int(flags[members][used].sum()) for flags in (column.met, column.near)
    )
    counts: dict[str, Any] = {"n_used": len(scores), "n_total": len(used), "n_groups": count_groups(groups)}
    if column.bounds is not None:
        low, high = (values[members][used] for values in column.bounds)
        if (held := covering(low, high, opinions, groups, level=level)) is not None:
            counts |= asdict(held)
    try:
        found = agreement(scores, opinions)
    except ValueError as error:
        return Figures(row, **counts, seen=met, seen_near=near, why_not=str(error))
    curve = found.logistic if found.plcc_fitted is not None else None
    values: dict[str, Any] = {name: value for name in FIGURES if (value := getattr(found, name)) is not None}
    bounds: dict[str, Interval] = {}
    if counts["n_groups"] >= MIN_GROUPS:
        sample = Sample(scores, opinions, groups, curve)
        bounds = intervals(sample, values, resamples=resamples, level=level, seed=seed)
    values |= {f"{name}_ci": interval for name, interval in bounds.items()}
    outliers = None
    if curve is not None and part.deviations is not None:
        outliers = _outliers(curve(scores) - opinions, part.deviations[members][used])
    return Figures(
        row,
        **counts,
        **values,
        outlier_ratio=outliers,
        fit_converged=None if found.logistic is None else found.logistic.converged,
        interval_method=method_for(len(scores)) if bounds else None,
        seen=met,
        seen_near=near,
    )


def _outliers(errors: NDArray[np.float64], deviations: NDArray[np.float64]) -> float | None:
    known = np.isfinite(deviations)
    return float(np.mean(np.abs(errors[known]) > 2 * deviations[known])) if known.any() else None
