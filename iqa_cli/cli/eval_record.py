"""`iqa eval --record`: figures onto the card of the weight that they were measured with.

The tensors must come out as they went in, bit for bit: this is looked at before the file is replaced.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iqa_cli
from iqa_cli.checksums import write_file
from iqa_cli.cli.context import Environment
from iqa_cli.errors import DatasetError, UsageError, WeightsError
from iqa_cli.finding import SEEN_SUFFIX, SUFFIX, is_weight
from iqa_cli.tensorfile import read_file, read_header
from iqa_cli.text import one_line, reason_of

if TYPE_CHECKING:
    from iqa_cli.evaluation.measure import Figures

_PLACES = 4


@dataclass(frozen=True)
class Place:
    """Where to record: the file (links followed), what it was when it was looked at, and the command."""

    path: Path
    stamp: tuple[int, int, int]
    command: str


def prepare(path: Path, command: str) -> Place:
    """Whether a weight's card can be written, asked before hours go into scoring.

    Args:
        path: The weight's file.
        command: The command that gives the figures.

    Raises:
        WeightsError: The file is inside of an installed package, may not be written, or is no weight by its
            name.
        UsageError: The command cannot be written on a card.
    """
    path = path.resolve()
    name = one_line(path)
    package = Path(iqa_cli.__file__).resolve().parent
    if path.is_relative_to(package) or {"site-packages", "dist-packages"} & set(path.parts):
        raise WeightsError(
            f"{name}: is part of an installed package, whose files stay as they were installed",
            hint=f"copy it and its {SEEN_SUFFIX} file, and give --model the copy",
        )
    if not is_weight(path):
        raise WeightsError(f"{name}: the file of a weight should end in {SUFFIX}")
    info = path.stat()
    # The bits as well: for root everything is writable, also what somebody has protected.
    if not info.st_mode & 0o222 or not all(os.access(place, os.W_OK) for place in (path, path.parent)):
        raise WeightsError(f"{name}: may not be written, so nothing can be recorded in it")
    try:
        command.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "a path of this command is not valid text and cannot be recorded", hint="rename it"
        ) from None
    return Place(path, _stamp(info), command)


def record_result(
    place: Place, head: Mapping[str, Any], whole: Figures, subsets: Sequence[Figures], env: Environment
) -> None:
    """Write figures into the card, in place of older ones of the same data set and part.

    They become the first result, the headline; but results on pictures that were met in training come behind
    all others, since they must not stand for the weight.

    Raises:
        DatasetError: There is no figure.
        WeightsError: The file has changed since it was measured, its tensors cannot be kept exactly, or the
            disk refuses; the file is then as it was.
    """
    from iqa_cli.weights import load_state, save_weights

    if whole.srcc is None:
        raise DatasetError(f"nothing was recorded: {whole.why_not}")
    path = place.path
    name = one_line(path)
    card, tensors = load_state(path)
    if _stamp(path.stat()) != place.stamp:
        raise WeightsError(f"{name}: has changed while it was measured; nothing was recorded")
    entry = _entry(place, head, whole, subsets)
    same = ("dataset", "part")
    others = [result for result in card.results if any(result.get(key) != entry[key] for key in same)]
    results = sorted([entry, *others], key=lambda result: bool(result.get("seen")))
    half = any(info.dtype == "F16" for info in read_header(path).tensors.values())
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            save_weights(copy, tensors, replace(card, results=results), half=half)
            if _tensors(copy) != _tensors(path):
                raise WeightsError(
                    f"{name}: its tensors cannot be kept exactly; nothing was recorded",
                    hint="it was not written by this program: load_state and save_weights make one that was",
                )
            content = copy.read_bytes()
    except OSError as error:
        raise WeightsError(f"nothing was recorded: {reason_of(error)}") from None
    except ValueError as error:
        raise WeightsError(f"nothing was recorded: {one_line(str(error))}") from None
    write_file(path, content)
    replaced = ", in place of an older result" if len(others) < len(card.results) else ""
    env.note(f"recorded on the card of {name}{replaced}")


def _entry(
    place: Place, head: Mapping[str, Any], whole: Figures, subsets: Sequence[Figures]
) -> dict[str, Any]:
    return {
        "dataset": head["dataset"],
        "part": head["split"],
        "split_hash": head["split_hash"],
        **_figures(whole),
        "subsets": [{"subset": row.row, **_figures(row), "seen": row.seen} for row in subsets],
        "seen": whole.seen,
        "command": place.command,
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def _figures(row: Figures) -> dict[str, Any]:
    names = ("srcc", "srcc_ci", "krcc", "plcc", "plcc_fitted", "rmse")
    return {
        "n_used": row.n_used,
        "n_total": row.n_total,
        **{name: _rounded(getattr(row, name)) for name in names},
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(entry, _PLACES) for entry in value]
    return None if value is None else round(value, _PLACES)


def _stamp(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_ino, info.st_size, info.st_mtime_ns


def _tensors(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Name -> type, shape and bytes, exactly as they lie in the file."""
    header, content = read_file(path)
    return {
        name: (info.dtype, info.shape, bytes(content[info.start : info.end]))
        for name, info in header.tensors.items()
    }
