"""What is to be done, file by file, worked out before the first of them is touched."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from iqa_cli.culling.companions import SIDECARS, CompanionFinder
from iqa_cli.culling.moving import same_content, same_file
from iqa_cli.culling.plan import Plan, Planned
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line


class Action(str, Enum):
    """What is done with pictures."""

    copy = "copy"
    link = "link"
    move = "move"


class Kind(str, Enum):
    """What one step does."""

    copy = "copy"
    link = "link"
    move = "move"
    rate = "rate"


@dataclass(frozen=True)
class Step:
    """One file.

    Attributes:
        kind: What is done.
        source: Absolute path of the file; of `rate` that of the picture.
        target: Absolute path that it gets; of `rate` the sidecar.
        of: Number of the step, from 0, of the picture that this companion goes with: where that one fails,
            the companion stays.
        size, modified: Bytes of the source, and its time in nanoseconds, when the step was worked out.
        before: Of `rate`, what stands in the sidecar; None where there is none.
        after: Of `rate`, what will.
    """

    kind: Kind
    source: str
    target: str
    of: int | None = None
    size: int | None = None
    modified: int | None = None
    before: bytes | None = None
    after: bytes = b""

    def is_at(self, path: Path) -> bool:
        """Whether a file has the size and the time that the source had; to two seconds, which is how exactly
        FAT keeps times."""
        try:
            found = path.stat()
        except OSError:
            return False
        return found.st_size == self.size and abs(found.st_mtime_ns - (self.modified or 0)) <= 2 * 10**9


@dataclass
class Steps:
    """All that is to be done, and what is not.

    Attributes:
        steps: In order.
        left: (path, why) of files that were chosen and stay all the same.
        shared: Companions that belong to several pictures, and stay.
        present: How many pictures are there already.
        renamed: How many pictures get another name, since theirs is taken.
    """

    steps: list[Step] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    present: int = 0
    renamed: int = 0

    @property
    def pictures(self) -> int:
        """How many pictures are copied, linked or moved."""
        return sum(step.kind is not Kind.rate and step.of is None for step in self.steps)


def chosen(plan: Plan, *, rest: bool = False, groups_only: bool = False) -> list[Planned]:
    """The pictures that something is done with: those kept, or the rest; never one without a score.

    Args:
        plan: The plan.
        rest: Those that are not kept.
        groups_only: Leave out pictures that are alone.
    """
    return [
        picture
        for picture in plan.pictures
        if picture.score is not None and picture.keep != rest and not (groups_only and picture.group is None)
    ]


def carrying(
    plan: Plan,
    pictures: Sequence[Planned],
    action: Action,
    folder: Path,
    coming: Mapping[str, Sequence[str]] | None = None,
    first: int = 0,
) -> Steps:
    """The steps that bring pictures and their companions into a folder.

    A name that is taken gets a number: photo-2.jpg, and its companions the same one. A picture that is there
    already, by its content (for links: the same file), is passed over.

    Args:
        plan: Where the pictures are from.
        pictures: Some of its pictures.
        action: What is done. Sidecars are copied where pictures are linked, since programs write into them.
        folder: Where to; need not exist.
        coming: Absolute path of a picture -> names of sidecars that will be beside it by then.
        first: Number of the first step.

    Raises:
        UsageError: Two pictures of the plan are one file: what is done with one is done with the other.
    """
    _refuse_twice(plan)
    made, finder, taken = Steps(), CompanionFinder(), set[str]()
    root = Path(os.path.abspath(folder))  # noqa: PTH100
    for picture in pictures:
        source = Path(plan.place_of(picture))
        why = _why_not(source, action)
        if why is not None:
            made.left.append((picture.path, why))
            continue
        companions = finder.of(str(source))
        made.shared += [str(source.with_name(name)) for name in companions.shared]
        names = sorted({*companions.own, *(coming or {}).get(str(source), ())})
        _unit(made, source, root / picture.target, names, action, taken, first)
    return made


def _refuse_twice(plan: Plan) -> None:
    seen: dict[str, str] = {}
    for picture in plan.pictures:
        real = os.path.realpath(plan.place_of(picture))
        if real in seen:
            raise UsageError(
                f"{one_line(seen[real])} and {one_line(picture.path)} are one file",
                hint="it can be in a plan only once",
            )
        seen[real] = picture.path


def _why_not(source: Path, action: Action) -> str | None:
    try:
        if not source.is_file():
            return "there is no such file any more"
        if action is Action.move and source.is_symlink():
            return "is a symbolic link, which would lead nowhere from another place"
    except OSError as error:
        return error.strerror or "cannot be looked at"
    return None


def _unit(
    made: Steps, source: Path, target: Path, names: Sequence[str], action: Action, taken: set[str], first: int
) -> None:
    """The steps of a picture and its companions, which keep their names in common."""
    for number in itertools.count(1):
        stem = target.stem if number == 1 else f"{target.stem}-{number}"
        places = [target.with_name(stem + target.suffix)]
        places += [target.with_name(stem + name[len(source.stem) :]) for name in names]
        free = not any(str(place).casefold() in taken for place in places)
        if free and _is_there(source, places[0], action):
            _complete(made, source, names, places[1:], action)
            break
        if free and not any(map(os.path.lexists, places)):
            made.renamed += number > 1
            own = first + len(made.steps)
            made.steps.append(_step(source, places[0], action, None))
            for name, place in zip(names, places[1:], strict=True):
                made.steps.append(_step(source.with_name(name), place, action, own))
            break
    taken.update(str(place).casefold() for place in places)


def _complete(
    made: Steps, source: Path, names: Sequence[str], places: Sequence[Path], action: Action
) -> None:
    """The steps of the companions of a picture that is there already."""
    made.present += 1
    for name, place in zip(names, places, strict=True):
        companion = source.with_name(name)
        if not os.path.lexists(place):
            made.steps.append(_step(companion, place, action, None))
        elif not same_content(companion, place):
            made.left.append((str(companion), f"another {place.name} is there already"))


def _is_there(source: Path, target: Path, action: Action) -> bool:
    return same_file(source, target) if action is Action.link else same_content(source, target)


def _step(source: Path, target: Path, action: Action, of: int | None) -> Step:
    kind = Kind(action.value)
    if kind is Kind.link and source.suffix.lower() in SIDECARS:
        kind = Kind.copy
    try:
        found = source.stat()
    except OSError:  # a sidecar that is still to come
        return Step(kind, str(source), str(target), of)
    return Step(kind, str(source), str(target), of, found.st_size, found.st_mtime_ns)
