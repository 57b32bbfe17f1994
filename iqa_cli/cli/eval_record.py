"""`iqa eval --record`: figures onto the card of the weight that they were measured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.checksums import write_file
from iqa_cli.cli.context import Environment
from iqa_cli.errors import DatasetError, UsageError, WeightsError
from iqa_cli.recard import Place, with_card, writable_weight
from iqa_cli.text import one_line
from iqa_cli.weights import read_card

if TYPE_CHECKING:
    from iqa_cli.evaluation.measure import Figures

_PLACES = 4


@dataclass(frozen=True)
class Entry:
    """Where to record, and the command."""

    place: Place
    command: str


def prepare(path: Path, command: str) -> Entry:
    """Whether a weight's card can be written, asked before hours go into scoring.

    Args:
        path: The weight's file.
        command: The command that gives the figures.

    Raises:
        WeightsError: As `writable_weight` says.
        UsageError: The command cannot be written on a card.
    """
    place = writable_weight(path)
    try:
        command.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "a path of this command is not valid text and cannot be recorded", hint="rename it"
        ) from None
    return Entry(place, command)


def record_result(
    entry: Entry, head: Mapping[str, Any], whole: Figures, subsets: Sequence[Figures], env: Environment
) -> None:
    """Write figures into the card, in place of older ones of the same data set and part.

    They become the first result, the headline; but results on pictures that were met in training come behind
    all others, since they must not stand for the weight.

    Raises:
        DatasetError: There is no figure.
        WeightsError: The file has changed since it was measured, or the disk refuses; the file is then as it
            was.
    """
    if whole.srcc is None:
        raise DatasetError(f"nothing was recorded: {whole.why_not}")
    path = entry.place.path
    name = one_line(path)
    card = read_card(path)
    if not entry.place.unchanged():
        raise WeightsError(f"{name}: has changed while it was measured; nothing was recorded")
    made = _result(entry, head, whole, subsets)
    same = ("dataset", "part")
    others = [result for result in card.results if any(result.get(key) != made[key] for key in same)]
    results = sorted([made, *others], key=lambda result: bool(result.get("seen")))
    try:
        content = with_card(path, replace(card, results=results))
    except ValueError as error:
        raise WeightsError(f"nothing was recorded: {one_line(str(error))}") from None
    write_file(path, content)
    replaced = ", in place of an older result" if len(others) < len(card.results) else ""
    env.note(f"recorded on the card of {name}{replaced}")


def _result(
    entry: Entry, head: Mapping[str, Any], whole: Figures, subsets: Sequence[Figures]
) -> dict[str, Any]:
    return {
        "dataset": head["dataset"],
        "part": head["split"],
        "split_hash": head["split_hash"],
        **_figures(whole),
        "subsets": [{"subset": row.row, **_figures(row), "seen": row.seen} for row in subsets],
        "seen": whole.seen,
        "command": entry.command,
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
