"""Soft targets: scores of the pictures that are fitted, from any scorer, mixed into their opinions.

A target is (1 - s) x MOS + s x score, both 0 to 1 (Hinton et al., arXiv 1503.02531, for classes). The opinion
of a picture is a mean of few voices; what another scorer, or several, say of it is off in other ways. Our
choice: the mixture instead of a loss of its own, so that everything that looks at the opinion of a fitted
picture (losses, matching, which pictures are distorted) looks at the same number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.evaluation.correlation import Floats, agreement
from iqa_cli.evaluation.part import part_of
from iqa_cli.evaluation.scorefile import match, read_scores, rows
from iqa_cli.text import one_line, printable
from iqa_cli.training.provenance import UNKNOWN
from iqa_cli.training.starts import file_sha256

#: Scale of the scores of `iqa score`.
SCALE = (0.0, 100.0)
#: Scores may lie outside of their scale by this share of it, as those of a regression do.
BEYOND = 0.1
#: Scores that spread less than this share of their scale are on another one.
LEAST_SPREAD = 0.02
#: So many scorers that a file names are told.
_NAMED = 5


@dataclass(frozen=True)
class SoftTargets:
    """Pictures with what they are fitted to.

    Attributes:
        records: The pictures; their `mos` is the mixture.
        point: The entry of the card's `starting_points`: file, checksum, what it says it was made by.
        line: How the scores agree with the opinions, for a person.
    """

    records: tuple[ImageRecord, ...]
    point: dict[str, Any]
    line: str


def read_soft(
    path: Path,
    scale: Sequence[float],
    share: float,
    database: str,
    fit: Sequence[ImageRecord],
    others: Sequence[str] = (),
) -> SoftTargets:
    """Mix the scores of a file into the opinions of the pictures that are fitted.

    Args:
        path: The file, as `iqa eval --scores` takes it.
        scale: The scores that stand for a MOS of 0 and of 1.
        share: Of the scores in the targets, 0 to 1.
        database: Name of the database.
        fit: The pictures.
        others: Names of its further pictures, so that their scores are not taken for those of a picture of
            the same file name.

    Raises:
        DatasetError: The file cannot be read, or a picture has no score in it.
        UsageError: The scores are not on the scale.
        WeightsError: The file is no regular one.
    """
    shown, (low, high) = one_line(path), scale
    scores = match(part_of(database, "fit", fit), read_scores(path), others)
    lacking = np.flatnonzero(np.isnan(scores))
    if len(lacking):
        raise DatasetError(
            f"--soft {shown}: has no score for {len(lacking):,} of {len(fit):,} pictures to fit; the first: "
            f"{one_line(fit[lacking[0]].name)!r}",
            hint="it must have one for each of them",
        )
    soft = (scores - low) / (high - low)
    _check_scale(soft, fit, shown, scale)
    mos = np.array([record.mos for record in fit])
    mixed = (1 - share) * mos + share * soft
    told = f"{_agreement(soft, mos)} to the opinions of {len(fit):,} pictures"
    models = _scorers(path)
    point: dict[str, Any] = {
        "branch": "soft targets",
        "weights": printable(path.name),
        "sha256": file_sha256(path),
        "what": f"scores, {low:g} to {high:g}, that are {share:g} of each target; {told}",
        "origin": {"scored_by": models} if models else UNKNOWN,
        "licence": "the terms of its scorer, not known to this program" if models else "not documented",
        "not_hashed": "what its scorer has seen is not known here; figures on pictures that it has flatter",
    }
    records = tuple(replace(r, mos=float(value)) for r, value in zip(fit, mixed, strict=True))
    return SoftTargets(records, point, f"soft targets, {share:g} of each: {told}")


def _check_scale(soft: Floats, fit: Sequence[ImageRecord], shown: str, scale: Sequence[float]) -> None:
    """See that scores brought to 0 to 1 are there, and use it."""
    stated = f"{scale[0]:g} to {scale[1]:g}"
    hint = "--soft-range LOW HIGH says which scores stand for the lowest and the highest opinion"
    outside = np.flatnonzero((soft < -BEYOND) | (soft > 1 + BEYOND))
    if len(outside):
        value = scale[0] + soft[outside[0]] * (scale[1] - scale[0])
        raise UsageError(
            f"--soft {shown}: {value:g} of {one_line(fit[outside[0]].name)!r} is far outside of {stated}",
            hint=hint,
        )
    if np.ptp(soft) < LEAST_SPREAD:
        raise UsageError(f"--soft {shown}: its scores are all but the same on a scale of {stated}", hint=hint)


def _agreement(soft: Floats, mos: Floats) -> str:
    """SRCC, where there is one, and mean difference in points."""
    difference = f"a mean difference of {100 * np.abs(soft - mos).mean():.1f} points"
    try:
        return f"SRCC {agreement(soft, mos).srcc:.4f} and {difference}"
    except ValueError:  # too few pictures, or all opinions the same
        return difference


def _scorers(path: Path) -> list[str]:
    """What a file of scores says that it was made by: the different texts in its field `model`."""
    found: dict[str, None] = {}
    with contextlib.suppress(DatasetError), path.open("rb") as file:
        for _, _, model in rows(file, "", "model"):
            if isinstance(model, str) and model.strip(" .0123456789"):  # an object of names holds numbers
                found[printable(model)] = None
    names = list(found)
    return names if len(names) <= _NAMED else [*names[:_NAMED], f"and {len(names) - _NAMED} more"]
