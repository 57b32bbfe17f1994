"""A gMAD competition on disk: the pairs that were mined, as `gmad.json` in a folder of its own.

The mining writes it once, whole or not at all; judging and the verdict read it. Names and paths may be any
bytes that a file system allows: JSON keeps those that are no UTF-8 as escapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.replacing import replacing, unwritable
from iqa_cli.text import one_line, reason_of

#: The file of a competition in its folder.
FILE = "gmad.json"
VERSION = 1

Side: TypeAlias = Literal["first", "second"]


@dataclass(frozen=True)
class Picture:
    """A picture of a pair.

    Attributes:
        path: Its file, absolute; not necessarily there where only files of scores were mined.
        name: What the pool calls it.
        scores: Model -> score on the common scale, in points: 0 to 100, higher is better.
        mos: Opinion score in points, 0 to 100, higher is better; None where not known.
        reference: The undistorted picture it was made from, as the pool calls it; None where not known.
        raw: Model -> score before the common scale, oriented so that higher is better.
    """

    path: str
    name: str
    scores: Mapping[str, float]
    mos: float | None = None
    reference: str | None = None
    raw: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two pictures that the defender holds for equal, and the attacker for as different as possible.

    Attributes:
        id: Unique in the competition: p0001, for catch trials c0001.
        defender, attacker: Models; both "" in a catch trial.
        level: Quality at which the defender is challenged, "low", "high" or a percentile such as "p50";
            "catch" in a catch trial.
        rank: From 1: the first pair of a level has the largest attacker difference.
        first: The picture that the attacker prefers.
        second: The other one.
        attacker_difference: Score of first minus that of second, in points of the common scale; 0 or more.
        defender_difference: The same of the defender; its size is within the tolerance.
        catch: Whether the answer is known.
        expected: The answer of a catch trial.
    """

    id: str
    defender: str
    attacker: str
    level: str
    rank: int
    first: Picture
    second: Picture
    attacker_difference: float
    defender_difference: float
    catch: bool = False
    expected: Side | None = None


@dataclass(frozen=True)
class Competition:
    """All pairs, and what they were mined from.

    Attributes:
        images: Number of pictures in the pool.
        source: The pool in a few words.
        models: Names of the models, each once.
        scale: How scores were put on a common scale: "rank" or "logistic".
        scale_text: The same in a sentence.
        pairs: Those to judge, catch trials among them.
        settings: Options of the mining, for the record.
        notes: Model -> further facts (where its scores come from).
    """

    images: int
    source: str
    models: tuple[str, ...]
    scale: str
    scale_text: str
    pairs: tuple[Pair, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def mined(self) -> tuple[Pair, ...]:
        """The pairs without the catch trials."""
        return tuple(pair for pair in self.pairs if not pair.catch)


def write_competition(folder: Path, competition: Competition) -> Path:
    """Write `gmad.json`; the folder is made where it is missing. Whatever goes wrong leaves the old file.

    Returns:
        The file.

    Raises:
        UsageError: The disk is full, permission is denied, and the like.
    """
    target = folder / FILE
    # Written beside and renamed: judging may be looking at the file.
    text = json.dumps(competition_document(competition), indent=1, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            file.write(text.encode("ascii"))
    except OSError as error:
        raise UsageError(unwritable(one_line(target), error)) from None
    return target


def read_competition(folder: Path) -> Competition:
    """Read the competition of a folder that `iqa gmad -o` has written.

    Raises:
        DatasetError: There is none, or it is damaged, truncated or of another version; one line.
    """
    source = one_line(folder / FILE)
    hint = "make it with: iqa gmad --a MODEL --b MODEL FOLDER -o OUT"
    try:
        text = (folder / FILE).read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"'{one_line(folder)}' has no {FILE}", hint=hint) from None
    except OSError as error:
        raise DatasetError(f"cannot read '{source}': {reason_of(error)}") from None
    except ValueError:
        raise DatasetError(f"{source}: is not UTF-8 text", hint=hint) from None
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise _Wrong(f"is no competition of version {VERSION}")
        return _competition(document)
    except _Wrong as wrong:
        raise DatasetError(f"{source}: {wrong}", hint=hint) from None
    except (ValueError, RecursionError):
        raise DatasetError(f"{source}: is damaged or truncated JSON", hint=hint) from None


class _Wrong(Exception):
    """What is wrong with a document."""


def competition_document(competition: Competition) -> dict[str, Any]:
    """A competition as `gmad.json` has it; no value is NaN."""
    return {
        "version": VERSION,
        "pool": {"images": competition.images, "source": competition.source},
        "models": [{"name": name, **competition.notes.get(name, {})} for name in competition.models],
        "scale": {"kind": competition.scale, "text": competition.scale_text},
        "settings": dict(competition.settings),
        "pairs": [pair_document(pair) for pair in competition.pairs],
    }


def pair_document(pair: Pair) -> dict[str, Any]:
    """A pair as `gmad.json` has it; no value is NaN."""
    return {
        "id": pair.id,
        "defender": pair.defender,
        "attacker": pair.attacker,
        "level": pair.level,
        "rank": pair.rank,
        "first": _picture_document(pair.first),
        "second": _picture_document(pair.second),
        "attacker_difference": pair.attacker_difference,
        "defender_difference": pair.defender_difference,
        "catch": pair.catch,
        "expected": pair.expected,
    }


def _picture_document(picture: Picture) -> dict[str, Any]:
    return {
        "path": picture.path,
        "name": picture.name,
        "scores": dict(picture.scores),
        "mos": picture.mos,
        "reference": picture.reference,
        "raw": dict(picture.raw),
    }


def _competition(document: dict[str, Any]) -> Competition:
    pool, scale = _get(document, "pool", dict, "gmad"), _get(document, "scale", dict, "gmad")
    models = _get(document, "models", list, "gmad")
    names = tuple(_get(model, "name", str, "models") for model in models)
    if len(set(names)) != len(names) or not names:
        raise _Wrong("its models are not told apart")
    pairs = tuple(
        _pair(found, names, f"pair {number}")
        for number, found in enumerate(_get(document, "pairs", list, "gmad"), 1)
    )
    if len({pair.id for pair in pairs}) != len(pairs):
        raise _Wrong("two pairs have one id")
    return Competition(
        images=_get(pool, "images", int, "pool"),
        source=_get(pool, "source", str, "pool"),
        models=names,
        scale=_get(scale, "kind", str, "scale"),
        scale_text=_get(scale, "text", str, "scale"),
        pairs=pairs,
        settings=_get(document, "settings", dict, "gmad"),
        notes={name: further for name in names if (further := _further(models, name))},
    )


def _further(models: list[dict[str, Any]], name: str) -> dict[str, Any]:
    model = next(model for model in models if model["name"] == name)
    return {key: value for key, value in model.items() if key != "name"}


def _pair(found: Any, models: tuple[str, ...], place: str) -> Pair:
    catch, expected = _get(found, "catch", bool, place), found.get("expected")
    defender, attacker = _get(found, "defender", str, place), _get(found, "attacker", str, place)
    if not catch and (defender == attacker or defender not in models or attacker not in models):
        raise _Wrong(f"{place}: its defender and attacker are not two of the models")
    if expected not in (None, "first", "second") or catch != (expected is not None):
        raise _Wrong(f"{place}: 'expected' is for catch trials: first or second")
    return Pair(
        id=_get(found, "id", str, place),
        defender=defender,
        attacker=attacker,
        level=_get(found, "level", str, place),
        rank=_get(found, "rank", int, place),
        first=_picture(found.get("first"), place),
        second=_picture(found.get("second"), place),
        attacker_difference=_number(found, "attacker_difference", place),
        defender_difference=_number(found, "defender_difference", place),
        catch=catch,
        expected=cast("Side | None", expected),
    )


def _picture(found: Any, place: str) -> Picture:
    scores = _get(found, "scores", dict, place)
    raw = found.get("raw", {})
    reference = found.get("reference")
    if not isinstance(raw, dict) or not isinstance(reference, (str, type(None))):
        raise _Wrong(f"{place}: its pictures are damaged")
    return Picture(
        path=_get(found, "path", str, place),
        name=_get(found, "name", str, place),
        scores={name: _number(scores, name, place) for name in scores},
        mos=None if found.get("mos") is None else _number(found, "mos", place),
        reference=reference,
        raw={name: _number(raw, name, place) for name in raw},
    )


def _get(record: Any, key: str, kind: type, place: str) -> Any:
    value = record.get(key) if isinstance(record, dict) else None
    # bool is an int to Python.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _Wrong(f"{place}: lacks a valid '{key}'")
    return value


def _number(record: Mapping[str, Any], key: str, place: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _Wrong(f"{place}: '{one_line(key)}' is no number")
    return float(value)
