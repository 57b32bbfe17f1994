"""Pictures on which a score means little, found by their record and by a cheap look at a small view of them.

Each limit is set where hardly any training photograph is: of the 6,956 of BIQ2021 fewer than 1 in 150 is
beyond any one of them (`python -m benchmarks.cautions` counts them, and docs/report.md has the table). A
warning says that the network has learnt from next to no picture of the kind, not that its score is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iqa_cli.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iqa_cli.card import Card

#: Longer side, in pixels, of the view that is looked at.
SIDE = 256
#: Levels (0 to 255) of luma: 98 % of the pixels of a flat picture lie within so few.
_FLAT = 24
#: 99 % of the pixels of a black picture are darker.
_BLACK = 32
#: Pixels from this level on are white; so large a share of them makes a picture blown out.
_WHITE, _WHITE_SHARE = 250, 0.75
#: A drawing or a screenshot: so large a share of the neighbouring pixels are exactly alike, and the others
#: differ by so much (mean absolute Laplacian of luma, per pixel that differs).
_ALIKE_SHARE, _EDGES = 0.5, 40.0
#: Points from the end of a calibration within which scores no longer tell pictures apart.
_END = 1.0


@dataclass(frozen=True)
class Caution:
    """A reason to be careful with a score; `why` is one sentence for a reader."""

    name: str
    why: str


CAUTIONS = {
    caution.name: caution
    for caution in (
        Caution(
            "tiny", "Its shorter side is under one crop of the network, so that it was mirrored up to it."
        ),
        Caution(
            "flat", f"There is next to nothing in it: 98 % of its pixels lie within {_FLAT} levels of 255."
        ),
        Caution("black", f"It is all but black: 99 % of its pixels are under level {_BLACK} of 255."),
        Caution("blown-out", f"It is white (level {_WHITE} of 255 or more) in three quarters or more."),
        Caution(
            "far-from-training",
            "Hardly any training photograph has such light, edges, colours (drawings, screenshots, noise).",
        ),
        Caution(
            "end-of-scale",
            "Its score is at the end of the calibration: worse (or better) ones have the same.",
        ),
    )
}


def by_record(record: Prediction, card: Card | None) -> tuple[str, ...]:
    """Names of the cautions that a record tells of: "tiny", "end-of-scale".

    Args:
        record: With a score, or without, which gives none.
        card: Of the weight; without one nothing is known of its crops and its scale.
    """
    if record.score is None or card is None:
        return ()
    found = []
    if record.width and record.height and min(record.width, record.height) < card.policy().crop:
        found.append("tiny")
    low, high = (float(end) for end in card.calibration((-1e9, 1e9)))
    if not low + _END < record.score < high - _END:
        found.append("end-of-scale")
    return tuple(found)


def by_view(view: NDArray[np.uint8]) -> tuple[str, ...]:
    """Names of the cautions that a small view tells of: "flat", "black", "blown-out", "far-from-training".

    Args:
        view: sRGB uint8 [height, width, 3]; one larger than `SIDE` is reduced to it.
    """
    import cv2
    import numpy as np

    height, width = view.shape[:2]
    if max(height, width) > SIDE:
        factor = SIDE / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        view = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    luma = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    darkest, brightest = np.percentile(luma, (1, 99))
    found = []
    if brightest - darkest < _FLAT:
        found.append("flat")
    if brightest < _BLACK:
        found.append("black")
    if (luma >= _WHITE).mean() >= _WHITE_SHARE:
        found.append("blown-out")
    if "flat" not in found and (_is_drawn(view, luma) or _is_far(view)):
        found.append("far-from-training")
    return tuple(found)


def _is_far(view: NDArray[np.uint8]) -> bool:
    from iqa_cli.scene_distance import LEAST, scenes

    return min(view.shape[:2]) >= LEAST and scenes().distance(view) > scenes().limit


def _is_drawn(view: NDArray[np.uint8], luma: NDArray[np.uint8]) -> bool:
    import cv2
    import numpy as np

    if view.shape[1] < 2:
        return False
    alike = float((view[:, 1:] == view[:, :-1]).all(axis=2).mean())
    if alike < _ALIKE_SHARE:
        return False
    edges = float(np.abs(cv2.Laplacian(luma, cv2.CV_32F)).mean())
    return edges >= _EDGES * (1 - alike)
