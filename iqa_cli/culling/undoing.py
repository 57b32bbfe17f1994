"""Taking back what a journal tells of, as far as nothing is lost by it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from iqa_cli.culling.carrying import Outcome
from iqa_cli.culling.journal import Journal, JournalError
from iqa_cli.culling.moving import are_apart, move_to, same_content, same_file
from iqa_cli.culling.steps import Kind, Step
from iqa_cli.replacing import replacing
from iqa_cli.text import one_line, reason_of
from iqa_cli.training.interrupt import deferred_interrupt


class _Left(Exception):
    """A file that is not taken back, and why."""


def take_back(journal: Journal, watch: Callable[[], None] = lambda: None) -> Outcome:
    """Take all steps back, the last one first; what has been taken back already is passed over.

    A moved file goes back under its old name, if that is free. A copy goes only while the original is there
    with the same content, a link only while its other name is there, a sidecar only while it is as it was
    written. Folders that were made go where they are empty.

    Args:
        journal: The journal; gets a mark for each step.
        watch: Called after each step.
    """
    outcome = Outcome()
    numbers = [
        number
        for number in reversed(range(len(journal.steps)))
        if journal.states.get(number) not in ("failed", "undone")
    ]
    # Of what a killed run has not marked, only the first can have been done.
    doubtful = min((number for number in numbers if number not in journal.states), default=-1)
    for place, number in enumerate(numbers):
        try:
            with deferred_interrupt():
                _undo(journal, number, outcome, doubtful)
                watch()
        except KeyboardInterrupt:
            outcome.interrupted = True
        except JournalError as error:
            outcome.stopped = error.message
        if outcome.interrupted or outcome.stopped:
            outcome.waiting = len(numbers) - place - 1
            return outcome
    for folder in reversed(journal.folders):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return outcome


def _undo(journal: Journal, number: int, outcome: Outcome, doubtful: int) -> None:
    step = journal.steps[number]
    marked = journal.states.get(number) == "done"
    if not marked and number != doubtful and step.kind is not Kind.move:
        return  # of a move, a loss of power may have taken the mark; the files tell
    with contextlib.suppress(OSError):
        journal.part_of(number).unlink()
    try:
        taken = _take_back(step, marked, journal.part_of(number, back=True))
    except _Left as left:
        outcome.left.append((step.target, str(left)))
        return
    except OSError as error:
        there = isinstance(error, FileExistsError)
        why = f"{one_line(step.source)} is there again" if there else reason_of(error)
        outcome.failed.append((step.target, why))
        return
    if taken:
        outcome.count(step)
    if marked or taken:
        journal.mark(number, "undone")


def _take_back(step: Step, marked: bool, part: Path) -> bool:
    """Take one step back; whether there was something to take back."""
    source, target = Path(step.source), Path(step.target)
    if not os.path.lexists(target):
        if marked and step.kind is Kind.move and not os.path.lexists(source):
            raise _Left("is not there any more, nor under its old name")
        return False
    if step.kind is Kind.move:
        return _move_back(step, source, target, marked, part)
    if step.kind is Kind.rate:
        return _rate_back(step, target, marked)
    if step.kind is Kind.link:
        if not same_file(source, target):
            return _keep(marked, "is no link to its original any more")
    elif not same_content(source, target):
        return _keep(marked, "is not the same as its original any more")
    _unlink_second(target, source)
    return True


def _move_back(step: Step, source: Path, target: Path, marked: bool, part: Path) -> bool:
    if os.path.lexists(source):
        if same_file(source, target):  # killed between its new name and the end of the old one
            _unlink_second(target, source)
            return True
        return _keep(marked, f"another file is under its old name, {one_line(source)}")
    if not marked and not step.is_at(target):
        return False
    source.parent.mkdir(parents=True, exist_ok=True)
    move_to(target, source, part)
    return True


def _unlink_second(target: Path, source: Path) -> None:
    if not are_apart(target, source):
        raise _Left(f"is no second file beside {one_line(source)}: one leads to the other")
    target.unlink()


def _rate_back(step: Step, target: Path, marked: bool) -> bool:
    place = Path(os.path.realpath(target))
    content = place.read_bytes()
    if content == step.before:
        return False
    if content != step.after:
        return _keep(marked, "has been changed since")
    if step.before is None:
        place.unlink()
    else:
        with replacing(place) as file:
            file.write(step.before)
    return True


def _keep(marked: bool, why: str) -> bool:
    """Leave a file; of a step without a mark nothing is said, since it may be none of ours."""
    if marked:
        raise _Left(why)
    return False
