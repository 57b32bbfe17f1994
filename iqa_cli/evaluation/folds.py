"""Groups of pictures as the units of a sample: folds that leave none of them in two parts, and quantiles in
which each counts as one."""

from __future__ import annotations

import math

import numpy as np

from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.resample import Ints

__all__ = ["FOLDS", "Ints", "conformal_quantile", "group_folds", "group_weights"]

FOLDS = 10


def group_folds(groups: Ints, folds: int = FOLDS, seed: int = 0) -> Ints:
    """[n] the fold of each picture, 0 to folds - 1: whole groups, as many in each fold or one more.

    Args:
        groups: [n] codes.
        folds: How many.
        seed: Of the draw.
    """
    _, codes = np.unique(groups, return_inverse=True)
    place = np.random.default_rng(seed).permutation(np.arange(int(codes.max()) + 1) % folds)
    return np.asarray(place[codes], dtype=np.int64)


def group_weights(groups: Ints) -> Floats:
    """[n] one through the pictures of the group: every group counts as one."""
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[codes])


def conformal_quantile(values: Floats, groups: Ints, coverage: float) -> float:
    """What a value of a new group exceeds in at most 1 - coverage of all cases.

    Each group counts as one, its members alike, and one further group lies beyond all: of n groups of one,
    the ceil((n + 1) coverage)-th smallest.

    Args:
        values: [n].
        groups: [n] codes.
        coverage: Above 0 and below 1.

    Returns:
        One of the values; infinite where there are too few groups for the coverage.
    """
    weights = group_weights(groups)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / (weights.sum() + 1)
    place = int(np.searchsorted(reached, coverage - 1e-12))
    return float(values[order[place]]) if place < len(values) else math.inf
