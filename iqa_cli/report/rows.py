"""Tables of a report: the headline figures of all scorers on a part, and a scorer's figures taken apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from iqa_cli.evaluation.measure import Figures, Measured
from iqa_cli.evaluation.part import Result
from iqa_cli.report.chart import bar, lowest
from iqa_cli.report.markup import Heading, figure, number, table, text

#: More rows of a kind than these are not read: those with the lowest SRCC stand for all.
MAX_ROWS = 60
#: What a kind is called, in the order in which they are shown.
TITLES = {
    "distortion": ("Per distortion", "Distortion"),
    "level": ("Per level", "Level"),
    "subset": ("Per subset", "Subset"),
    "ref": ("Per reference", "Reference"),
}


def headline(
    results: Sequence[Result], anchors: Sequence[str], caption: str, bold: Mapping[str, Collection[str]]
) -> str:
    """The figures of all scorers on one part, one row a scorer.

    Args:
        results: Of the same part.
        anchors: Ids of their sections.
        caption: HTML.
        bold: Figure -> scorers of which it is bold.
    """
    wholes = [result.measured.whole for result in results]
    low = lowest(_shown(wholes))
    outliers = any(whole.outlier_ratio is not None for whole in wholes)
    columns = [
        Heading("Scorer", "name"),
        Heading("Pictures"),
        Heading("SRCC"),
        Heading(f"SRCC from {low:g} to 1", "wide"),
        Heading("KRCC"),
        Heading("PLCC"),
        Heading("PLCC, fitted"),
        Heading("RMSE, points"),
        *([Heading("Outliers")] if outliers else []),
        Heading("Met in training"),
    ]
    rows = []
    for result, anchor, whole in zip(results, anchors, wholes, strict=True):
        bolds = {what for what, names in bold.items() if result.column.scorer in names}
        kind = {"weight": "", "baseline": " <small>baseline</small>", "file": " <small>from a file</small>"}
        rows.append(
            [
                f'<a href="#{anchor}">{text(result.column.scorer)}</a>{kind[result.column.kind]}',
                _counted(whole),
                figure(whole.srcc, whole.srcc_ci, 4, 3, bold="srcc" in bolds),
                _drawn(whole, low),
                figure(whole.krcc, whole.krcc_ci, 4, 3),
                figure(whole.plcc, whole.plcc_ci, 4, 3),
                figure(whole.plcc_fitted, whole.plcc_fitted_ci, 4, 3, bold="plcc_fitted" in bolds),
                figure(whole.rmse, whole.rmse_ci, 2, 2),
                *([number(whole.outlier_ratio, 3)] if outliers else []),
                _met(whole),
            ]
        )
    return table(caption, columns, rows, "headline")


def taken_apart(measured: Measured) -> str:
    """Bars of the SRCC for each kind that a part can be taken apart by, where there is any."""
    pieces = []
    for kind, (title, head) in TITLES.items():
        if any(row.srcc is not None for row in measured.rows.get(kind, ())):
            pieces.append(_kind(title, head, measured.rows[kind]))
        elif kind in measured.left_out:
            pieces.append(
                f'<p class="note">{title}: {measured.left_out[kind]:,} values are too many for rows.</p>'
            )
    return "".join(pieces)


def _kind(title: str, head: str, rows: Sequence[Figures]) -> str:
    few, caption = rows, title
    if len(rows) > MAX_ROWS:
        defined = [row for row in rows if row.srcc is not None]
        few = sorted(defined, key=lambda row: row.srcc or 0.0)[:MAX_ROWS]
        caption = f"{title}: the {len(few)} lowest of {len(rows):,}"
    low = lowest(_shown(few))
    columns = [
        Heading(head, "name"),
        Heading("Pictures"),
        Heading("SRCC"),
        Heading(f"SRCC from {low:g} to 1", "wide"),
        Heading("RMSE, points"),
    ]
    cells = []
    for row in few:
        cells.append(
            [
                text(row.row),
                _counted(row),
                figure(row.srcc, row.srcc_ci, 4, 3),
                _drawn(row, low),
                figure(row.rmse, row.rmse_ci, 2, 2),
            ]
        )
    return table(caption, columns, cells, "apart")


def _shown(rows: Sequence[Figures]) -> list[float]:
    return [
        value for row in rows if row.srcc is not None for value in (row.srcc, *(row.srcc_ci or (row.srcc,)))
    ]


def _drawn(row: Figures, low: float) -> str:
    if row.why_not is not None:
        return f"<small>{text(row.why_not)}</small>"
    return bar(row.srcc, row.srcc_ci, low, 1.0)


def _counted(row: Figures) -> str:
    return f"{row.n_used:,} of {row.n_total:,}" if row.n_used < row.n_total else f"{row.n_used:,}"


def _met(whole: Figures) -> str:
    if whole.seen is None:
        return "not known"
    met = f"<strong>{whole.seen:,}</strong>" if whole.seen else "0"
    return f"{met}<small>{whole.seen_near:,} more resemble</small>" if whole.seen_near else met
