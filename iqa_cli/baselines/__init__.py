"""Scorers of the literature that need no network: what a table of weights is compared with.

Each is written anew from its paper, in NumPy, SciPy and OpenCV; importing this package imports none of
them. Scores are in the units in which the literature prints them, with its direction; `Baseline.oriented`
turns them.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BASELINES", "MIN_SIDE", "Baseline", "baseline"]

#: Shortest side that a baseline takes: that of every weight.
MIN_SIDE = 16


@dataclass(frozen=True)
class Baseline:
    """Facts about one baseline.

    Attributes:
        name: Key on the command line, and the module that computes it.
        title: Name in the literature.
        higher_is_better: Direction of its score.
        scale: Units and usual range of the score.
        source: Paper, and where its numbers come from.
        licence: Of the code, and of the numbers where it has learned some.
        fitted: Pictures and opinions it has learned from; None where nothing is learned.
        min_side: Pictures with a shorter side have no score.
    """

    name: str
    title: str
    higher_is_better: bool
    scale: str
    source: str
    licence: str
    fitted: str | None = None
    min_side: int = MIN_SIDE

    def score(self, rgb: NDArray[np.uint8]) -> float:
        """Score a picture.

        Beside the picture itself, memory is taken for a band of it only. The same picture always gives the
        same score, with any number of threads.

        Args:
            rgb: [H, W, 3], sRGB.

        Returns:
            A finite number in the units and the direction of the baseline.

        Raises:
            ImageError: The picture is too small, or so plain that the baseline is not defined on it.
            ValueError: `rgb` is no such array.
        """
        scored: float = importlib.import_module(f"{__name__}.{self.name}").score(rgb)
        return scored

    def oriented(self, score: float) -> float:
        """The score with its sign set so that higher is better, as columns of an evaluation have it."""
        return score if self.higher_is_better else -score


BASELINES: dict[str, Baseline] = {
    known.name: known
    for known in (
        Baseline(
            "brisque",
            "BRISQUE",
            higher_is_better=False,
            scale="about 0 (best) to 100, not clamped",
            source="Mittal, Moorthy and Bovik, IEEE TIP 21(12), 2012; support vectors of PyPI's brisque",
            licence="Apache-2.0; support vectors: notice of the University of Texas at Austin, 2011, then "
            "MIT (K. R. Shrimali, 2018) and Apache-2.0 (R. Guha, 2024)",
            fitted="LIVE release 2, all of it, by the authors' release that the vectors seem to be of",
        ),
        Baseline(
            "niqe",
            "NIQE",
            higher_is_better=False,
            scale="from 0 (best) up, mostly 2 to 15",
            source="Mittal, Soundararajan and Bovik, IEEE SPL 20(3), 2013; pristine model of our own",
            licence="Apache-2.0",
            fitted="253 pristine photographs (CID22, CLIC2025, gb82), no opinions",
            min_side=192,
        ),
        Baseline(
            "piqe",
            "PIQE",
            higher_is_better=False,
            scale="about 0 (best) to 100; 100 where nothing stands out",
            source="Venkatanath et al., NCC 2015",
            licence="Apache-2.0",
        ),
        Baseline(
            "laplacian",
            "Laplacian",
            higher_is_better=True,
            scale="from 0 up: variance of the Laplacian, in grey levels squared",
            source="Pech-Pacheco et al., ICPR 2000",
            licence="Apache-2.0",
        ),
    )
}


def baseline(name: str) -> Baseline:
    """The baseline of a name.

    Raises:
        UsageError: There is none; with the nearest name or the list of those there are.
    """
    if name not in BASELINES:
        near = difflib.get_close_matches(name.lower(), BASELINES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"baselines: {', '.join(BASELINES)}"
        raise UsageError(f"there is no baseline '{one_line(name)}'", hint=hint)
    return BASELINES[name]
