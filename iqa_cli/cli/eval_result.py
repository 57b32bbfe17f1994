"""All figures of a run of `iqa eval`: every scorer on every part, and which of them deserve to be bold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.eval_lineup import Lineup
from iqa_cli.cli.eval_tasks import Task
from iqa_cli.text import count

if TYPE_CHECKING:
    from iqa_cli.cli.context import Environment
    from iqa_cli.evaluation.measure import Figures
    from iqa_cli.evaluation.part import Column, Result
    from iqa_cli.evaluation.significance import Contest

RESAMPLES = 2000
ALPHA = 0.05
#: What is compared between scorers, and printed bold.
COMPARED = ("srcc", "plcc_fitted")
#: So many rows of a scorer are explained; the others are counted.
_TOLD = 5


@dataclass(frozen=True)
class Evaluation:
    """What is printed.

    Attributes:
        tasks: The parts.
        results: [tasks][scorers] in the order of `names`.
        names: The scorers.
        trained_on: Scorer -> what it has learned from; "" where that is not known.
        by: Kinds of rows that are shown.
        contests: [tasks] figure of `COMPARED` -> which scorers are bold, and how they compare.
    """

    tasks: Sequence[Task]
    results: Sequence[Sequence[Result]]
    names: Sequence[str]
    trained_on: Mapping[str, str]
    by: Sequence[str]
    contests: Sequence[Mapping[str, Contest]] = field(default_factory=list)

    @property
    def is_single(self) -> bool:
        """One scorer on one part."""
        return len(self.tasks) == len(self.names) == 1

    @property
    def best(self) -> list[dict[str, set[str]]]:
        """[tasks] figure of `COMPARED` -> the scorers that are bold."""
        return [{what: made.winners for what, made in by_figure.items()} for by_figure in self.contests]

    def cells(self) -> Iterator[tuple[Task, Result]]:
        """Part by part, scorer by scorer."""
        for task, row in zip(self.tasks, self.results, strict=True):
            for result in row:
                yield task, result

    def common(self, index: int) -> int:
        """Pictures on which the scorers of a part are compared; 0 where fewer than two compete."""
        import numpy as np

        from iqa_cli.evaluation.significance import competes

        competing = [r.column for r in self.results[index] if competes(r.column)]
        if len(competing) < 2:
            return 0
        return int(np.all([np.isfinite(column.scores) for column in competing], axis=0).sum())


def evaluate_columns(
    tasks: Sequence[Task],
    columns: Sequence[Sequence[Column]],
    lineup: Lineup,
    by: Sequence[str],
    *,
    further: Sequence[str] = (),
) -> Evaluation:
    """All figures.

    Args:
        tasks: The parts.
        columns: [tasks][scorers].
        lineup: The scorers.
        by: Kinds of rows to show.
        further: Kinds that are measured as well.
    """
    from iqa_cli.evaluation.measure import measure
    from iqa_cli.evaluation.part import KINDS, Result
    from iqa_cli.evaluation.significance import contest

    kinds = [kind for kind in KINDS if kind in by or kind in further]
    results = [
        [
            Result(
                task.part,
                column,
                measure(task.part, column, resamples=RESAMPLES, by=kinds),
                [record.path for record in task.records],
            )
            for column in row
        ]
        for task, row in zip(tasks, columns, strict=True)
    ]
    contests = [
        {what: contest(task.part, row, what=what, alpha=ALPHA, resamples=RESAMPLES) for what in COMPARED}
        for task, row in zip(tasks, columns, strict=True)
    ]
    return Evaluation(tasks, results, lineup.names, lineup.trained_on(), by, contests)


def comparisons(found: Evaluation) -> list[dict[str, Any]]:
    """Every pair of scorers on every part, as plain values."""
    return [
        {"dataset": task.part.dataset, "split": task.part.name, **asdict(pair)}
        for task, by_figure in zip(found.tasks, found.contests, strict=True)
        for made in by_figure.values()
        for pair in made.comparisons
    ]


def tell(found: Evaluation, env: Environment) -> None:
    """What a person should know beside the tables."""
    for task, result in found.cells():
        where = "" if found.is_single else f"{result.column.scorer} on {task.title}, "
        measured = result.measured
        reasons = [(row.row, why) for row in _shown(found, result) if (why := _why_not(row)) is not None]
        for row, why in reasons[:_TOLD]:
            env.note(f"{where}{row}: {why}")
        if len(reasons) > _TOLD:
            env.note(
                f"{where}and {count(len(reasons) - _TOLD, 'further row')} with figures that are not defined"
            )
        if near := measured.whole.seen_near:
            resemble = "resembles" if near == 1 else "resemble"
            env.note(
                f"{where}{count(near, 'further picture')} {resemble} one met in training (perceptual hash)"
            )
    for task, row_of in zip(found.tasks, found.results, strict=True):
        for kind in found.by:
            if (values := row_of[0].measured.left_out.get(kind)) is not None:
                env.note(f"{task.title}: {values:,} values of {kind} are too many for rows")


def tell_kinds(tasks: Sequence[Task], by: Sequence[str], env: Environment) -> None:
    """Which rows were asked for and will not be there."""
    for task in tasks:
        for kind in by:
            values = set(task.part.kinds.get(kind, ())) - {None}
            if len(values) < 2:
                known = f"one {kind} only" if values else f"no {kind} of any picture"
                env.note(f"--by {kind}: {task.title} knows {known}, so there are no rows of it")


def _why_not(row: Figures) -> str | None:
    if row.why_not is None and row.fit_converged is False:
        return "the logistic fit did not converge, so nothing is said after it"
    return row.why_not


def _shown(found: Evaluation, result: Result) -> Iterator[Figures]:
    yield result.measured.whole
    for kind in found.by:
        yield from result.measured.rows.get(kind, ())
