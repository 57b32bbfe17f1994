"""The page: head, headline figures by part, a section for each scorer, and what the words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from iqa_cli import __version__
from iqa_cli.evaluation.part import Result
from iqa_cli.report.fitted import view_of
from iqa_cli.report.markup import text
from iqa_cli.report.misses import Thumbnails, misses
from iqa_cli.report.rows import headline, taken_apart
from iqa_cli.report.scatter import charts

#: Dots of a chart, and of all charts of a page; thumbnails likewise.
_DOTS, _ALL_DOTS, _FEWEST_DOTS = 4000, 40_000, 500
_MISSES, _ALL_MISSES, _FEWEST_MISSES = 12, 240, 3

_WORDS = """<section aria-labelledby="words"><h2 id="words">What the words mean</h2><dl>
<dt>SRCC, KRCC</dt><dd>Spearman's and Kendall's (tau-b) rank correlation of scores with opinions. Signs are
kept: scores are turned so that higher is better, and a negative figure is a scorer that errs.</dd>
<dt>PLCC</dt><dd>Pearson's correlation of the scores as they are; <i>fitted</i>: after the 4-parameter
logistic, which was fitted to these very pictures.</dd>
<dt>RMSE</dt><dd>Root mean square of the residuals after the logistic, in points of the opinion scale 0 to
100.</dd>
<dt>Outliers</dt><dd>Share of the pictures that the logistic misses by more than twice the standard deviation
of their opinions; only where the database has it.</dd>
<dt>Interval</dt><dd>{intervals}</dd>
<dt>Met in training</dt><dd>Pictures of the part that the weight was trained on, by the hash of their pixels:
figures on them flatter.</dd>
</dl></section>
"""


def page(
    results: Sequence[Result], *, best: Mapping[tuple[str, str], set[str]] | None = None, command: str = ""
) -> str:
    """The whole page; the same results give the same page.

    Args:
        results: One for each scorer and part, in the order in which they are shown.
        best: (dataset, name) of a part -> scorers whose SRCC is printed bold; see
            `iqa_cli.evaluation.significance.winners`. None prints nothing bold.
        command: What gives the figures again; empty for none.

    Returns:
        HTML.
    """
    share = max(1, len(results))
    dots = min(_DOTS, max(_FEWEST_DOTS, _ALL_DOTS // share))
    limit = min(_MISSES, max(_FEWEST_MISSES, _ALL_MISSES // share))
    thumbnails = Thumbnails()
    parts = [
        list(group) for _, group in groupby(enumerate(_by_part(results)), key=lambda pair: _part(pair[1]))
    ]
    sections = []
    for number, entries in enumerate(parts):
        part = entries[0][1].part
        name = f"{text(part.dataset)}, part {text(part.name)}"
        bold = None if best is None else best.get((part.dataset, part.name))
        caption = (
            f"{len(part):,} pictures; part hash {text(part.split_hash)}. Below a figure its 95 % interval."
            f"{_bold_note(bold)}"
        )
        of_part = [result for _, result in entries]
        anchors = [f"r{place}" for place, _ in entries]
        sections.append(
            f'<section aria-labelledby="p{number}"><h2 id="p{number}">{name}</h2>\n'
            f"{headline(of_part, anchors, caption, bold)}"
        )
        for anchor, result in zip(anchors, of_part, strict=True):
            sections.append(_section(result, anchor, name, thumbnails, dots=dots, limit=limit))
        sections.append("</section>\n")
    return _document(results, "".join(sections), len(parts), command)


def _section(result: Result, anchor: str, part: str, thumbnails: Thumbnails, *, dots: int, limit: int) -> str:
    view = view_of(result)
    whole = result.measured.whole
    pieces = [
        f'<article aria-labelledby="{anchor}"><h3 id="{anchor}">{text(result.column.scorer)}'
        f" <small>on {part}</small></h3>\n"
    ]
    if whole.why_not is not None:
        pieces.append(f'<p class="warning">No figures: {text(whole.why_not)}.</p>')
    if whole.n_used < whole.n_total:
        left = whole.n_total - whole.n_used
        pieces.append(
            f'<p class="warning">{left:,} of {whole.n_total:,} pictures have no score: they are in no figure.'
            "</p>"
        )
    if whole.seen:
        pieces.append(
            f'<p class="warning">{whole.seen:,} of {whole.n_used:,} pictures were met in training: '
            "these figures flatter.</p>"
        )
    pieces.append(charts(result, view, anchor, dots=dots, misses=limit))
    pieces.append(taken_apart(result.measured))
    pieces.append(misses(result, view, thumbnails, limit=limit))
    return "".join([*pieces, "</article>\n"])


def _document(results: Sequence[Result], sections: str, parts: int, command: str) -> str:
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    scorers = len({result.column.scorer for result in results})
    databases = ", ".join(dict.fromkeys(result.part.dataset for result in results))
    told = f'<p class="command"><code>{text(command)}</code></p>' if command else ""
    summary = f"{_count(scorers, 'scorer')} on {_count(parts, 'part')} of databases; iqa {__version__}."
    # Nothing is loaded and nothing runs, whatever a name may hold.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>Evaluation: {text(databases)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">To the figures</a>\n'
        f"<header><h1>Quality scores against human opinion</h1><p>{summary}</p>{told}</header>\n"
        f'<main id="main">\n{sections}{_WORDS.format(intervals=_interval_words(results))}</main>\n'
        "</body>\n</html>\n"
    )


def _interval_words(results: Sequence[Result]) -> str:
    methods = {result.measured.whole.interval_method for result in results}
    how = []
    if "bootstrap" in methods:
        how.append("bootstrap of groups of pictures that belong together (not of single pictures)")
    if "analytic" in methods:
        how.append("for very many pictures from the influence of each, summed over the same groups")
    if not how:
        return "None: an interval needs at least two groups of pictures, and a figure."
    return f"95 %, by {'; '.join(how)}."


def _by_part(results: Sequence[Result]) -> list[Result]:
    """The results, those of a part together, otherwise in their order."""
    order: dict[tuple[str, str, str], int] = {}
    for result in results:
        order.setdefault(_part(result), len(order))
    return sorted(results, key=lambda result: order[_part(result)])


def _part(result: Result) -> tuple[str, str, str]:
    return result.part.dataset, result.part.name, result.part.split_hash


def _bold_note(bold: set[str] | None) -> str:
    if bold is None:
        return ""
    if not bold:
        return " No scorer is significantly better than another."
    return " Bold: not significantly worse than the best, and some other is."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
