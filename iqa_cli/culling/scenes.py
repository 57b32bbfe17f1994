"""Pictures of one scene: near-duplicates and bursts.

Near-duplicates are those of `iqa_cli.datasets.duplicates`: re-encoded, resized, slightly cropped copies and
shots of one scene from one place. A burst of something that moves may differ too much for that; where two
pictures of one camera were taken within moments, thumbnails that agree roughly are enough. The time alone is
not: within two seconds a camera can be turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from iqa_cli.culling.capture import Capture, capture_of
from iqa_cli.datasets.candidates import coarse
from iqa_cli.datasets.duplicates import Watch, find_duplicates
from iqa_cli.datasets.grouping import connected

#: Seconds between two shots of a burst.
GAP = 2.0
# Correlation of the thumbnails, made independent of exposure: that from which on near-duplicates are looked
# for.
_LEAST = 0.35


@dataclass(frozen=True)
class Scenes:
    """What belongs together.

    Attributes:
        groups: For each picture the number of its group, from 0 in the order of first members.
        unreadable: Place -> why a picture could not be read; it is alone in its group.
        timed: How many pictures tell when they were taken; 0 where it was not asked.
    """

    groups: list[int]
    unreadable: dict[int, str] = field(default_factory=dict)
    timed: int = 0


def find_scenes(
    paths: Sequence[Path], gap: float = GAP, threads: int = 1, watch: Watch = lambda task, done, total: None
) -> Scenes:
    """Group pictures by scene.

    Args:
        paths: The pictures. Those that cannot be read are told and stay alone.
        gap: Most seconds between two shots of a burst; 0 does not look at the time.
        threads: Threads that decode and compare.
        watch: Told of progress.

    Raises:
        DatasetError: There is no space for a temporary file.
    """
    found = find_duplicates(paths, threads, watch)
    if gap <= 0:
        return Scenes(found.groups, found.unreadable)
    captures = [None if place in found.unreadable else capture_of(path) for place, path in enumerate(paths)]
    descriptors = coarse(found.thumbnails)
    joined = [(link.one, link.other) for link in found.links]
    joined += [
        (one, other)
        for one, other in _moments_apart(captures, gap)
        if float(descriptors[one] @ descriptors[other]) > _LEAST
    ]
    timed = sum(capture is not None for capture in captures)
    return Scenes(connected(len(paths), joined), found.unreadable, timed)


def _moments_apart(captures: Sequence[Capture | None], gap: float) -> list[tuple[int, int]]:
    """Pairs of pictures that one camera took one after the other, at most `gap` seconds apart."""
    of_camera: dict[str, list[tuple[float, int]]] = {}
    for place, capture in enumerate(captures):
        if capture is not None:
            of_camera.setdefault(capture.camera, []).append((capture.second, place))
    return [
        (min(one, other), max(one, other))
        for shots in of_camera.values()
        for (earlier, one), (later, other) in pairwise(sorted(shots))
        if later - earlier <= gap
    ]
