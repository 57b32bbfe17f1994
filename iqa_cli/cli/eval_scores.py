"""The scores of all scorers of `iqa eval` on one part: weights and baselines look at its pictures, files are
joined to them by name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import Elsewhere, Lineup
from iqa_cli.cli.eval_tasks import Task, refused
from iqa_cli.cli.progress import counted
from iqa_cli.errors import ImageError, UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.datasets.record import ImageRecord
    from iqa_cli.evaluation.correlation import Floats
    from iqa_cli.evaluation.part import Column
    from iqa_cli.prediction import Prediction
    from iqa_cli.scoring.group import Labelled

#: `ScorerGroup.score_many` of all weights.
ScoreMany: TypeAlias = "Callable[[Iterable[Labelled]], Iterator[Prediction]]"
#: So many pictures without a score are named; the others are counted.
_NAMED = 5


def from_files(
    tasks: Sequence[Task], lineup: Lineup, allow_missing: bool, env: Environment
) -> list[dict[str, Floats]]:
    """The scores of all files, oriented: this costs little and is done before anything else is scored.

    Args:
        tasks: The parts.
        lineup: The scorers.
        allow_missing: Scores may be missing, also for all of a part but not for all of them.
        env: For notes on what is missing.

    Returns:
        [tasks] scorer -> [n] scores, NaN where its file has none.

    Raises:
        DatasetError: A file does not fit a part.
        ImageError: A file lacks scores, and `allow_missing` is not given.
    """
    import numpy as np

    from iqa_cli.evaluation.scorefile import NothingMatchedError, match

    found: list[dict[str, Floats]] = [{} for _ in tasks]
    for file in lineup.files:
        fits = 0
        for task, scores_of in zip(tasks, found, strict=True):
            names = set(task.part.names)
            others = [record.name for record in task.database.records if record.name not in names]
            try:
                scores = match(task.part, file.file, others)
                fits += 1
            except NothingMatchedError:
                if not allow_missing or (task is tasks[-1] and not fits):
                    raise
                scores = np.full(len(task.part), np.nan)
            lacking = np.flatnonzero(np.isnan(scores))
            if len(lacking) and not allow_missing:
                raise _lacks(task, file, [task.part.names[index] for index in lacking])
            scores_of[file.name] = -scores if file.lower_is_better else scores
            if len(lacking):
                env.note(f"{one_line(file.file.source)}: no score for {_of(len(lacking), task)}, left out")
    return found


@dataclass(frozen=True)
class Means:
    """What the weights score with: device, CPU threads, and the file that keeps their scores, if any."""

    device: str = "auto"
    threads: int | None = None
    store: str | None = None


def score_tasks(
    tasks: Sequence[Task],
    files: Sequence[dict[str, Floats]],
    lineup: Lineup,
    allow_missing: bool,
    means: Means,
    env: Environment,
) -> list[list[Column]]:
    """Score the pictures with weights and baselines; each is decoded once for all weights, and once for all
    baselines.

    Args:
        tasks: The pictures.
        files: As `from_files` gives them.
        lineup: All scorers.
        allow_missing: NaN for what cannot be scored, with a note, instead of the end of the run.
        means: What the weights score with.
        env: For progress and notes.

    Returns:
        [tasks] a column for each scorer, in the order of the lineup.

    Raises:
        ImageError: A picture cannot be scored, and `allow_missing` is not given; or none can.
        IqaError: A weight cannot be loaded, or the store not opened; or there is a store and no weight.
    """
    with _weights(lineup, means) as looking:
        return [
            _score(task, looking, lineup, of, allow_missing, env)
            for task, of in zip(tasks, files, strict=True)
        ]


@contextlib.contextmanager
def _weights(lineup: Lineup, means: Means) -> Iterator[ScoreMany | None]:
    """What scores pictures by all weights, and keeps it where a store is asked for; None without a weight."""
    if not lineup.weights:
        if means.store is not None:
            raise UsageError("--store keeps the scores of weights, and there is none")
        yield None
        return
    from iqa_cli.cli.run import opened_store
    from iqa_cli.scoring.scorer import load_many

    paths = [weight.path for weight in lineup.weights]
    with opened_store(means.store) as store:
        group = load_many(paths, device=means.device, threads=means.threads, lazy=store is not None)
        if store is None:
            yield group.score_many
            return
        from iqa_cli.scoring.storekey import keys_of

        yield partial(group.score_many, memory=store.memory(keys_of(group, paths)))


def _score(
    task: Task,
    looking: ScoreMany | None,
    lineup: Lineup,
    files: dict[str, Floats],
    allow_missing: bool,
    env: Environment,
) -> list[Column]:
    """A column for each scorer."""
    import numpy as np

    from iqa_cli.evaluation.part import Column

    scores = {name: np.full(len(task.records), np.nan) for name in lineup.names}
    scores.update(files)
    bounds = {
        weight.card.name: (np.full(len(task.records), np.nan), np.full(len(task.records), np.nan))
        for weight in lineup.weights
        if weight.card.interval is not None
    }
    failures = (
        _look(task, looking, lineup, scores, bounds, allow_missing, env) if lineup.need_pictures else {}
    )
    for name, reason in list(failures.items())[:_NAMED]:
        env.note(f"{one_line(name)}: left out: {reason}")
    if len(failures) > _NAMED:
        env.note(f"and {count(len(failures) - _NAMED, 'further picture')} left out")
    pictured = [scores[name] for name in lineup.names if name not in files]
    if pictured and not any(np.isfinite(column).any() for column in pictured):
        name, reason = next(iter(failures.items()))
        raise ImageError(f"{task.title}: no picture can be scored; the first: {one_line(name)}: {reason}")
    columns = [
        Column(name, scores[name], "weight", task.met.get(name), task.near.get(name), bounds.get(name))
        for name in (weight.card.name for weight in lineup.weights)
    ]
    for known in lineup.baselines:
        # What has learned nothing has met nothing; of the others it is not known.
        met = np.zeros(len(task.records), dtype=bool) if known.fitted is None else None
        columns.append(Column(known.name, scores[known.name], "baseline", met, met))
    return columns + [Column(file.name, scores[file.name], "file") for file in lineup.files]


def _look(
    task: Task,
    looking: ScoreMany | None,
    lineup: Lineup,
    scores: dict[str, Floats],
    bounds: dict[str, tuple[Floats, Floats]],
    allow_missing: bool,
    env: Environment,
) -> dict[str, str]:
    """Fill in the scores and the bounds of intervals; why there is none, by the name of the picture."""
    failures = dict(task.failures)
    with counted(env, len(task.records)) as advance:
        for index, (record, (found, reason, intervals)) in enumerate(
            zip(task.records, _judged(task.records, looking, lineup), strict=True)
        ):
            if reason is not None:
                if not allow_missing:
                    raise refused(record, reason)
                failures.setdefault(record.name, reason)
            for name, value in found.items():
                scores[name][index] = value
            for name, both in intervals.items():
                if both is not None:
                    bounds[name][0][index], bounds[name][1][index] = both
            advance()
    return failures


def _judged(
    records: Iterable[ImageRecord], looking: ScoreMany | None, lineup: Lineup
) -> Iterator[tuple[dict[str, float], str | None, Mapping[str, tuple[float, float] | None]]]:
    """Picture by picture the scores that there are, oriented, why one of them is not there, and the intervals
    of the weights."""
    records = list(records)
    if looking is None:
        for record in records:
            yield (*_baselines(record, lineup, {}, None), {})
        return
    predictions = looking((record.name, record.path) for record in records)
    for record, prediction in zip(records, predictions, strict=True):
        found = {name: value for name, value in prediction.scores.items() if value is not None}
        reason = next(iter(prediction.errors.values()), None)
        yield (*_baselines(record, lineup, found, reason), prediction.intervals)


def _baselines(
    record: ImageRecord, lineup: Lineup, found: dict[str, float], reason: str | None
) -> tuple[dict[str, float], str | None]:
    if not lineup.baselines:
        return found, reason
    from iqa_cli.baselines.picture import judge

    for known, said in zip(lineup.baselines, judge(record.path, lineup.baselines).values(), strict=True):
        if said.score is None:
            reason = reason or f"{known.name}: {said.error}"
        else:
            found[known.name] = known.oriented(said.score)
    return found, reason


def _of(number: int, task: Task) -> str:
    return f"{number:,} of {count(len(task.part), 'picture')} of {task.title}"


def _lacks(task: Task, file: Elsewhere, names: list[str]) -> ImageError:
    some = ", ".join(one_line(name) for name in names[:3])
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ImageError(
        f"{one_line(file.file.source)}: has no score for {_of(len(names), task)}: {some}{more}",
        hint="every picture of the part is needed; --allow-missing leaves them out and says so",
    )
