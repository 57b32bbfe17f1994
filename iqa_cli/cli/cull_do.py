"""What `iqa cull` does with files: carries a plan out, goes on with a journal, takes one back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from iqa_cli.cli.context import Environment
from iqa_cli.cli.cull_options import CullOptions
from iqa_cli.cli.interrupt import second_interrupt_exits
from iqa_cli.cli.run_progress import run_progress
from iqa_cli.culling.carrying import Outcome, carry_out, check_links
from iqa_cli.culling.journal import Journal, begin, reopen
from iqa_cli.culling.plan import Plan
from iqa_cli.culling.rating import rating_steps
from iqa_cli.culling.steps import Action, Kind, Steps, carrying, chosen
from iqa_cli.culling.undoing import take_back
from iqa_cli.errors import ExitCode, ImageError, IqaError, UsageError
from iqa_cli.replacing import unwritable
from iqa_cli.text import count, one_line

_SHOWN = 20
_DONE = {Kind.copy: "copied", Kind.link: "linked", Kind.move: "moved", Kind.rate: "written"}


def carry_out_plan(plan: Plan, cull: CullOptions, env: Environment) -> ExitCode:
    """Write ratings and carry pictures, as the options say.

    Raises:
        UsageError: The journal or the folder cannot be written; hard links are not possible.
    """
    rated, coming = Steps(), dict[str, list[str]]()
    if cull.xmp is not None:
        rated, coming = rating_steps(plan, cull.xmp, cull.stars, rerate=cull.rerate)
        _tell_left(rated.left, "not rated", env)
    carried = Steps()
    if cull.apply is not None and cull.to is not None:
        pictures = chosen(plan, rest=cull.rest, groups_only=cull.groups_only)
        carried = carrying(plan, pictures, cull.apply, Path(cull.to), coming, len(rated.steps))
        _tell_left(carried.left, "left where it is", env)
        _tell_planned(carried, cull.apply, env)
        check_links(carried.steps, Path(cull.to))
    unscored = sum(picture.score is None for picture in plan.pictures)
    if unscored:
        env.note(f"{count(unscored, 'picture')} without a score: left where they are")
    steps = [*rated.steps, *carried.steps]
    if not steps:
        env.note("there is nothing to do")
        return ExitCode.SOME_FAILED if carried.left else ExitCode.OK
    with begin(_journal_place(cull), steps) as journal:
        code = _carry(journal, env)
    return ExitCode.SOME_FAILED if code is ExitCode.OK and carried.left else code


def run_resume(path: Path, env: Environment) -> ExitCode:
    """Do what a journal tells of and has not been done.

    Raises:
        UsageError: The journal cannot be read or written, or has been taken back.
    """
    with reopen(path) as journal:
        if "undone" in journal.states.values():
            raise UsageError(
                f"{one_line(path)} has been taken back", hint="cull again, or carry the plan out"
            )
        if not journal.waiting():
            env.note("there is nothing left to do")
            return ExitCode.OK
        return _carry(journal, env, again=True)


def run_undo(path: Path, env: Environment) -> ExitCode:
    """Take back what a journal tells of.

    Raises:
        UsageError: The journal cannot be read or written.
    """
    with (
        reopen(path) as journal,
        second_interrupt_exits(),
        run_progress(env) as progress,
    ):
        number, done = len(journal.steps), 0

        def watch() -> None:
            nonlocal done
            done += 1
            progress.update("taking back", done, number)

        outcome = take_back(journal, watch)
    _tell_left(outcome.left, "left where it is", env)
    _tell_failed(outcome, "taken back", env)
    if outcome.interrupted:
        env.note(f"interrupted; the same command takes back the other {count(outcome.waiting, 'file')}")
        return ExitCode.INTERRUPTED
    env.note(f"taken back: {_counts(outcome)}")
    return _code(outcome)


def _carry(journal: Journal, env: Environment, *, again: bool = False) -> ExitCode:
    waiting, done = len(journal.waiting()), 0
    with second_interrupt_exits(), run_progress(env) as progress:

        def watch() -> None:
            nonlocal done
            done += 1
            progress.update("carrying files", done, waiting)

        outcome = carry_out(journal, watch, again=again)
    _tell_failed(outcome, "carried", env)
    name = one_line(journal.path)
    if outcome.interrupted or outcome.stopped:
        why = "interrupted" if outcome.interrupted else outcome.stopped
        env.note(
            f"{why}; {_done(outcome, journal)}, {count(outcome.waiting, 'file')} to go. To go on: "
            f"iqa cull --resume {name}"
        )
    else:
        env.note(_done(outcome, journal))
    env.note(f"to take it back: iqa cull --undo {name}")
    return _code(outcome)


def _code(outcome: Outcome) -> ExitCode:
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    if outcome.stopped:
        return ExitCode.USAGE
    return ExitCode.SOME_FAILED if outcome.failed or outcome.left else ExitCode.OK


def _done(outcome: Outcome, journal: Journal) -> str:
    """ "moved: 12 pictures and 3 files that belong to them"."""
    kinds = [step.kind for step in journal.steps if step.kind is not Kind.rate and step.of is None]
    return f"{_DONE[kinds[0] if kinds else Kind.rate]}: {_counts(outcome)}"


def _counts(outcome: Outcome) -> str:
    """ "12 pictures and 3 files that belong to them, 4 sidecars with ratings"."""
    parts = []
    if outcome.pictures or outcome.companions:
        parts.append(count(outcome.pictures, "picture"))
    if outcome.companions:
        parts[-1] += f" and {count(outcome.companions, 'file')} that belong to them"
    if outcome.rated:
        parts.append(count(outcome.rated, "sidecar") + " with ratings")
    return ", ".join(parts) or "nothing"


def _journal_place(cull: CullOptions) -> Path:
    """Where the journal goes; makes the folder that pictures go to.

    Raises:
        UsageError: The folder cannot be made.
    """
    if cull.to is not None:
        try:
            Path(cull.to).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(unwritable(one_line(cull.to), error)) from None
    if cull.journal is not None:
        return cull.journal
    name = f"iqa-cull-{datetime.now():%Y%m%d-%H%M%S}"
    folder = Path(cull.to or ".")
    names = (f"{name}.jsonl", *(f"{name}-{number}.jsonl" for number in range(2, 1000)))
    return next((folder / name for name in names if not os.path.lexists(folder / name)), folder / names[0])


def _tell_planned(carried: Steps, action: Action, env: Environment) -> None:
    if carried.present:
        stay = ", and stay where they are as well" if action is Action.move else ""
        env.note(f"{count(carried.present, 'picture')} already there{stay}")
    if carried.renamed:
        env.note(f"{count(carried.renamed, 'picture')} under another name, since it is taken there")
    if carried.shared:
        env.note(
            f"{count(len(set(carried.shared)), 'file')} left, since several pictures share them "
            f"(first: {one_line(carried.shared[0])})"
        )


def _tell_left(left: Sequence[tuple[str, str]], what: str, env: Environment) -> None:
    for path, why in left[:_SHOWN]:
        env.note(f"{what}: {one_line(path)}: {why}")
    if len(left) > _SHOWN:
        env.note(f"... and {len(left) - _SHOWN:,} more")


def _tell_failed(outcome: Outcome, what: str, env: Environment) -> None:
    for path, why in outcome.failed[:_SHOWN]:
        failure: IqaError = ImageError(f"{one_line(path)}: {why}")
        env.error(failure)
    if len(outcome.failed) > 1:
        env.error(ImageError(f"{count(len(outcome.failed), 'file')} could not be {what}"))
