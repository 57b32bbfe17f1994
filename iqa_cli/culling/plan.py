"""The plan of a culling: which pictures are kept, as a JSON file that a person may read and change.

`keep` of a picture may be turned round, and `target`, its name below the folder that it goes to, changed;
what is done with them is said when the plan is carried out. Paths are as they were given, below `base`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from iqa_cli.culling.choosing import Verdict
from iqa_cli.errors import UsageError
from iqa_cli.replacing import unwritable, writing_to
from iqa_cli.text import one_line, reason_of

_MARK = "iqa_cull_plan"
_VERSION = 1


@dataclass(frozen=True)
class Planned:
    """A picture of a plan.

    Attributes:
        path: As given.
        target: Its name below the folder that it goes to.
        group: As of `Verdict`.
        keep: Whether it is kept, or one of the rest; None without a score.
        score: In points; None where it could not be scored, and then nothing is done with it.
        margin, uncertainty, sure: As of `Verdict`; for the reader, nothing hangs on them.
    """

    path: str
    target: str
    group: int | None
    keep: bool | None
    score: float | None
    margin: float | None = None
    uncertainty: float | None = None
    sure: bool | None = None


@dataclass(frozen=True)
class Plan:
    """What a file of a plan holds.

    Attributes:
        base: Absolute folder below which relative paths lie.
        model: Name of the weight that gave the scores.
        pictures: In the order of the inputs.
    """

    base: str
    model: str
    pictures: tuple[Planned, ...]

    def place_of(self, picture: Planned) -> str:
        """The absolute path of a picture."""
        return os.path.normpath(os.path.join(self.base, picture.path))  # noqa: PTH118


def make_plan(verdicts: Sequence[Verdict], folders: Iterable[str]) -> Plan:
    """The plan of verdicts.

    Args:
        verdicts: Of all pictures.
        folders: Those that were given: a picture below one of them keeps its way from there, the others
            theirs from the folder that they have in common.
    """
    roots = sorted(map(_absolute, folders), key=lambda root: -len(root.parts))
    places = [_absolute(verdict.path) for verdict in verdicts]
    others = [str(place.parent) for place in places if not any(map(place.is_relative_to, roots))]
    if others:
        roots.append(Path(os.path.commonpath(others)))
    pictures = [
        Planned(
            verdict.path,
            next(place.relative_to(root).as_posix() for root in roots if place.is_relative_to(root)),
            verdict.group,
            verdict.keep,
            _rounded(verdict.prediction.score),
            _rounded(verdict.margin),
            _rounded(verdict.uncertainty),
            verdict.sure,
        )
        for verdict, place in zip(verdicts, places, strict=True)
    ]
    model = next((verdict.prediction.model for verdict in verdicts), "")
    return Plan(os.getcwd(), model, tuple(pictures))  # noqa: PTH109


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links are not followed


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 2)


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan: in ASCII, one picture a line.

    Raises:
        UsageError: The file cannot be written.
    """
    head = {
        _MARK: _VERSION,
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "model": plan.model,
        "base": plan.base,
    }
    lines = [json.dumps(head, indent=1)[:-2] + ',\n "pictures": [']
    lines.append(",\n".join(f"  {json.dumps(_entry(picture))}" for picture in plan.pictures))
    try:
        with writing_to(path) as file:
            file.write(("\n".join([*lines, " ]", "}"]) + "\n").encode())
    except (OSError, ValueError) as error:
        raise UsageError(unwritable(one_line(path), error)) from None


def _entry(picture: Planned) -> dict[str, Any]:
    return {name: getattr(picture, name) for name in Planned.__dataclass_fields__}


def is_plan(path: str) -> bool:
    """Whether a file begins like a plan; False for one that cannot be read."""
    if not os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
        return False
    try:
        with Path(path).open("rb") as file:
            head = file.read(200).lstrip()
    except (OSError, ValueError):
        return False
    return head.startswith(b"{") and f'"{_MARK}"'.encode() in head


def load_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        UsageError: It cannot be read, is no plan, or one that has been damaged; one line.
    """
    name = one_line(path)
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read the plan {name}: {reason_of(error)}") from None
    if not isinstance(values, dict) or _MARK not in values:
        raise UsageError(f"{name} is no plan of 'iqa cull'")
    if values[_MARK] != _VERSION:
        raise UsageError(f"{name} is a plan of another version of this program")
    base, model, pictures = (values.get(key) for key in ("base", "model", "pictures"))
    if not isinstance(base, str) or not os.path.isabs(base) or not isinstance(pictures, list):  # noqa: PTH117
        raise UsageError(f"{name} is a damaged plan: it lacks its base or its pictures")
    found = tuple(
        _planned(entry, f"{name}, picture {number}") for number, entry in enumerate(pictures, start=1)
    )
    return Plan(base, model if isinstance(model, str) else "", found)


def _planned(entry: Any, where: str) -> Planned:
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: should be an object")
    path, target, group, keep, score = (
        entry.get(key) for key in ("path", "target", "group", "keep", "score")
    )
    if not isinstance(path, str) or not path or "\0" in path:
        raise UsageError(f"{where}: has no path")
    if not isinstance(keep, bool) and (keep, score) != (None, None):
        raise UsageError(f"{where}: keep should be true or false")
    if not isinstance(target, str) or not _stays_below(target):
        raise UsageError(f"{where}: target should be a name below the folder that pictures go to")
    if group is not None and (not isinstance(group, int) or isinstance(group, bool)):
        raise UsageError(f"{where}: group should be a whole number or null")
    if score is not None and (
        not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score)
    ):
        raise UsageError(f"{where}: score should be a number or null")
    return Planned(path, target, group, keep, score)


def _stays_below(target: str) -> bool:
    parts = PurePath(target)
    return bool(parts.name) and not parts.is_absolute() and ".." not in parts.parts and "\0" not in target
