"""The interval of the error after the fitted logistic. Plain NumPy and SciPy.

What is estimated is the error that the best curve has on all pictures, not only on those here. Three things
make an interval from few groups too narrow or place it too low, and are met one by one [O]:

    the curve follows the chance of its own pictures, and most that of whole groups. The mistakes are taken to
    be a part that a group shares and a part of each picture; the two variances are found from the sums of
    squares, whole and of the means of groups, whose expectations under the fit are known (the method of
    moments; Henderson, Estimation of variance and covariance components, Biometrics 9, 1953);

    the sum of the two varies as chi-square does, of so many degrees of freedom as make its variance right
    (Satterthwaite, An approximate distribution of estimates of variance components, Biometrics Bulletin 2,
    1946). From few groups the shared part may seem small by chance, and the degrees of freedom many: they are
    counted with the upper quartile of what the shared part may be;

    mistakes need not be normal: where the squares differ more between groups than normal ones would, their
    own variance gives the degrees of freedom.

docs/evaluation.md has what these intervals cover, and tests/evaluation/test_coverage.py holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from iqa_cli.evaluation.influence import Floats
from iqa_cli.evaluation.resample import Ints, Sample

#: Of fewer groups, or with fewer degrees of freedom, there is no interval: its upper bound would be more than
#: six times the error.
MIN_GROUPS, _LEAST_FREEDOM = 5, 2.0
#: How probable it is, by what is seen, that the shared variance is greater than what is reckoned with.
_DOUBT = 0.25

Interval = tuple[float, float]


def error_interval(sample: Sample, level: float = 0.95) -> Interval | None:
    """The interval of the RMSE after the fit.

    Args:
        sample: Predictions, opinions, groups, and the fitted curve.
        level: Coverage.

    Returns:
        Lower and upper bound in units of the opinions; None of fewer than `MIN_GROUPS` groups, and where the
        curve takes up too much of what they differ by.

    Raises:
        ValueError: There is no fitted logistic.
    """
    codes = np.unique(sample.groups, return_inverse=True)[1]
    size = int(codes.max()) + 1
    if size < MIN_GROUPS:
        return None
    curve = sample.curve()
    left = sample.y - curve(sample.x)
    if not left.any():
        return 0.0, 0.0
    parts = _parts(left, curve.basis(sample.x), codes, size)
    if parts is None:
        return None
    freedom = min(parts.freedom(), _freedom_of_squares(left, codes)) * (1 - 1 / size)
    if freedom < _LEAST_FREEDOM:
        return None
    low, high = (float(stats.chi2.ppf(tail, freedom)) for tail in ((1 + level) / 2, (1 - level) / 2))
    total = freedom * (parts.shared + parts.own)
    value = float(np.sqrt(np.mean(left**2)))
    return min(np.sqrt(total / low), value), max(np.sqrt(total / high), value)


@dataclass(frozen=True)
class _Parts:
    """Variances of mistakes.

    Attributes:
        shared: That of what the pictures of a group share.
        own: That of each picture by itself.
        sizes: [groups] pictures.
        between: Degrees of freedom that the fit has left between groups.
        within: The same within groups; 0 where each has one picture.
    """

    shared: float
    own: float
    sizes: Floats
    between: float
    within: float

    def freedom(self) -> float:
        """Degrees of freedom of the sum of both variances."""
        groups, n = len(self.sizes), float(self.sizes.sum())
        shared = self.shared
        if self.within > 0:
            of_mean = self.own * groups / n
            seen = shared + of_mean
            shared = seen * self.between / float(stats.chi2.ppf(_DOUBT, self.between)) - of_mean
        alike = shared**2 * float(self.sizes @ self.sizes) / n**2
        alike = (alike + 2 * self.own * shared / n + self.own**2 * groups / n**2) * groups / self.between
        apart = (self.own * (n - groups) / n) ** 2 / self.within if self.within > 0 else 0.0
        return (shared + self.own) ** 2 / (alike + apart)


def _parts(left: Floats, basis: Floats, codes: Ints, size: int) -> _Parts | None:
    """The two variances; None where the fit leaves less than one degree of freedom between groups.

    Args:
        left: [n] what the curve misses by.
        basis: [n, p] of its slopes.
        codes: [n] groups, from 0.
        size: How many.
    """
    n, p = basis.shape
    sizes = np.bincount(codes, minlength=size).astype(np.float64)
    sums = np.stack([np.bincount(codes, weights=b, minlength=size) for b in basis.T], axis=1)
    taken = float(np.sum(sums**2 / sizes[:, None]))
    between, within = size - taken, n - size - (p - taken)
    if between < 1:
        return None
    within = within if n > size and within >= 1 else 0.0
    # Expectations of both sums of squares: of the own part, of the shared part.
    whole = float(left @ left)
    of_means = float(np.sum(np.bincount(codes, weights=left, minlength=size) ** 2 / sizes))
    by_own, by_shared = float(n - p), n - float(np.sum(sums**2))
    cross = np.einsum("gp,pq,gq->g", sums, sums.T @ sums, sums)
    means_by_shared = float(np.sum(sizes - 2 * np.sum(sums**2, axis=1) + cross / sizes))
    determinant = by_own * means_by_shared - by_shared * between
    if not within or determinant <= 1e-9 * by_own * means_by_shared:
        return _Parts(0.0, whole / by_own, sizes, between, 0.0)
    own = (whole * means_by_shared - by_shared * of_means) / determinant
    shared = (by_own * of_means - between * whole) / determinant
    if shared <= 0:
        shared, own = 0.0, whole / by_own
    elif own <= 0:
        shared, own = whole / by_shared, 0.0
    return _Parts(shared, own, sizes, between, within)


def _freedom_of_squares(left: Floats, codes: Ints) -> float:
    """Degrees of freedom that the variance of the sums of squares of the groups says."""
    squares, sizes = np.bincount(codes, weights=left**2), np.bincount(codes)
    mean = float(squares.sum() / sizes.sum())
    groups = len(sizes)
    variance = groups / (groups - 1) * float(np.sum((squares - mean * sizes) ** 2)) / float(sizes.sum()) ** 2
    return 2 * mean**2 / variance if variance > 0 else float("inf")
