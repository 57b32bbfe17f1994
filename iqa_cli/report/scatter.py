"""The two charts of a result: scores against opinions with the fitted logistic, and what it leaves."""

from __future__ import annotations

import numpy as np

from iqa_cli.evaluation.logistic import Floats
from iqa_cli.evaluation.part import Result
from iqa_cli.report.axes import Axis
from iqa_cli.report.chart import BOTTOM, LEFT, RIGHT, TOP, Chart
from iqa_cli.report.fitted import BAND, Ints, View, spread, tenths, worst
from iqa_cli.report.markup import number, text

#: Points of a curve.
_STEPS = 161
#: More dots than these are drawn smaller and fainter.
_MANY = 800
#: Characters of a name that fit below a chart.
_FITS = 24
_SHARE = f"{100 * BAND:.0f} %"


def charts(result: Result, view: View, key: str, *, dots: int, misses: int) -> str:
    """Figures, side by side where there is room.

    Args:
        result: What is drawn.
        view: Its numbers.
        key: Prefix of ids.
        dots: So many pictures are drawn at most; the worst misses always are.
        misses: So many of them are ringed.

    Returns:
        HTML; nothing where no picture has a score.
    """
    if not len(view):
        return ""
    ringed = worst(result, view, misses)
    drawn = np.union1d(spread(view, dots), ringed)
    x = Axis.of(view.scores, LEFT, RIGHT, may_bend=True)
    made = [_scatter(result, view, f"{key}-s", x, drawn, ringed)]
    if view.residuals is not None:
        made.append(_residuals(result, view, view.residuals, f"{key}-r", x, drawn, ringed))
    return f'<div class="charts">{"".join(made)}</div>\n'


def _scatter(result: Result, view: View, key: str, x: Axis, drawn: Ints, ringed: Ints) -> str:
    scorer, whole = text(result.column.scorer), result.measured.whole
    y = Axis.of(view.opinions, BOTTOM, TOP)
    chart = Chart(
        key,
        f"Scores of {scorer} against opinions",
        f"{len(view):,} pictures; SRCC {number(whole.srcc, 4)}, opinions from {view.opinions.min():.1f} to "
        f"{view.opinions.max():.1f} points, scores from {view.scores.min():.4g} to {view.scores.max():.4g}.",
        x,
        y,
        _score_title(result.column.scorer, x),
        "opinion (MOS, points)",
    )
    caption = [f"<b>Scores against opinions.</b> {_dots_caption(view, drawn)}"]
    along, curve = x.along(_STEPS), None
    if view.curve is not None and view.band is not None:
        curve = view.curve(along)
        chart.area(along, curve + view.band[0], curve + view.band[1], "band")
    _draw_dots(chart, view, view.opinions, drawn)
    if curve is not None and view.curve is not None and view.band is not None:
        chart.line(along, curve, "curve")
        rising = "rises" if view.curve.b1 > view.curve.b2 else "falls"
        caption.append(
            f"Line: the 4-parameter logistic fitted to these pictures; it {rising}, b1 {view.curve.b1:.4g}, "
            f"b2 {view.curve.b2:.4g}, b3 {view.curve.b3:.4g}, b4 {view.curve.b4:.4g}. {_band_caption(view)}"
        )
    elif whole.fit_converged is False:
        caption.append("The fit of the 4-parameter logistic did not converge: no curve, and no residuals.")
    elif whole.srcc is not None:
        caption.append("Too few pictures for a fit of the 4-parameter logistic.")
    if len(ringed):
        chart.rings(view.scores[ringed], view.opinions[ringed])
        caption.append("Rings: the worst misses, numbered as below.")
    return _figure(chart, caption)


def _residuals(
    result: Result, view: View, residuals: Floats, key: str, x: Axis, drawn: Ints, ringed: Ints
) -> str:
    scorer = text(result.column.scorer)
    low, high = view.band or (0.0, 0.0)
    chart = Chart(
        key,
        f"Residuals of {scorer}",
        f"Opinion less fitted score of {len(view):,} pictures: from {residuals.min():.1f} to "
        f"{residuals.max():.1f} points, {_SHARE} from {low:.1f} to {high:.1f}.",
        x,
        Axis.of(residuals, BOTTOM, TOP),
        _score_title(result.column.scorer, x),
        "opinion less fitted score (points)",
    )
    ends = np.array([x.low, x.high])
    chart.area(ends, np.full(2, low), np.full(2, high), "band")
    _draw_dots(chart, view, residuals, drawn)
    chart.line(ends, np.zeros(2), "curve")
    for start, end, mean in tenths(view):
        chart.line(np.array([start, end]), np.full(2, mean), "tenth")
    chart.rings(view.scores[ringed], residuals[ringed])
    caption = [
        "<b>Residuals.</b> Opinion less fitted score: above the line the score is too low, below too high. "
        f"Their root mean square is the RMSE, {number(result.measured.whole.rmse, 2)} points."
    ]
    if tenths(view):
        caption.append(
            "Dashes: the mean of each tenth of the pictures; where they leave 0, the logistic does not fit."
        )
    return _figure(chart, caption)


def _draw_dots(chart: Chart, view: View, ys: Floats, drawn: Ints) -> None:
    many = " many" if len(drawn) > _MANY else ""
    met = np.zeros(len(view), dtype=bool) if view.met is None else view.met
    for flag, style in ((False, "held"), (True, "met")):
        some = drawn[met[drawn] == flag]
        chart.dots(view.scores[some], ys[some], style + many)


def _dots_caption(view: View, drawn: Ints) -> str:
    what = f"Each dot is one of {len(view):,} pictures"
    if len(drawn) < len(view):
        what = f"{len(drawn):,} of {len(view):,} pictures are drawn, spread evenly over the order of scores"
    if view.met is not None and view.met.any():
        what += f"; squares: the {view.met.sum():,} that were met in training or resemble such a one"
    return f"{what}."


def _band_caption(view: View) -> str:
    low, high = view.band or (0.0, 0.0)
    return (
        f"Band: {_SHARE} of the residuals, from {low:+.1f} to {high:+.1f} points about the curve "
        "(no interval of the curve itself)."
    )


def _score_title(scorer: str, axis: Axis) -> str:
    """What the axis is of; a long name would not fit, and stands above."""
    what = f"score of {text(scorer)}" if len(scorer) <= _FITS else "score"
    return what if axis.bend is None else f"{what} (logarithmic beyond {axis.bend:.2g})"


def _figure(chart: Chart, caption: list[str]) -> str:
    return f"<figure>{chart.svg()}<figcaption>{' '.join(caption)}</figcaption></figure>"
