"""What `iqa watch` does: pictures to scorer to rows, for as long as it runs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from iqa_cli.cli.arrange import Tally
from iqa_cli.cli.context import Environment
from iqa_cli.cli.inputs import Inputs, is_picture
from iqa_cli.cli.output import check_output
from iqa_cli.cli.run import ScoreOptions, scoring
from iqa_cli.cli.walk import files_in
from iqa_cli.cli.watch_rows import Rows
from iqa_cli.errors import ExitCode, ImageError, UsageError
from iqa_cli.prediction import Prediction
from iqa_cli.scoring.hashing import Stamp
from iqa_cli.text import count, one_line, reason_of
from iqa_cli.training.interrupt import deferred_interrupt
from iqa_cli.watching.folders import Folders


@dataclass(frozen=True)
class WatchOptions:
    """How folders are watched; see the options of `iqa watch`."""

    folders: tuple[str, ...]
    recursive: bool = False
    settle: float = 2.0
    poll: float | None = None
    new: bool = False
    timeout: float | None = None


def run_watch(watch: WatchOptions, options: ScoreOptions, env: Environment) -> ExitCode:
    """Score pictures as they arrive.

    Args:
        watch: Where, and how.
        options: How they are scored and where rows go.
        env: The world.

    Raises:
        IqaError: A folder is missing, no weights, no place for the rows.
    """
    for folder in watch.folders:
        _check(folder)
    check_output(options.output, options.files_read())
    rows, tally, stamps = Rows(env, options.output), Tally(), deque[Stamp]()
    if rows.strange:
        said = "1 line is no row" if rows.strange == 1 else f"{rows.strange:,} lines are no rows"
        env.note(f"{one_line(options.output or '')}: {said}")

    def arriving() -> Iterator[str]:
        for path, stamp in folders.arriving():
            stamps.append(stamp)
            yield path

    try:
        with scoring(options, env, Inputs(arriving())) as (cards, predictions, progress):
            progress.erase()
            with Folders(
                watch.folders,
                files=partial(files_in, deep=watch.recursive),
                wanted=is_picture,
                deep=watch.recursive,
                settle=watch.settle,
                poll=watch.poll,
                known=rows.known([card.name for card in cards]),
                new=watch.new,
                idle=watch.timeout,
                note=env.note,
            ) as folders:
                _say_start(env, watch, folders)
                try:
                    for prediction in predictions:
                        # A Ctrl-C comes before the row or after it.
                        with deferred_interrupt():
                            _told(prediction, stamps.popleft(), folders, rows, tally, env)
                except KeyboardInterrupt:
                    tally.interrupted = True
        rows.close()
    except BrokenPipeError:
        pass  # its reader has seen enough
    if rows.repeated:
        path, error = next(iter(rows.repeated.items()))
        failed = count(len(rows.repeated), "picture")
        env.error(
            ImageError(
                f"{failed} could not be scored, as there are rows of already; the first: {path}: {error}"
            )
        )
    done = count(tally.scored + tally.failed, "picture")
    env.note(f"interrupted; {done} done" if tally.interrupted else f"{done} done")
    return tally.exit_code(strict_inputs=False, exit_zero=False)


def _told(
    prediction: Prediction, stamp: Stamp, folders: Folders, rows: Rows, tally: Tally, env: Environment
) -> None:
    """One picture more, if it is still what was looked at; a failure of which there is a row is told at the
    end."""
    if not folders.answer(prediction.path, stamp, failed=bool(prediction.errors)):
        return
    tally.add(prediction)
    if rows.add(prediction, stamp):
        for model, error in prediction.errors.items():
            said = error if len(prediction.scores) == 1 else f"{model}: {error}"
            env.error(ImageError(f"{prediction.path}: {said}"))


def _check(folder: str) -> None:
    name = one_line(folder)
    try:
        with os.scandir(folder):
            return
    except FileNotFoundError:
        raise UsageError(f"there is no folder {name}") from None
    except NotADirectoryError:
        raise UsageError(f"{name} is not a folder", hint=f"to score it: iqa score {name}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: cannot be watched: {reason_of(error)}") from None


def _say_start(env: Environment, watch: WatchOptions, folders: Folders) -> None:
    how = "" if folders.polls is None else f", looking every {folders.polls:g} s"
    env.note(f"watching {', '.join(map(one_line, watch.folders))}{how}; Ctrl-C ends it")
