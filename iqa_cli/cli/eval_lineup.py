"""Who takes part in `iqa eval`: weights, baselines, and files of scores from elsewhere. Reads cards and files
of scores; imports neither torch nor what baselines compute with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.card import SYNTHETIC, UNRATED
from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_seen import seen_of
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.baselines import Baseline
    from iqa_cli.card import Card
    from iqa_cli.evaluation.scorefile import ScoreFile
    from iqa_cli.seen import Seen

DEFAULT_MODEL = "mfenet"


@dataclass(frozen=True)
class Weight:
    """A weight: its file, its card, and the hashes of what it has met in training, where it keeps them."""

    path: Path
    card: Card
    seen: Seen | None = None


@dataclass(frozen=True)
class Elsewhere:
    """Scores from elsewhere: the name of the scorer, its file, and whether its scores fall with quality."""

    name: str
    file: ScoreFile
    lower_is_better: bool = False


@dataclass(frozen=True)
class Lineup:
    """All scorers, in the order in which tables have them; every name is there once."""

    weights: tuple[Weight, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    files: tuple[Elsewhere, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The scorers as tables call them."""
        weights = (weight.card.name for weight in self.weights)
        return (*weights, *(b.name for b in self.baselines), *(f.name for f in self.files))

    @property
    def need_pictures(self) -> bool:
        """Whether any of them looks at pictures."""
        return bool(self.weights or self.baselines)

    def with_seen(self, env: Environment) -> Lineup:
        """The same, with the hashes of what the weights have met; a note says which keep none.

        Raises:
            WeightsError: Hashes are damaged or belong to another weight.
        """
        weights = (replace(weight, seen=seen_of(weight.path, weight.card, env)) for weight in self.weights)
        return replace(self, weights=tuple(weights))

    def trained_on(self) -> dict[str, str]:
        """Scorer -> what it has learned from, in a few words; "" where that is not known."""
        said = {weight.card.name: _databases(weight.card) for weight in self.weights}
        for known in self.baselines:
            said[known.name] = (
                "nothing" if known.fitted is None else re.split(r"[,;(]", known.fitted)[0].strip()
            )
        return said | {file.name: "" for file in self.files}


def line_up(
    models: Sequence[str],
    baselines: Sequence[str],
    scores: Sequence[str],
    lower_is_better: Sequence[str],
) -> Lineup:
    """Find the scorers.

    Args:
        models: Names or files of weights; `DEFAULT_MODEL` where no scorer is named at all.
        baselines: Names of `iqa_cli.baselines.BASELINES`.
        scores: FILE or NAME=FILE; without a name, the scorer is called as the file without its ending.
        lower_is_better: Of these files' scorers (by those names), a lower score is the better one.

    Raises:
        IqaError: A scorer is not there or cannot be read, or two have one name; one line.
    """
    from iqa_cli.baselines import baseline
    from iqa_cli.weights import find_several

    if not (models or baselines or scores):
        models = (DEFAULT_MODEL,)
    found = find_several(models) if models else []
    known = tuple(baseline(name) for name in baselines)
    files = _files(scores, lower_is_better)
    _check_names([*(card.name for _, card in found), *baselines, *(file.name for file in files)])
    return Lineup(tuple(Weight(path, card) for path, card in found), known, files)


def _files(scores: Sequence[str], lower_is_better: Sequence[str]) -> tuple[Elsewhere, ...]:
    from iqa_cli.evaluation.scorefile import read_scores

    named = [named_file(entry) for entry in scores]
    names = [name for name, _ in named]
    for name in lower_is_better:
        if name not in names:
            raise UsageError(
                f"--lower-is-better {one_line(name)}: no --scores is called so",
                hint=f"there are: {', '.join(map(one_line, names)) or 'none'}",
            )
    return tuple(Elsewhere(name, read_scores(path), name in lower_is_better) for name, path in named)


def named_file(entry: str) -> tuple[str, Path]:
    """The scorer's name and its file, of FILE or NAME=FILE."""
    name, equals, file = entry.partition("=")
    if equals and name and file and not os.path.lexists(entry):
        return name, Path(file)
    return Path(entry).stem or entry, Path(entry)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two scorers are called {one_line(name)}, so that their rows could not be told apart",
                hint="--scores NAME=FILE gives the scorer of a file another name; leave out one given twice",
            )


def _databases(card: Card) -> str:
    """Names of the data sets on a card and on those of the weights that it was made from, each once."""
    histories = [(card.training, card.notes), *_earlier(card.starting_points)]
    notes = [str(note) for _, of in histories for note in of]
    # "csv" is how labels are read, not what they are of.
    made = any(note.startswith("csv") and UNRATED in note for note in notes)
    of_csv = SYNTHETIC if made else "labels of its own"
    names: dict[str, None] = {}
    for training, _ in histories:
        for entry in training:
            name = entry.get("dataset") if isinstance(entry, dict) else None
            if isinstance(name, str):
                names[of_csv if name == "csv" else one_line(name)] = None
    return ", ".join(names)


def _earlier(points: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    """Training and notes of the weights that starting points tell of, and of those behind them."""
    for point in points if isinstance(points, list) else ():
        origin = point.get("origin") if isinstance(point, dict) else None
        if isinstance(origin, dict):
            training, notes = origin.get("training"), origin.get("notes")
            yield training if isinstance(training, list) else [], notes if isinstance(notes, list) else []
            yield from _earlier(origin.get("starting_points"))
