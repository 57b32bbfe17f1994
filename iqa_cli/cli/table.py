"""The table for a person: score, a coloured bar, spread, the interval of the score, a word, where the score
stands among the opinions of the training, the scores of further models, and the name where it is never cut;
behind it the distortion that the network names, if any."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from iqa_cli.cli.context import Environment
from iqa_cli.cli.output import Output
from iqa_cli.prediction import PRISTINE, Prediction
from iqa_cli.text import printable

if TYPE_CHECKING:
    from iqa_cli.card import Card

_BAR_CELLS = 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# A fifth of the scale each, worst first; of the 16 of any terminal, since others would be brought to these:
# "dark_orange" became a brighter red than "red".
_COLOURS = ("bright_red", "red", "yellow", "green", "bright_green")
_WORD_CELLS = 9
_SCORE_CELLS = 6
_TITLE_CELLS = 16
_RANGE_CELLS = len("77 to 100")
_SHARE_CELLS = len("100 %")
# Names have at least so many before the bars take room, so that few rows are broken.
_NAME_CELLS = 32
# Of what is no terminal.
_WIDE = 120


class TableSink:
    """Rows as they come, so that a long run shows what it has; columns have fixed widths.

    Args:
        output: Where to.
        word: The word for a score in points.
        percentile: The share of the training pictures, in %, that a score is above; None without that column.
        further: Names of the models beside the first, each of which gets a column with its scores.
        coverage: That of the interval, which then gets a column; None without that column.
        ranked: Rows come with `percentile` and `warnings` (`iqa rank`): a column for the first, and the
            second behind the name.
        colour: Whether escape codes are written.
        columns: Width of the terminal; bars are left out where names would have no room.
        encoding: What the terminal can show.
    """

    def __init__(
        self,
        output: Output,
        word: Callable[[float], str],
        percentile: Callable[[float], float | None] | None = None,
        further: Sequence[str] = (),
        *,
        coverage: float | None = None,
        ranked: bool = False,
        colour: bool,
        columns: int = 80,
        encoding: str = "utf-8",
    ) -> None:
        self._output = output
        self._word = word
        self._percentile = percentile
        self._coverage = coverage
        self._ranked = ranked
        self._further = [(model, _column_title(model)) for model in further]
        self._encoding = encoding
        self._with_bar = columns >= self._other_cells() + _BAR_CELLS + 2 + _NAME_CELLS
        self._eighths = _EIGHTHS if _can_show(_EIGHTHS, encoding) else None
        self._plus_minus = "±" if _can_show("±", encoding) else "+-"
        self._text = io.StringIO()
        self._console = Console(
            file=self._text,
            force_terminal=colour,
            no_color=not colour,
            color_system="standard" if colour else None,
            width=columns,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )

    def _other_cells(self) -> int:
        """What stands before the names beside the bars."""
        cells = [_SCORE_CELLS, _SCORE_CELLS, _WORD_CELLS]
        cells += [_RANGE_CELLS] * (self._coverage is not None)
        cells += [_SHARE_CELLS] * (self._ranked + (self._percentile is not None))
        cells += [max(_SCORE_CELLS, len(title)) for _, title in self._further]
        return sum(width + 2 for width in cells)

    def start(self) -> None:
        heading = f"{'score':>6}  "
        if self._with_bar:
            heading += " " * (_BAR_CELLS + 2)
        heading += f"{'spread':<6}  "
        if self._coverage is not None:
            heading += f"{f'{100 * self._coverage:g} %':<{_RANGE_CELLS}}  "
        heading += f"{'':<{_WORD_CELLS}}  "
        if self._ranked:
            heading += " here  "
        if self._percentile is not None:
            heading += "above  "
        heading += "".join(f"{title:>{_SCORE_CELLS}}  " for _, title in self._further)
        self._line(Text(f"{heading}picture", style="bold"))

    def row(self, prediction: Prediction, more: Mapping[str, Any] | None = None) -> None:
        """Further columns than those of `ranked` have no room."""
        name = printable(prediction.path)
        line = Text()
        if prediction.score is None:
            line.append(f"{'failed':>6}  ", style="bold red")
            line.append(name)
            line.append(f": {printable(prediction.error or '')}", style="red")
            for model, title in self._further:
                if (value := prediction.scores.get(model)) is not None:
                    line.append(f"  {title} {value:.2f}")
        else:
            colour = _COLOURS[min(4, max(0, int(prediction.score // 20)))]
            line.append(f"{prediction.score:6.2f}  ", style="bold")
            if self._with_bar:
                line.append(f"{self._bar(prediction.score)}  ", style=colour)
            spread = "" if prediction.spread is None else f"{self._plus_minus}{prediction.spread:.1f}"
            line.append(f"{spread:<6}  ", style="dim")
            if self._coverage is not None:
                line.append(f"{_range(prediction):<{_RANGE_CELLS}}  ")
            line.append(f"{self._word(prediction.score):<{_WORD_CELLS}}  ", style=colour)
            if self._ranked:
                here = (more or {}).get("percentile")
                line.append(f"{'' if here is None else f'{here:3.0f} %':5}  ")
            if self._percentile is not None:
                above = self._percentile(prediction.score)
                line.append(f"{'' if above is None else f'{above:3.0f} %':5}  ", style="dim")
            for model, title in self._further:
                value = prediction.scores.get(model)
                shown = "failed" if value is None else f"{value:.2f}"
                cells = max(_SCORE_CELLS, len(title))
                line.append(f"{shown:>{cells}}  ", style="bold red" if value is None else "")
            line.append(name)
            if prediction.distortion not in (None, PRISTINE):
                line.append(f"  {prediction.distortion} {prediction.distortion_level}", style="dim")
            if self._ranked and (warnings := (more or {}).get("warnings")):
                line.append(f"  {', '.join(warnings)}", style="yellow")
        self._line(line)

    def finish(self) -> None:
        """Nothing comes after the last row."""

    def _bar(self, score: float) -> str:
        eighths = round(min(100.0, max(0.0, score)) / 100 * _BAR_CELLS * 8)
        whole, part = divmod(eighths, 8)
        if self._eighths is None:
            return f"{'#' * whole:<{_BAR_CELLS}}"
        return f"{self._eighths[8] * whole + (self._eighths[part] if part else ''):<{_BAR_CELLS}}"

    def _line(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)
        self._output.write(self._text.getvalue().encode(self._encoding, "backslashreplace"))
        self._text.seek(0)
        self._text.truncate()


def table_for(
    env: Environment,
    output: Output,
    path: str | None,
    card: Card | None = None,
    further: Sequence[str] = (),
    *,
    calibrated: bool = False,
    ranked: bool = False,
) -> TableSink:
    """The table as a place shows it.

    Args:
        env: Width and colours of the terminal.
        output: Where to.
        path: The file behind it; None and "-" are stdout.
        card: Of the weight, for the words, percentiles and intervals it has; without one the usual words.
        further, ranked: As of `TableSink`.
        calibrated: Scores are of the mode that the intervals are for.
    """
    from iqa_cli.card import percentile_of, word_for
    from iqa_cli.standing import usual_word

    on_stdout = path in (None, "-")
    return TableSink(
        output,
        usual_word if card is None else lambda score: word_for(score, card),
        None
        if card is None or not card.output.get("percentiles")
        else lambda score: percentile_of(score, card),
        further,
        coverage=card.interval.coverage if card is not None and card.interval and calibrated else None,
        ranked=ranked,
        colour=on_stdout and env.stdout_is_terminal and env.colour and not env.dumb,
        columns=env.columns if on_stdout and env.stdout_is_terminal else _WIDE,
        encoding=env.stdout_encoding if on_stdout else "utf-8",
    )


def _range(prediction: Prediction) -> str:
    """The interval in whole points; nothing where there is none."""
    if prediction.low is None or prediction.high is None:
        return ""
    return f"{prediction.low:.0f} to {prediction.high:.0f}"


def _column_title(model: str) -> str:
    """The name of a model, as far as a column has room for it."""
    title = printable(model)
    return title if len(title) <= _TITLE_CELLS else f"{title[: _TITLE_CELLS - 2]}.."


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
