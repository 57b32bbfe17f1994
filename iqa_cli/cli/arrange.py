"""Order and choice of rows once all of them are known, and what the run says to the shell."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from enum import Enum

from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import Inputs
from iqa_cli.errors import ExitCode, ImageError
from iqa_cli.prediction import Prediction, shown
from iqa_cli.text import count


class Sort(str, Enum):
    """The order of rows."""

    input = "input"
    score = "score"
    path = "path"


class Pending:
    """Rows that wait until all are known, to be sorted; or the best or worst few, and then no more than these
    are kept.

    Equal scores (to two decimals) stay in the order of the input. By score the best comes first, with
    `bottom` the worst; failed pictures come last, and are left out of `top` and `bottom`.

    Args:
        sort: Their order.
        top, bottom: How many of the best or of the worst; at most one of the two.
    """

    def __init__(self, *, sort: Sort = Sort.input, top: int | None = None, bottom: int | None = None) -> None:
        self._sort, self._few, self._sign = (
            sort,
            top if bottom is None else bottom,
            1 if bottom is None else -1,
        )
        self._all: list[Prediction] = []
        # The least wanted first: the lower (or higher) score, of equal ones the later.
        self._chosen: list[tuple[float, int, Prediction]] = []
        self._number = 0

    def add(self, row: Prediction) -> None:
        """One row more."""
        if self._few is None:
            self._all.append(row)
        elif row.score is not None:
            self._number += 1
            entry = (self._sign * shown_score(row), -self._number, row)
            if len(self._chosen) < self._few:
                heapq.heappush(self._chosen, entry)
            else:
                heapq.heappushpop(self._chosen, entry)

    def rows(self) -> list[Prediction]:
        """All that are to be shown, in order."""
        rows = self._all if self._few is None else [row for _, _, row in sorted(self._chosen, reverse=True)]
        if self._sort is Sort.path:
            return sorted(rows, key=lambda row: row.path)
        if self._sort is Sort.score and self._few is None:
            return sorted(rows, key=lambda row: (row.score is None, -shown_score(row)))
        return rows


def shown_score(prediction: Prediction) -> float:
    """The score as it is shown, 0 where there is none."""
    return shown(prediction.score or 0.0)


@dataclass
class Tally:
    """What has been counted of a run.

    Attributes:
        fail_below: The threshold in points, or None; a score is compared with it to two decimals of both, so
            that a score of an earlier run is no threshold that the same picture misses.
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
        if self.fail_below is not None and shown_score(prediction) < shown(self.fail_below):
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


def tell(env: Environment, inputs: Inputs, tally: Tally, *, few: bool = False, stored: bool = False) -> None:
    """What a person should know beside the rows: on stderr, errors also with -q.

    Args:
        env: Where stderr is.
        inputs: Read to their end.
        tally: Of all records; learns of the folders that could not be listed.
        few: Only some rows are shown, so that this is the only place to tell of the failed ones.
        stored: A store keeps what is done.
    """
    tally.unreadable = len(inputs.unreadable)
    for line in inputs.notes():
        env.note(line)
    for line in inputs.unreadable:
        env.error(ImageError(line))
    if tally.failed:
        total = count(tally.scored + tally.failed, "picture")
        if not few:
            first = tally.failures[0]
            text = f"{first.path}: {first.error}"
            if tally.scored + tally.failed > 1:
                text = f"{tally.failed:,} of {total} could not be scored; the first: {text}"
            env.error(ImageError(text))
        else:
            for failure in tally.failures:
                env.error(ImageError(f"{failure.path}: {failure.error}"))
            env.error(ImageError(f"{tally.failed:,} of {total} could not be scored"))
    for model, (failed, first) in tally.further.items():
        shown = f"{first.path}: {first.errors[model]}"
        env.error(ImageError(f"{model} could not score {count(failed, 'picture')}; the first: {shown}"))
    if tally.below:
        scored = count(tally.scored, "picture")
        env.note(f"{tally.below:,} of {scored} scored below {tally.fail_below:g}")
    if tally.interrupted:
        on = "; the store keeps them, and the same command goes on" if stored else ""
        env.note(f"interrupted; {count(tally.scored + tally.failed, 'picture')} done{on}")
