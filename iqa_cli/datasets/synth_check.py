"""Does the pseudo-MOS fall when the level grows? Kendall's tau within each photograph and type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LevelOrder:
    """How well values follow the levels of their ladders.

    Attributes:
        ladders: Number of ladders, one for each photograph and type.
        kendall: Mean of Kendall's tau-b: 1 where each level is worse than the one before, 0 where nothing
            changes.
        perfect: Ladders in which each level is strictly worse than the one before.
    """

    ladders: int
    kendall: float
    perfect: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"ladders": self.ladders, "kendall": round(self.kendall, 4), "perfect": self.perfect}


def level_order(ladders: Sequence[Sequence[float]] | Floats) -> LevelOrder:
    """Order of ladders.

    Args:
        ladders: [n, L] values by growing level, higher is better; n from 1, L from 2.

    Raises:
        ValueError: Nothing to order.
    """
    values = np.asarray(ladders, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] < 2:
        raise ValueError("a level order needs ladders of at least two levels")
    first, second = np.triu_indices(values.shape[1], 1)
    signs = np.sign(values[:, first] - values[:, second])
    differing = np.count_nonzero(signs, axis=1)
    # tau-b: the levels have no ties; pairs of equal values leave the denominator on their side only.
    scale = np.sqrt(float(len(first)) * np.maximum(differing, 1))
    falling = (np.diff(values, axis=1) < 0).all(axis=1)
    return LevelOrder(len(values), float(np.mean(signs.sum(axis=1) / scale)), int(falling.sum()))


def check_levels(
    refs: Sequence[str],
    kinds: Sequence[str | None],
    levels: Sequence[int | None],
    columns: Mapping[str, Floats],
) -> dict[str, dict[str, LevelOrder]]:
    """The level order of each column, over all types ("all") and by type.

    Args:
        refs: [n] photograph of each picture.
        kinds: [n] type, None for a reference copy.
        levels: [n] level, None for a reference copy.
        columns: Name -> [n] values, higher is better.

    Returns:
        Column -> type or "all" -> order. Empty where there is only one level. Every photograph must have the
        same levels of each of its types.
    """
    ladders: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for i, (ref, kind, level) in enumerate(zip(refs, kinds, levels, strict=True)):
        if kind is not None and level is not None:
            ladders.setdefault((kind, ref), []).append((level, i))
    if not ladders or min(map(len, ladders.values())) < 2:
        return {}
    by_kind: dict[str, list[list[int]]] = {}
    for (kind, _), steps in ladders.items():
        by_kind.setdefault(kind, []).append([i for _, i in sorted(steps)])
    found: dict[str, dict[str, LevelOrder]] = {}
    for name, column in columns.items():
        values = np.asarray(column, dtype=np.float64)
        every = [rows for group in by_kind.values() for rows in group]
        found[name] = {"all": level_order(values[np.array(every)])}
        found[name] |= {kind: level_order(values[np.array(group)]) for kind, group in by_kind.items()}
    return found
