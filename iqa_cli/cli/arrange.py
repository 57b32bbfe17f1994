"""Order and choice of rows once all of them are known, and what the run says to the shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from iqa_cli.errors import ExitCode
from iqa_cli.prediction import Prediction


class Sort(str, Enum):
    """The order of rows."""

    input = "input"
    score = "score"
    path = "path"


def arrange(
    predictions: Sequence[Prediction],
    *,
    sort: Sort = Sort.input,
    top: int | None = None,
    bottom: int | None = None,
) -> list[Prediction]:
    """Rows sorted, or the best or worst few of them.

    Equal scores (to two decimals) stay in the order of the input. By score the best comes first, with
    `bottom` the worst; failed pictures come last, and are left out of `top` and `bottom`.
    """
    rows = list(predictions)
    if top is not None or bottom is not None:
        rows = [row for row in rows if row.score is not None]
        if top is not None:
            rows = sorted(rows, key=lambda row: -shown_score(row))[:top]
        else:
            rows = sorted(rows, key=shown_score)[:bottom]
        if sort is not Sort.path:
            return rows
    if sort is Sort.path:
        return sorted(rows, key=lambda row: row.path)
    if sort is Sort.score:
        return sorted(rows, key=lambda row: (row.score is None, -shown_score(row)))
    return rows


def shown_score(prediction: Prediction) -> float:
    """The score to two decimals, which is how far it is the same alone, in a batch and with any number of
    threads."""
    return 0.0 if prediction.score is None else round(prediction.score, 2)


@dataclass
class Tally:
    """What has been counted of a run.

    Attributes:
        fail_below: The threshold in points, or None.
        scored, failed, below: Numbers of pictures.
        unreadable: Number of folders that could not be listed.
        interrupted: Whether the run was stopped by Ctrl-C.
        failures: The first few failed records.
        further: Model -> how many pictures it alone, of several models, could not score though the first
            one could; and the first of these records.
    """

    fail_below: float | None = None
    scored: int = 0
    failed: int = 0
    below: int = 0
    unreadable: int = 0
    interrupted: bool = False
    failures: list[Prediction] = field(default_factory=list)
    further: dict[str, tuple[int, Prediction]] = field(default_factory=dict)

    def add(self, prediction: Prediction) -> None:
        """Count one record."""
        if prediction.score is None:
            self.failed += 1
            if len(self.failures) < 20:
                self.failures.append(prediction)
            return
        self.scored += 1
        for model in prediction.errors:
            failed, first = self.further.get(model, (0, prediction))
            self.further[model] = (failed + 1, first)
        if self.fail_below is not None and shown_score(prediction) < self.fail_below:
            self.below += 1

    def exit_code(self, *, strict_inputs: bool, exit_zero: bool) -> ExitCode:
        """The exit code; where a threshold is missed and some inputs failed, the threshold wins unless
        `strict_inputs`."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if exit_zero:
            return ExitCode.OK
        bad_inputs = bool(self.failed or self.further or self.unreadable)
        if bad_inputs and (strict_inputs or not self.below):
            return ExitCode.SOME_FAILED
        return ExitCode.BELOW_THRESHOLD if self.below else ExitCode.OK
