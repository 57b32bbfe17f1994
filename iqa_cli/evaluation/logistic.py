"""The 4-parameter logistic that maps predictions to opinions before they are compared: its one home here.

The mapping of the VQEG reports (Video Quality Experts Group, Final Report, Phase II, 2003). PLCC and RMSE are
customarily given after it, since a metric is free to choose its own scale.

Two of the four parameters are linear: for any place and width of the step the best heights are a line fitted
by least squares (variable projection, Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973). So only place and
width are searched, first on a coarse grid, and the fit does not hang on a guess, nor on whether it rises or
falls. Both have bounds: where opinions are a straight line of the predictions, or an exponential, the best
logistic is infinitely wide or far away, and one that is very wide or far is as good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]

#: Fewer pictures than one more than there are parameters, and the curve would go through each of them.
MIN_TO_FIT = 5
#: The search for where to begin looks at so many pictures at most, spread evenly over the predictions.
_SEARCHED = 1000
#: Places, as quantiles of the predictions, and widths, in standard deviations, where the search begins.
_PLACES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_WIDTHS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
#: Bounds, in standard deviations: of the width, and of how far the place lies outside of the predictions.
_NARROWEST, _WIDEST, _FARTHEST = 1e-3, 30.0, 30.0
#: Evaluations of the curve before the fit is given up. Fits that end take some ten to fifty.
_EVALUATIONS = 300


def logistic4(x: Floats, b1: float, b2: float, b3: float, b4: float) -> Floats:
    """(b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2.

    Args:
        x: [n] predictions.
        b1, b2: The values far to the right and far to the left.
        b3: Where it is half-way between them.
        b4: Its width; the sign does not count.
    """
    return (b1 - b2) / (1 + np.exp(-np.clip((x - b3) / max(abs(b4), 1e-12), -500, 500))) + b2


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic.

    Attributes:
        b1, b2, b3, b4: Parameters of `logistic4`.
        converged: Whether the fit ended, and its curve is finite and not flat. Where it did not, no figure
            may stand on the curve.
    """

    b1: float
    b2: float
    b3: float
    b4: float
    converged: bool

    def __call__(self, x: Floats) -> Floats:
        """`x` [n] mapped to the scale of the opinions."""
        return logistic4(x, self.b1, self.b2, self.b3, self.b4)

    def flattery(self, x: Floats, y: Floats, groups: NDArray[np.int64]) -> float:
        """What the error on the pictures of the fit must be multiplied by to be that of the best curve.

        The fit follows the chance of its own pictures. By how much is known to first order from the slopes of
        the curve and from what it leaves of each group (Takeuchi's penalty; for independent pictures 4 of n,
        the number of parameters).

        Args:
            x, y, groups: [n] predictions, opinions and codes of groups that the curve was fitted to.

        Returns:
            A factor, 1 or more.
        """
        left = y - self(x)
        error = float(left @ left)
        codes = np.unique(groups, return_inverse=True)[1]
        pulls = np.stack([np.bincount(codes, weights=left * b) for b in self.basis(x).T], axis=1)
        return float(np.sqrt(1 + np.sum(pulls**2) / error)) if error > 0 else 1.0

    def basis(self, x: Floats) -> Floats:
        """An orthonormal basis [n, p] of the curve's slopes by its parameters at `x` [n]: p is 4, less where
        some of them do the same there."""
        step = logistic4(x, 1.0, 0.0, self.b3, self.b4)
        bend = step * (1 - step)
        slopes = np.stack([np.ones(len(x)), step, bend, bend * (x - self.b3) / self.b4], axis=1)
        basis, sizes, _ = np.linalg.svd(slopes, full_matrices=False)
        return np.asarray(basis[:, sizes > 1e-7 * sizes[0]])


def fit(x: Floats, y: Floats) -> Logistic | None:
    """The logistic of least squares.

    Args:
        x: [n] predictions, not all the same.
        y: [n] opinions, not all the same.

    Returns:
        The curve, `converged` or not; None under `MIN_TO_FIT` pictures.
    """
    if len(x) < MIN_TO_FIT:
        return None
    # On standard scales, so that tolerances mean the same whatever the units are.
    mx, sx, my, sy = float(np.mean(x)), float(np.std(x)), float(np.mean(y)), float(np.std(y))
    if not (sx > 0 and sy > 0):
        return Logistic(my, my, mx, 1.0, converged=False)
    u, v = (x - mx) / sx, (y - my) / sy
    reach = (float(u.min()) - _FARTHEST, float(u.max()) + _FARTHEST)
    # Quasi-Newton, since what is left is large where scores say little: Gauss-Newton creeps then.
    found = optimize.minimize(
        lambda at: _error(u, v, *at),
        _start(u, v),
        jac=True,
        method="L-BFGS-B",
        bounds=[reach, (np.log(_NARROWEST), np.log(_WIDEST))],
        options={"maxfun": _EVALUATIONS, "ftol": 1e-9, "gtol": 1e-6},
    )
    place, width = float(found.x[0]), float(np.exp(found.x[1]))
    step = logistic4(u, 1.0, 0.0, place, width)
    height, low = _heights(step, v)
    converged = found.success and abs(height) * float(np.ptp(step)) > 1e-9 * float(np.ptp(v))
    return Logistic(my + sy * (low + height), my + sy * low, mx + sx * place, sx * width, bool(converged))


def fit_logistic(x: Floats, y: Floats) -> Floats | None:
    """`x` mapped by the logistic fitted to `y` by least squares.

    Args:
        x: [n] predictions, not all the same.
        y: [n] opinions, not all the same.

    Returns:
        [n] mapped predictions on the scale of `y`; None under `MIN_TO_FIT` pictures, and where the fit does
        not converge or is constant.
    """
    curve = fit(x, y)
    return curve(x) if curve is not None and curve.converged else None


def _start(u: Floats, v: Floats) -> tuple[float, float]:
    """The best place and logarithm of the width on a grid."""
    if len(u) > _SEARCHED:
        some = np.argsort(u, kind="stable")[np.linspace(0, len(u) - 1, _SEARCHED).astype(int)]
        u, v = u[some], v[some]
    grid = [(float(place), float(np.log(width))) for place in np.quantile(u, _PLACES) for width in _WIDTHS]
    return min(grid, key=lambda at: _error(u, v, *at)[0])


def _heights(step: Floats, v: Floats) -> tuple[float, float]:
    """Height and foot of a step from 0 to 1 that fit best; a step that all lie on one side of has none."""
    spread = step - step.mean()
    power = float(spread @ spread)
    height = float(spread @ v) / power if power > 0 else 0.0
    return height, float(v.mean()) - height * float(step.mean())


def _error(u: Floats, v: Floats, place: float, log_width: float) -> tuple[float, Floats]:
    """The mean square that the best heights leave, and its slopes by place and logarithm of the width.

    At the best heights it does not change with them, so that they count as fixed.
    """
    width = float(np.exp(log_width))
    step = logistic4(u, 1.0, 0.0, place, width)
    height, low = _heights(step, v)
    left = low + height * step - v
    pull = left * (-2 * height / width / len(u)) * step * (1 - step)
    return float(left @ left) / len(u), np.array([pull.sum(), pull @ (u - place)])
