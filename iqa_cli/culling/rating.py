"""Which stars a score gives, and in which sidecars they are written."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from pathlib import Path

from iqa_cli.culling.plan import Plan
from iqa_cli.culling.steps import Kind, Step, Steps
from iqa_cli.culling.xmp import LARGEST, SidecarError, new_sidecar, rating_of, with_rating
from iqa_cli.errors import UsageError
from iqa_cli.prediction import shown
from iqa_cli.text import reason_of

#: Scores from which on a picture gets 2, 3, 4 and 5 stars: the steps of `iqa_cli.card.LADDER`.
THRESHOLDS = (20.0, 40.0, 60.0, 80.0)


class Naming(str, Enum):
    """How sidecars are called.

    stem: photo.xmp, by Adobe's programs. full: photo.jpg.xmp, by darktable and digiKam. both: both.
    """

    stem = "stem"
    full = "full"
    both = "both"


def stars(score: float, thresholds: Sequence[float] = THRESHOLDS) -> int:
    """1 to 5 stars of a score in points, as it is shown."""
    return 1 + bisect_right(thresholds, shown(score))


def check_thresholds(thresholds: Sequence[float]) -> None:
    """Four rising scores within 0 to 100.

    Raises:
        UsageError: They are something else.
    """
    rising = all(low < high for low, high in pairwise(thresholds))
    if len(thresholds) != 4 or not rising or not 0 <= thresholds[0] <= thresholds[-1] <= 100:
        raise UsageError(
            "--stars takes four rising scores from 0 to 100: from which on there are 2, 3, 4 and 5 stars"
        )


def rating_steps(
    plan: Plan, naming: Naming, thresholds: Sequence[float] = THRESHOLDS, *, rerate: bool = False
) -> tuple[Steps, dict[str, list[str]]]:
    """The steps that rate all pictures with a score.

    A sidecar that is there stays as it is, unless `rerate`; then its rating alone is changed.

    Args:
        plan: The pictures.
        naming: How sidecars are called.
        thresholds: Scores from which on there are 2, 3, 4 and 5 stars.
        rerate: Change the rating in sidecars that are there.

    Returns:
        The steps, and for each picture (absolute path) the names of the sidecars that it will have by them.
    """
    made = Steps()
    coming: dict[str, list[str]] = {}
    rated = [
        (picture.path, Path(plan.place_of(picture)), picture.score)
        for picture in plan.pictures
        if picture.score is not None
    ]
    # photo.jpg and photo.png would both have photo.xmp.
    stems = Counter(str(place.with_suffix("")).casefold() for _, place, _ in rated)
    for path, place, score in rated:
        if not os.path.isfile(place):  # noqa: PTH113 - False where it may not be looked at
            made.left.append((path, "there is no such file any more"))
            continue
        names = [] if naming is Naming.stem else [f"{place.name}.xmp"]
        if naming is not Naming.full:
            if stems[str(place.with_suffix("")).casefold()] > 1:
                made.left.append((path, f"shares {place.stem}.xmp with another picture"))
            else:
                names.append(f"{place.stem}.xmp")
        for name in names:
            _rate(made, coming, place, name, stars(score, thresholds), rerate)
    return made, coming


def _rate(
    made: Steps, coming: dict[str, list[str]], picture: Path, name: str, rating: int, rerate: bool
) -> None:
    sidecar = _there(picture.with_name(name))
    if sidecar is None:
        new = picture.with_name(name)
        made.steps.append(Step(Kind.rate, str(picture), str(new), after=new_sidecar(rating)))
        coming.setdefault(str(picture), []).append(name)
        return
    if not rerate:
        made.left.append((str(sidecar), "is there already; --rerate changes its rating"))
        return
    try:
        with sidecar.open("rb") as file:
            before = file.read(LARGEST + 1)
        if rating_of(before) == str(rating):
            made.present += 1
            return
        after = with_rating(before, rating)
    except SidecarError as error:
        made.left.append((str(sidecar), error.message))
    except OSError as error:
        made.left.append((str(sidecar), reason_of(error)))
    else:
        made.steps.append(Step(Kind.rate, str(picture), str(sidecar), before=before, after=after))


def _there(sidecar: Path) -> Path | None:
    """The sidecar as it is called on the disk: also photo.XMP."""
    for name in (sidecar, sidecar.with_suffix(".XMP")):
        if os.path.lexists(name):  # False of a name that is too long, which writing it will tell
            return name
    return None
