"""From what a command line names to all records at once, for commands that need all before they can say
anything: `iqa report`, `iqa rank`, `iqa cull`.

    options = ScoreOptions(paths=("holiday/",), recursive=True, models=("mfenet",), store="scores.db")
    found = collect(options, env)                       # scores, as `iqa score` does
    found = collect(ScoreOptions(paths=()), env, scores="scores.csv")  # or reads back what it has written
    for record in found.records: ...                    # Prediction: score, low, high, width, distortion, ...
    return found.exit_code

The records are those of `iqa score`, by the same code (`iqa_cli.cli.run.scoring`), in the order of the
inputs; those without a score are among them, with an error. Ctrl-C ends the scoring, not the command: the
records so far are given, `interrupted` is set and the exit code is 130. What went wrong has then been told on
stderr.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.cli.arrange import Tally, tell
from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import Inputs
from iqa_cli.cli.run import ScoreOptions, inputs_of, scoring
from iqa_cli.errors import DatasetError, ExitCode, UsageError, WeightsError
from iqa_cli.prediction import Prediction
from iqa_cli.text import count, one_line, printable, reason_of
from iqa_cli.training.interrupt import deferred_interrupt

if TYPE_CHECKING:
    from iqa_cli.card import Card
    from iqa_cli.scoring.storelist import ScorerSummary

_SQLITE = b"SQLite format 3\0"
# Points: a file has the raw score with six decimals.
_SAME = 0.05


@dataclass(frozen=True)
class Collected:
    """All records of a command line.

    Attributes:
        records: In the order of the inputs, a picture once.
        card: Of the weight that gave the scores; None where records were read back and that weight is not
            here, or is another one by now.
        interrupted: Ctrl-C came before the last picture.
        exit_code: 0, 3 where a picture has no score or a folder could not be listed, 130.
    """

    records: list[Prediction]
    card: Card | None
    interrupted: bool
    exit_code: ExitCode


def collect(options: ScoreOptions, env: Environment, scores: str | None = None) -> Collected:
    """Score the pictures that the options name, or read records back.

    Args:
        options: As of `iqa score`; those of its output are not looked at.
        env: Where notes, errors and the progress go.
        scores: What `iqa score` has written (CSV, JSON, JSON Lines; "-" for stdin) or a store, instead of
            pictures. Of a store, `options.models` and the mode say which way of scoring is meant.

    Raises:
        IqaError: Wrong usage, no weights, a file that holds no records.
        KeyboardInterrupt: Before the first picture was done.
    """
    if scores is None:
        return _scored(options, env)
    if options.paths or options.files_from is not None or options.store is not None:
        given = "pictures" if options.store is None else "--store"
        raise UsageError(f"--scores and {given} exclude each other", hint="the file names its pictures")
    records = _recorded(scores, options, env)
    tally = Tally()
    for record in records:
        tally.add(record)
    tell(env, Inputs(), tally)
    return Collected(
        records, _card_of(records, env), False, tally.exit_code(strict_inputs=False, exit_zero=False)
    )


def _scored(options: ScoreOptions, env: Environment) -> Collected:
    inputs, tally = inputs_of(options, env), Tally()
    records: list[Prediction] = []
    with scoring(options, env, inputs) as (cards, predictions, progress):
        try:
            for prediction in predictions:
                # A Ctrl-C comes before both or after both.
                with deferred_interrupt():
                    tally.add(prediction)
                    records.append(prediction)
                    progress.advance()
                progress.show()
        except KeyboardInterrupt:
            tally.interrupted = True
            if not records:
                raise
    tell(env, inputs, tally, stored=options.store is not None)
    code = tally.exit_code(strict_inputs=False, exit_zero=False)
    return Collected(records, cards[0], tally.interrupted, code)


def _recorded(name: str, options: ScoreOptions, env: Environment) -> list[Prediction]:
    from iqa_cli.scoring.recorded import read_records

    source = "stdin" if name == "-" else one_line(name)
    try:
        with _opened(name, env) as file:
            # A store is a regular file; of a pipe nothing comes twice.
            if file.seekable() and file.peek(len(_SQLITE)).startswith(_SQLITE):
                return _stored(Path(name), options, env)
            records, replaced = read_records(file, source)
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read '{source}': {reason_of(error)}") from None
    if replaced:
        env.note(f"{source}: {count(replaced, 'row')} replaced by a later one of the same picture")
    for model in options.models:
        there = {record.model for record in records}
        if there != {model}:
            raise UsageError(
                f"{source} has not the scores of {one_line(model)}",
                hint=f"it has those of: {one_line(', '.join(sorted(there)))}",
            )
    return records


def _opened(name: str, env: Environment) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(env.stdin.read())) if name == "-" else Path(name).open("rb")


def _stored(path: Path, options: ScoreOptions, env: Environment) -> list[Prediction]:
    """The records of one way of scoring in a store."""
    from iqa_cli.scoring.storelist import StoreReader, Wanted

    name = one_line(path)
    with StoreReader(path) as reader:
        named = [
            way
            for way in reader.summary()
            if (way.model in options.models if options.models else True) and way.scored + way.failed
        ]
        ways = [way for way in named if _mode_of(way) == options.mode]
        others = [way for way in named if _mode_of(way) != options.mode]
        elsewhere = _modes(sorted(set(map(_mode_of, others))))
        if len({(way.model, way.settings) for way in ways}) == 1:
            # Of a weight that has been replaced since, those of the one that is here.
            ways = [way for way in ways if _is_here(way)] or ways
        if len({(way.model, way.settings, way.weight) for way in ways}) == 1:
            # Where a release looks at pictures otherwise than an earlier one, the later scores.
            ways = [max(ways, key=lambda way: way.number)]
        if len(ways) != 1:
            shown = "; ".join(f"{way.model} ({way.settings}, weight {way.weight[:8]})" for way in ways)
            if not ways:
                wanted = f"{', '.join(options.models) or 'any weight'}, mode {options.mode}"
                there = f"it has those of {elsewhere}; " if others else ""
                raise UsageError(
                    f"{name} has no scores of {one_line(wanted)}", hint=f"{there}see iqa store --summary"
                )
            raise UsageError(
                f"{name} has scores of several kinds: {one_line(shown)}",
                hint="--model NAME chooses one; 'iqa store FILE --settings TEXT -o scores.csv' any",
            )
        records = [row.prediction for row in reader.rows(Wanted(scorer=ways[0].number))]
    if others:
        kept = sum(way.scored + way.failed for way in others)
        env.note(f"{name}: scores of mode {options.mode}; {kept:,} more are of {elsewhere}")
    if not records:
        raise UsageError(f"{name} knows no file of the pictures that it has scores of")
    return records


def _mode_of(way: ScorerSummary) -> str:
    """Which of the ways of looking: default, fast, ..."""
    return way.settings.split(" ")[0]


def _modes(modes: Sequence[str]) -> str:
    """ "mode fast (--fast)"."""
    return ", ".join(f"mode {mode}" + ("" if mode == "default" else f" (--{mode})") for mode in modes)


def _is_here(way: ScorerSummary) -> bool:
    """Whether the weight of that name here is the very one."""
    from iqa_cli.finding import find_weights
    from iqa_cli.scoring.hashing import sha256_of

    try:
        return sha256_of(find_weights(way.model)) == way.weight
    except (WeightsError, OSError):
        return False


def _card_of(records: list[Prediction], env: Environment) -> Card | None:
    """The card of the weight that has given the records, if it is here and still gives the same scores."""
    from iqa_cli.weights import find_several

    models = {record.model for record in records}
    if len(models) != 1 or not (model := models.pop()):
        return None
    try:
        ((_, card),) = find_several([model])
    except WeightsError:
        env.note(f"there is no weight '{printable(model)}' here, so that nothing is known of its training")
        return None
    import numpy as np

    known = [(r.raw, r.score) for r in records if r.raw is not None and r.score is not None]
    if known:
        raws, points = np.array(known).T
        if not np.allclose(card.calibration(raws), points, atol=_SAME):
            env.note(f"the weight '{printable(model)}' here is another one than that of these scores")
            return None
    return card
