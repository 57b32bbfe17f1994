"""Doing the steps of a journal, and going on with those that a run has left."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from iqa_cli.culling.journal import Journal, JournalError
from iqa_cli.culling.moving import are_apart, copy_to, link_to, move_to, same_content, same_file, take_name
from iqa_cli.culling.steps import Kind, Step
from iqa_cli.errors import UsageError
from iqa_cli.replacing import replacing, unwritable
from iqa_cli.text import one_line, reason_of
from iqa_cli.training.interrupt import deferred_interrupt

# After these, no further step can go better.
_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO})


@dataclass
class Outcome:
    """What has become of the steps.

    Attributes:
        pictures, companions, rated: Files done in this run, by what they are.
        failed: (path, why) of those that could not be.
        left: (path, why) of those that were not touched, since they are not as they were left.
        waiting: Steps that are not done, those that failed among them.
        interrupted: Whether Ctrl-C has ended it.
        stopped: Why no further step was tried; empty where all were.
    """

    pictures: int = 0
    companions: int = 0
    rated: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    waiting: int = 0
    interrupted: bool = False
    stopped: str = ""

    def count(self, step: Step) -> None:
        """One step more is done."""
        if step.kind is Kind.rate:
            self.rated += 1
        elif step.of is None:
            self.pictures += 1
        else:
            self.companions += 1


def carry_out(journal: Journal, watch: Callable[[], None] = lambda: None, *, again: bool = False) -> Outcome:
    """Do what has not been done.

    Nothing that exists is replaced, but for the rating in a sidecar that is still as it was when the step was
    worked out. A step that fails is told, and the others go on; a full disk ends the run. Ctrl-C comes
    between two steps.

    Args:
        journal: The journal; gets a mark for each step.
        watch: Called after each step.
        again: A run was here before: a step without a mark may have been done.
    """
    outcome = Outcome()
    for number in journal.waiting():
        try:
            with deferred_interrupt():
                _do(journal, number, outcome, again)
                watch()
        except KeyboardInterrupt:
            outcome.interrupted = True
        except JournalError as error:
            # What was done last is told by the files themselves.
            outcome.stopped = outcome.stopped or error.message
        if outcome.interrupted or outcome.stopped:
            break
    outcome.waiting = len(journal.waiting())
    return outcome


def _do(journal: Journal, number: int, outcome: Outcome, again: bool) -> None:
    step = journal.steps[number]
    if step.of is not None and journal.states.get(step.of) != "done":
        outcome.failed.append((step.source, "stays with its picture"))
        journal.mark(number, "failed", "stays with its picture")
        return
    try:
        _make_folders(journal, Path(step.target).parent)
        if not (again and _is_done(step)):
            _perform(step, journal.part_of(number))
    except OSError as error:
        why = _why(step, error)
        outcome.failed.append((step.source, why))
        if error.errno in _HOPELESS:
            outcome.stopped = why
        journal.mark(number, "failed", why)
        return
    outcome.count(step)
    journal.mark(number, "done")


def _why(step: Step, error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return f"{one_line(step.target)} is there already"
    if error.errno == errno.EXDEV and step.kind is Kind.link:
        return "cannot be hard-linked to another file system"
    reason = reason_of(error)
    return f"{reason[:1].lower()}{reason[1:]}"


def _perform(step: Step, part: Path) -> None:
    source, target = Path(step.source), Path(step.target)
    if step.kind is Kind.move:
        move_to(source, target, part)
    elif step.kind is Kind.copy:
        copy_to(source, target, part)
    elif step.kind is Kind.link:
        link_to(source, target)
    elif step.before is None:
        try:
            with part.open("wb") as file:
                file.write(step.after)
            take_name(part, target)
        finally:
            part.unlink(missing_ok=True)
    else:
        place = Path(os.path.realpath(target))
        if place.read_bytes() != step.before:
            raise OSError(errno.EBUSY, "has been changed since")
        with replacing(place) as file:
            file.write(step.after)


def _is_done(step: Step) -> bool:
    """Whether a run that was killed has done a step without coming to its mark; finishes one half done."""
    source, target = Path(step.source), Path(step.target)
    if step.kind is Kind.rate:
        return target.is_file() and target.read_bytes() == step.after
    if not os.path.lexists(target):
        return False
    if step.kind is Kind.link:
        return same_file(source, target)
    if step.kind is Kind.copy:
        return same_content(source, target)
    if not os.path.lexists(source):
        return step.is_at(target)
    if (same_file(source, target) or same_content(source, target)) and are_apart(source, target):
        source.unlink()  # the new name was there, the old one not yet gone
        return True
    return False


def _make_folders(journal: Journal, folder: Path) -> None:
    """Make a folder and those above it, each noted before."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        journal.made_folder(str(new))
        new.mkdir(exist_ok=True)


def check_links(steps: list[Step], folder: Path) -> None:
    """See that hard links are possible before the first one.

    Raises:
        UsageError: Pictures lie on another file system than the folder.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        there = place.stat().st_dev
        for step in steps:
            if step.kind is Kind.link and Path(step.source).stat().st_dev != there:
                raise UsageError(
                    f"{one_line(folder)} is on another file system than {one_line(step.source)}",
                    hint="--apply copy copies what cannot be hard-linked",
                )
    except OSError as error:
        raise UsageError(unwritable(one_line(folder), error)) from None
