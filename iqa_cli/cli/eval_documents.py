"""The figures of `iqa eval` for programs: JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.eval_columns import csv_text
from iqa_cli.cli.eval_result import Evaluation, comparisons

if TYPE_CHECKING:
    from iqa_cli.cli.eval_tasks import Task
    from iqa_cli.evaluation.measure import Figures
    from iqa_cli.evaluation.part import Result

_WITH_BOUNDS = ("srcc", "krcc", "plcc", "plcc_fitted", "rmse", "covered")
_HEAD = ("model", "trained_on", "dataset", "split", "kind", "row", "n_used", "n_total", "n_groups")
_TAIL = ("outlier_ratio", "fit_converged", "interval_method", "seen", "seen_near", "width")


def as_json(found: Evaluation, heads: str) -> str:
    """One scorer on one part is one object: what was measured, its figures, and a list "subsets" (or
    "distortions", "levels", "refs") of objects with the same figures. Several are a list "results" of these
    objects, with "best" (the names that a table has bold) and "comparisons" (every pair of scorers;
    one that has met pictures of the part in training is told and not compared).

    Args:
        found: The figures; those that are not defined are null.
        heads: What the scorer is called where there is only one.
    """
    objects = [_object(found, task, result) for task, result in found.cells()]
    document: dict[str, Any]
    if found.is_single:
        document = {**objects[0], "model": heads}
    else:
        best = [
            {
                "dataset": task.part.dataset,
                "split": task.part.name,
                **{
                    what: [name for name in found.names if name in names] for what, names in by_figure.items()
                },
            }
            for task, by_figure in zip(found.tasks, found.best, strict=True)
        ]
        document = {"results": objects, "best": best, "comparisons": comparisons(found)}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def as_csv(found: Evaluation, heads: str) -> str:
    """A row for each scorer, part and row; intervals are two columns. Cells of what is not defined are
    empty."""
    keys = list(_HEAD)
    for name in _WITH_BOUNDS:
        keys += [name, f"{name}_low", f"{name}_high"]
    rows = []
    for task, result in found.cells():
        name = heads if found.is_single else result.column.scorer
        head = (name, found.trained_on[result.column.scorer], task.part.dataset, task.part.name)
        for kind, row in _rows(found, result):
            cells: list[object] = [*head, kind, row.row, row.n_used, row.n_total, row.n_groups]
            for figure in _WITH_BOUNDS:
                cells += [getattr(row, figure), *(getattr(row, f"{figure}_ci") or (None, None))]
            rows.append([*cells, *(getattr(row, key) for key in _TAIL)])
    return csv_text([*keys, *_TAIL], rows)


def _object(found: Evaluation, task: Task, result: Result) -> dict[str, Any]:
    lists: dict[str, list[dict[str, Any]]] = {f"{kind}s": [] for kind in found.by}
    for kind, row in _rows(found, result):
        if kind:
            lists[f"{kind}s"].append({kind: row.row, **_values(row)})
    return {
        "model": result.column.scorer,
        "kind": result.column.kind,
        "trained_on": found.trained_on[result.column.scorer] or None,
        "dataset": task.part.dataset,
        "split": task.part.name,
        "split_hash": task.part.split_hash,
        "dropped": task.dropped,
        "subset": "all",
        **_values(result.measured.whole),
        **lists,
    }


def _values(row: Figures) -> dict[str, Any]:
    values = asdict(row)
    del values["row"], values["why_not"]
    return values


def _rows(found: Evaluation, result: Result) -> Iterator[tuple[str, Figures]]:
    """(kind, row), the kind of the whole part being ""."""
    yield "", result.measured.whole
    for kind in found.by:
        for row in result.measured.rows.get(kind, ()):
            yield kind, row
