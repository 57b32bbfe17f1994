"""The verdict of a competition without new judgements: opinions that a database has, or full-reference
metrics as a stated proxy of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iqa_cli.errors import ImageError
from iqa_cli.evaluation.gmad_scale import Agreement, agreement
from iqa_cli.gmad.session import Competition, Pair, Picture

#: What is said wherever figures of the proxy are shown.
PROXY = (
    "A proxy, not opinions: of five full-reference metrics (HaarPSI, MDSI, VSI, FSIMc, DSS) the majority "
    "says which picture is nearer to its own reference."
)


@dataclass(frozen=True)
class Row:
    """How often the difference that an attacker sees is there, over all levels."""

    defender: str
    attacker: str
    agreement: Agreement


def opinion_difference(pair: Pair) -> float | None:
    """Opinion of first minus that of second in points; None where one is not known."""
    one, other = pair.first.mos, pair.second.mos
    return None if one is None or other is None else one - other


def verdicts(
    competition: Competition, difference: Callable[[Pair], float | None] = opinion_difference
) -> list[Row]:
    """A row for each ordered pair of models of which at least one difference is known.

    Args:
        competition: The pairs; catch trials are passed over.
        difference: Of a pair, above 0 where it is in the attacker's favour.
    """
    by_models: dict[tuple[str, str], list[float | None]] = {}
    for pair in competition.mined:
        by_models.setdefault((pair.defender, pair.attacker), []).append(difference(pair))
    return [
        Row(defender, attacker, agreement(found))
        for (defender, attacker), found in by_models.items()
        if any(value is not None for value in found)
    ]


def proxy_votes(
    competition: Competition, files: Mapping[str, Path], done: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """What full-reference metrics say of pairs.

    Args:
        competition: The pairs.
        files: Reference -> its file.
        done: Called for each pair.

    Returns:
        Id of a pair -> number of metrics for first minus those for second; pairs of which a reference is not
        known, cannot be read or is of another size are left out.

    Raises:
        MetricsError: piq is not installed.
    """
    from iqa_cli.evaluation.full_reference import METRICS, library_version, single_thread

    library_version()
    known: dict[str, dict[str, float] | None] = {}
    votes: dict[str, float] = {}
    with single_thread():
        for pair in competition.mined:
            found = []
            for picture in (pair.first, pair.second):
                if picture.path not in known:
                    known[picture.path] = _compared(picture, files)
                found.append(known[picture.path])
            first, second = found
            if first is not None and second is not None:
                votes[pair.id] = float(
                    sum(metric.sign * np.sign(first[n] - second[n]) for n, metric in METRICS.items())
                )
            done()
    return votes


def _compared(picture: Picture, files: Mapping[str, Path]) -> dict[str, float] | None:
    from iqa_cli.evaluation.full_reference import Reference

    file = None if picture.reference is None else files.get(picture.reference)
    if file is None:
        return None
    try:
        return Reference(_pixels(file)).compare(_pixels(Path(picture.path)))
    except (ImageError, ValueError):
        return None


def _pixels(path: Path) -> NDArray[np.uint8]:
    from iqa_cli.images.decode import open_photo

    with open_photo(path) as photo:
        background = 255 if photo.has_alpha else None
        return np.asarray(photo.region(0, 0, photo.width, photo.height, background))
