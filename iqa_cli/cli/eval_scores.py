"""The scores of all scorers of `iqa eval` on one part: weights and baselines look at its pictures, files are
joined to them by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import Elsewhere, Lineup
from iqa_cli.cli.eval_tasks import Task, refused
from iqa_cli.cli.progress import counted
from iqa_cli.errors import ImageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.datasets.record import ImageRecord
    from iqa_cli.evaluation.correlation import Floats
    from iqa_cli.evaluation.part import Column
    from iqa_cli.scoring.group import ScorerGroup

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


def score(
    task: Task,
    group: ScorerGroup | None,
    lineup: Lineup,
    files: dict[str, Floats],
    allow_missing: bool,
    env: Environment,
) -> list[Column]:
    """Score the pictures with weights and baselines; each is decoded once for all weights, and once for all
    baselines.

    Args:
        task: The pictures.
        group: The weights; None without any.
        lineup: All scorers.
        files: As `from_files` gives them.
        allow_missing: NaN for what cannot be scored, with a note, instead of the end of the run.
        env: For progress and notes.

    Returns:
        A column for each scorer, in the order of the lineup.

    Raises:
        ImageError: A picture cannot be scored, and `allow_missing` is not given; or none can.
    """
    import numpy as np

    from iqa_cli.evaluation.part import Column

    scores = {name: np.full(len(task.records), np.nan) for name in lineup.names}
    scores.update(files)
    bounds = {
        weight.card.name: (np.full(len(task.records), np.nan), np.full(len(task.records), np.nan))
        for weight in lineup.weights
        if weight.card.interval is not None
    }
    failures = _look(task, group, lineup, scores, bounds, allow_missing, env) if lineup.need_pictures else {}
    for name, reason in list(failures.items())[:_NAMED]:
        env.note(f"{one_line(name)}: left out: {reason}")
    if len(failures) > _NAMED:
        env.note(f"and {count(len(failures) - _NAMED, 'further picture')} left out")
    looking = [scores[name] for name in lineup.names if name not in files]
    if looking and not any(np.isfinite(column).any() for column in looking):
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
    group: ScorerGroup | None,
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
            zip(task.records, _judged(task.records, group, lineup), strict=True)
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
    records: Iterable[ImageRecord], group: ScorerGroup | None, lineup: Lineup
) -> Iterator[tuple[dict[str, float], str | None, Mapping[str, tuple[float, float] | None]]]:
    """Picture by picture the scores that there are, oriented, why one of them is not there, and the intervals
    of the weights."""
    records = list(records)
    if group is None:
        for record in records:
            yield (*_baselines(record, lineup, {}, None), {})
        return
    predictions = group.score_many((record.name, record.path) for record in records)
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
