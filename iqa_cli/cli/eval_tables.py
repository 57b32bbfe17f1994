"""The tables of `iqa eval`: one scorer on one part with rows of what the part can be taken apart by; several
scorers, or several parts, a row each; or scorers against databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from iqa_cli.cli.eval_columns import interval, number
from iqa_cli.cli.eval_layout import Block
from iqa_cli.cli.eval_result import ALPHA, RESAMPLES, Evaluation
from iqa_cli.text import count

if TYPE_CHECKING:
    from iqa_cli.evaluation.measure import Figures

#: Behind the name of what was met in training.
MET = "!"
_CI = "95 % interval"
#: Heading, field and decimals of each figure.
_FIGURES = (
    ("SRCC", "srcc", 4),
    ("KRCC", "krcc", 4),
    ("PLCC", "plcc", 4),
    ("fitted", "plcc_fitted", 4),
    ("RMSE", "rmse", 2),
)
#: Where any row has them: field -> heading and decimals.
_FURTHER = {"outlier_ratio": ("outliers", 3), "covered": ("covered", 3), "width": ("width", 1)}
_TITLES = {"srcc": "SRCC", "plcc_fitted": "PLCC after the fitted logistic"}


def blocks(found: Evaluation, heads: str) -> list[Block]:
    """All tables of an evaluation.

    Args:
        found: The figures.
        heads: What the scorer is called where there is only one: as it was asked for.
    """
    if found.is_single:
        return [_single(found, heads)]
    if len(found.tasks) > 1 and len(found.names) > 1:
        made = [_matrix(found, what, title) for what, title in _TITLES.items()]
        made[-1].notes += [*_met_notes(found), *_parts(found), *_footnotes(found)]
    else:
        made = [_figures(found, heads)]
    return made + list(_rows(found))


def _single(found: Evaluation, heads: str) -> Block:
    ((task, result),) = found.cells()
    whole = result.measured.whole
    rows = [whole]
    for kind in found.by:
        rows += result.measured.rows.get(kind, ())
    further = _further(rows)
    labels = {id(row): f"level {row.row}" for row in result.measured.rows.get("level", ())}
    cells = [("", *_header(further))]
    cells += [(_marked(labels.get(id(row), row.row), row), *_row(row, further)) for row in rows]
    notes = list(_met_notes(found))
    if found.tasks[0].dropped:
        notes += _parts(found)
    others = [
        f"{title} {interval(getattr(whole, f'{name}_ci'), places)}"
        for title, name, places in _FIGURES[1:]
        if getattr(whole, f"{name}_ci") is not None
    ]
    notes += _covered(found)
    if others:
        own = "" if whole.rmse_ci is None else "; RMSE by chi-square"
        notes.append(f"95 % intervals ({_method(whole)}{own}): {', '.join(others)}")
    return Block(f"{heads} on {task.title}", cells, notes)


def _figures(found: Evaluation, heads: str) -> Block:
    """Several scorers on one part, or one on several parts: a row each, with all figures."""
    several = len(found.names) > 1
    every = list(found.cells())
    further = _further([result.measured.whole for _, result in every])
    trained = several and any(found.trained_on.values())
    cells = [("", *(("trained on",) if trained else ()), *_header(further))]
    bold = set()
    for y, (task, result) in enumerate(every, 1):
        whole, name = result.measured.whole, result.column.scorer
        label = _marked(name if several else task.title, whole)
        origin = (found.trained_on[name] or "-",) if trained else ()
        cells.append((label, *origin, *_row(whole, further)))
        best = found.best[found.tasks.index(task)]
        heading = {"srcc": "SRCC", "plcc_fitted": "fitted"}
        bold |= {(y, cells[0].index(heading[what])) for what, names in best.items() if name in names}
    if several:
        title = f"{count(len(found.names), 'scorer')} on {found.tasks[0].title}"
    else:
        learned = found.trained_on[found.names[0]]
        title = f"{heads}{f', trained on {learned},' if learned else ''} on {len(found.tasks)} databases"
    notes = [*_met_notes(found), *_parts(found), *_footnotes(found)]
    return Block(title, cells, notes, bold, left=2 if trained else 1)


def _matrix(found: Evaluation, what: str, title: str) -> Block:
    """Scorers by what they were trained on, against the databases tested."""
    incomplete = any(r.measured.whole.n_used < r.measured.whole.n_total for _, r in found.cells())
    trained = any(found.trained_on.values())
    header = ["", *(["trained on"] if trained else [])]
    for task in found.tasks:
        header += [f"{task.part.dataset} {task.part.name}", _CI, *(["n"] if incomplete else []), "seen"]
    cells = [tuple(header)]
    bold = set()
    for x, name in enumerate(found.names):
        row = [name, *([found.trained_on[name] or "-"] if trained else [])]
        for index, results in enumerate(found.results):
            whole = results[x].measured.whole
            if name in found.best[index][what]:
                bold.add((x + 1, len(row)))
            row += [
                number(getattr(whole, what), 4),
                interval(getattr(whole, f"{what}_ci"), 3),
                *([f"{whole.n_used:,}"] if incomplete else []),
                "-" if whole.seen is None else f"{whole.seen:,}{MET if whole.seen else ''}",
            ]
        cells.append(tuple(row))
    title = f"{title}, a row for each scorer and a column for each database tested"
    return Block(title, cells, [], bold, left=2 if trained else 1)


def _rows(found: Evaluation) -> Iterator[Block]:
    """By kind the SRCC of all scorers, or of one on several parts."""
    for task, results in zip(found.tasks, found.results, strict=True):
        for kind in found.by:
            tables = [result.measured.rows.get(kind) for result in results]
            first = tables[0]
            if first is None:
                continue
            marks = any(row.seen for table in tables for row in table or ())
            cells = [(kind, "n", *(result.column.scorer for result in results))]
            for y, row in enumerate(first):
                values = [table[y] for table in tables if table is not None]
                said = [number(value.srcc, 4) + (_mark(value) if marks else "") for value in values]
                cells.append((row.row, f"{row.n_total:,}", *said))
            yield Block(f"SRCC by {kind}, {task.title}", cells)


def _further(rows: Sequence[Figures]) -> list[str]:
    """Which of `_FURTHER` a table has."""
    return [name for name in _FURTHER if any(getattr(row, name) is not None for row in rows)]


def _header(further: Sequence[str]) -> tuple[str, ...]:
    headings = (_FURTHER[name][0] for name in further)
    return ("n", "SRCC", _CI, "KRCC", "PLCC", "fitted", "RMSE", *headings, "seen")


def _row(row: Figures, further: Sequence[str]) -> tuple[str, ...]:
    cells = [f"{row.n_used:,} of {row.n_total:,}"]
    for _, name, places in _FIGURES:
        cells.append(number(getattr(row, name), places))
        if name == "srcc":
            cells.append(interval(row.srcc_ci, 3))
    cells += [number(getattr(row, name), _FURTHER[name][1]) for name in further]
    return (*cells, "-" if row.seen is None else f"{row.seen:,}")


def _mark(row: Figures) -> str:
    return MET if row.seen else " "


def _marked(name: str, row: Figures) -> str:
    return f"{name} {MET}" if row.seen else name


def _met_notes(found: Evaluation) -> Iterator[str]:
    for task, result in found.cells():
        whole = result.measured.whole
        if whole.seen:
            where = "" if found.is_single else f"{result.column.scorer} on {task.title}: "
            of = f"{whole.seen:,} of {count(whole.n_used, 'picture')} were met in training"
            yield f"{MET} {where}{of}: these figures flatter"


def _parts(found: Evaluation) -> list[str]:
    """How large the parts are."""
    lines = []
    for task, results in zip(found.tasks, found.results, strict=True):
        groups = max(result.measured.whole.n_groups for result in results)
        dropped = f"; {task.dropped:,} met in training were left out" if task.dropped else ""
        lines.append(f"{task.title}: {count(len(task.part), 'picture')}, {count(groups, 'group')}{dropped}")
    return lines


def _footnotes(found: Evaluation) -> Iterator[str]:
    """How the intervals were made, and what bold means."""
    yield from _covered(found)
    methods = list(dict.fromkeys(_method(r.measured.whole) for _, r in found.cells()))
    if any(methods):
        yield f"95 % intervals: {' or '.join(filter(None, methods))}"
    if len(found.names) < 2:
        return
    from iqa_cli.evaluation.bootstrap import method_for

    sizes = [found.common(index) for index in range(len(found.tasks))]
    if not any(sizes):
        yield "nothing is bold: fewer than two scorers have met none of the pictures in training"
        return
    if any(names for best in found.best for names in best.values()):
        yield "bold or *: the best SRCC and fitted PLCC, and those not significantly worse"
    else:
        yield "nothing is bold: no scorer is significantly worse than the best"
    on = " and ".join(f"{n:,}" for n in sizes if n)
    test = {
        "bootstrap": f"paired bootstrap of whole groups, {RESAMPLES:,} resamples",
        "analytic": "Student's test of the difference, by groups",
    }
    tests = dict.fromkeys(test[method_for(n)] for n in sizes if n)
    yield f"tests on the {on} pictures that all have scored: {' or '.join(tests)};"
    each = "" if len(found.tasks) == 1 else ", each database by itself"
    yield (
        "and that of Meng, Rosenthal and Rubin (1992): both find "
        f"p < {ALPHA:g} after Holm's correction over all pairs of scorers{each}"
    )
    if any(r.column.met is not None and r.column.met.any() for _, r in found.cells()):
        yield "a scorer that has met pictures of a database in training (!) is not compared on it"


def _covered(found: Evaluation) -> Iterator[str]:
    """What covered is, where a weight gives intervals, and how sure it is."""
    for task, result in found.cells():
        whole = result.measured.whole
        if whole.covered is not None:
            where = "" if found.is_single else f"{result.column.scorer} on {task.title}: "
            share = f"{where}covered: share of the opinions within the intervals of the scores"
            yield f"{share}, 95 % interval {interval(whole.covered_ci, 3)}; width: their mean, in points"


def _method(row: Figures) -> str:
    return {
        "bootstrap": f"bootstrap of whole groups, {RESAMPLES:,} resamples",
        "analytic": "analytic, by groups",
        None: "",
    }[row.interval_method]
