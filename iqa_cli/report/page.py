"""The page: head, headline figures by part, a section for each scorer, and what the words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iqa_cli import __version__
from iqa_cli.evaluation.bootstrap import MIN_GROUPS
from iqa_cli.evaluation.part import Result
from iqa_cli.report.fitted import view_of
from iqa_cli.report.frame import document, section
from iqa_cli.report.markup import text
from iqa_cli.report.misses import Thumbnails, misses
from iqa_cli.report.rows import headline, taken_apart
from iqa_cli.report.scatter import charts
from iqa_cli.text import count

#: Dots of a chart, and of all charts of a page; thumbnails likewise.
_DOTS, _ALL_DOTS, _FEWEST_DOTS = 4000, 40_000, 500
_MISSES, _ALL_MISSES, _FEWEST_MISSES = 12, 240, 3

_WORDS = """<section aria-labelledby="words"><h2 id="words">What the words mean</h2><dl>
<dt>SRCC, KRCC</dt><dd>Spearman's and Kendall's (tau-b) rank correlation of scores with opinions. Signs are
kept: scores are turned so that higher is better, and a negative figure is a scorer that errs.</dd>
<dt>PLCC</dt><dd>Pearson's correlation of the scores as they are; <i>fitted</i>: after the 4-parameter
logistic, which was fitted to these very pictures.</dd>
<dt>RMSE</dt><dd>Root mean square of the residuals after the logistic, in points of the opinion scale 0 to
100. It and the fitted PLCC are "-" where the fit did not converge, or there are too few pictures.</dd>
<dt>Outliers</dt><dd>Share of the pictures that the logistic misses by more than twice the standard deviation
of their opinions; only where the database has it.</dd>
<dt>Interval</dt><dd>{intervals}</dd>
<dt>Met in training</dt><dd>Pictures of the part that a weight was trained on, by the hash of their pixels:
figures on them flatter.</dd>
{bold}</dl></section>
"""
_BOLD = """<dt>Bold</dt><dd>The best of the SRCC or fitted PLCC of a part, and those not significantly worse;
nothing where no scorer is. By paired bootstrap and the test of Meng, Rosenthal and Rubin, after Holm's
correction, on the pictures that all have scored. A scorer that has met pictures of the part does not
compete.</dd>
"""


def page(results: Sequence[Result], *, best: Sequence[Mapping[str, set[str]]] = (), command: str = "") -> str:
    """The whole page; the same results give the same page.

    Args:
        results: One for each scorer and part, in the order in which they are shown; those of one part share
            its `Part`.
        best: [parts] in the order of their first results, figure ("srcc", "plcc_fitted") -> scorers that are
            printed bold; see `iqa_cli.evaluation.significance.contest`. Empty prints nothing bold.
        command: What gives the figures again; empty for none.

    Returns:
        HTML.

    Raises:
        ValueError: `best` is not empty, and has not an entry for each part.
    """
    share = max(1, len(results))
    dots = min(_DOTS, max(_FEWEST_DOTS, _ALL_DOTS // share))
    limit = min(_MISSES, max(_FEWEST_MISSES, _ALL_MISSES // share))
    thumbnails = Thumbnails()
    parts = _parts(results)
    if best and len(best) != len(parts):
        raise ValueError(f"bold scorers of {len(best)} parts for {len(parts)}")
    heads, sections = [], []
    for place, of_part in enumerate(parts):
        part, bold = of_part[0].part, best[place] if best else {}
        name = f"{text(part.dataset)}, part {text(part.name)}"
        anchors = [f"p{place}s{number}" for number in range(len(of_part))]
        caption = (
            f"<b>{name}</b>: {count(len(part), 'picture')}, part hash {text(part.split_hash)}. "
            "Below a figure its 95 % interval."
        )
        heads.append(headline(of_part, anchors, caption, bold))
        details = [
            _article(result, anchor, thumbnails, dots=dots, limit=limit)
            for anchor, result in zip(anchors, of_part, strict=True)
        ]
        sections.append(section(f"p{place}", name, details))
    first = section("figures", "Figures", heads)
    words = _WORDS.format(intervals=_interval_words(results), bold=_BOLD if best else "")
    return _document(results, f"{first}{''.join(sections)}{words}", len(parts), command)


def _article(result: Result, anchor: str, thumbnails: Thumbnails, *, dots: int, limit: int) -> str:
    view = view_of(result)
    whole = result.measured.whole
    pieces = [f'<article aria-labelledby="{anchor}"><h3 id="{anchor}">{text(result.column.scorer)}</h3>\n']
    if whole.why_not is not None:
        pieces.append(f'<p class="warning">No figures: {text(whole.why_not)}.</p>')
    if left := whole.n_total - whole.n_used:
        has = "has no score and is" if left == 1 else "have no score and are"
        pieces.append(
            f'<p class="warning">{left:,} of {count(whole.n_total, "picture")} {has} in no figure.</p>'
        )
    if whole.seen:
        were = "was" if whole.seen == 1 else "were"
        pieces.append(
            f'<p class="warning">{whole.seen:,} of {count(whole.n_used, "picture")} {were} met in training: '
            "these figures flatter.</p>"
        )
    pieces.append(charts(result, view, anchor, dots=dots, misses=limit))
    pieces.append(taken_apart(result.measured))
    pieces.append(misses(result, view, thumbnails, limit=limit))
    return "".join([*pieces, "</article>\n"])


def _document(results: Sequence[Result], sections: str, parts: int, command: str) -> str:
    scorers = len({result.column.scorer for result in results})
    databases = ", ".join(dict.fromkeys(result.part.dataset for result in results))
    of = "a database" if parts == 1 else "databases"
    summary = f"{count(scorers, 'scorer')} on {count(parts, 'part')} of {of}. Made by iqa {__version__}."
    return document(
        f"Evaluation: {databases}",
        "Quality scores against human opinion",
        summary,
        sections,
        command=command,
    )


def _interval_words(results: Sequence[Result]) -> str:
    methods = {result.measured.whole.interval_method for result in results}
    how = []
    if "bootstrap" in methods:
        how.append("bootstrap of groups of pictures that belong together (not of single pictures)")
    if "analytic" in methods:
        how.append("for very many pictures from the influence of each, summed over the same groups")
    if not how:
        return f"None: an interval needs at least {MIN_GROUPS} groups of pictures, and a figure."
    own = "; that of the error by chi-square" if any(r.measured.whole.rmse_ci for r in results) else ""
    return f"95 %, by {'; '.join(how)}{own}. Rows of fewer than {MIN_GROUPS} groups have none."


def _parts(results: Sequence[Result]) -> list[list[Result]]:
    """The results of each part, otherwise in their order."""
    parts: dict[int, list[Result]] = {}
    for result in results:
        parts.setdefault(id(result.part), []).append(result)
    return list(parts.values())
