"""What `iqa cull` does with pictures: records and scenes to verdicts, to rows or a plan."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.cli.collect import collect
from iqa_cli.cli.context import Environment
from iqa_cli.cli.cull_do import carry_out_plan
from iqa_cli.cli.cull_options import CullOptions
from iqa_cli.cli.cull_print import print_verdicts
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.output import check_output
from iqa_cli.cli.run import ScoreOptions, inputs_of
from iqa_cli.cli.run_progress import run_progress
from iqa_cli.cli.sinks import Format
from iqa_cli.culling.choosing import Keep, Verdict, choose
from iqa_cli.culling.plan import is_plan, load_plan, make_plan, save_plan
from iqa_cli.errors import ExitCode, ImageError, UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.culling.scenes import Scenes
    from iqa_cli.prediction import Prediction


def run_cull(options: ScoreOptions, cull: CullOptions, env: Environment) -> ExitCode:
    """Cull what the options name.

    Raises:
        IqaError: Nothing could be done: wrong usage, no weights, no place for the rows.
        KeyboardInterrupt: Interrupted before the first record.
    """
    if len(options.paths) == 1 and is_plan(options.paths[0]):
        plan = load_plan(Path(options.paths[0]))
        if cull.plan is not None or cull.scores is not None or cull.keep is not Keep.best or options.output:
            raise UsageError(
                f"{one_line(options.paths[0])} is a plan, which says what is kept",
                hint="--plan, --scores, --keep and -o go with pictures; in the plan, change keep",
            )
        if not cull.acts:
            kept = count(sum(picture.keep is True for picture in plan.pictures), "picture")
            raise UsageError(
                f"{one_line(options.paths[0])} is a plan, which keeps {kept} of {len(plan.pictures):,}",
                hint="to carry it out: --apply copy|link|move --to FOLDER, or --xmp",
            )
        return carry_out_plan(plan, cull, env)
    if options.format_for(env) is Format.parquet:
        raise UsageError("these rows are not written as Parquet", hint="as csv, json or jsonl")
    read = options.files_read(cull.scores)
    check_output(options.output, read)
    check_output(cull.plan, (*read, ("file of -o", options.output)))
    verdicts, total, code = _verdicts(options, cull, env)
    listed = not cull.acts or options.output is not None or options.format is not None
    if listed:
        print_verdicts(options, verdicts, env)
    _summarise(verdicts, total, options, env)
    if code is ExitCode.INTERRUPTED:
        if cull.acts or cull.plan is not None:
            env.note("nothing is carried out or planned, since not all pictures are scored")
        return code
    plan = make_plan(verdicts, [path for path in options.paths if Path(path).is_dir()])
    if cull.plan is not None:
        save_plan(plan, Path(cull.plan))
        env.note(f"the plan is in {one_line(cull.plan)}: iqa cull {one_line(cull.plan)} --apply ... --to ...")
    if not cull.acts:
        return code
    done = carry_out_plan(plan, cull, env)
    return done if done is not ExitCode.OK else code


def _verdicts(
    options: ScoreOptions, cull: CullOptions, env: Environment
) -> tuple[list[Verdict], int, ExitCode]:
    """The verdicts, of how many pictures, and what the scoring says to the shell."""
    if cull.scores is not None:
        found = collect(options, env, cull.scores)
        records, code = _distinct(found.records, cull.to), found.exit_code
        paths = [record.path for record in records]
        scenes = _scenes(paths, cull, options.threads, env)
        groups = dict(zip(paths, scenes.groups, strict=True))
        _tell_unreadable(scenes, paths, env)
        numbers = [groups[record.path] for record in records]
        return _chosen(records, numbers, cull), len(paths), code
    inputs = inputs_of(options, env)
    paths = list(inputs.paths)
    for line in inputs.notes():
        env.note(line)
    for line in inputs.unreadable:
        env.error(ImageError(line))
    code = ExitCode.SOME_FAILED if inputs.unreadable else ExitCode.OK
    total = len(paths)
    scenes = _scenes(paths, cull, options.threads, env)
    groups = dict(zip(paths, scenes.groups, strict=True))
    if cull.groups_only:
        if _tell_unreadable(scenes, paths, env):
            code = ExitCode.SOME_FAILED  # they are alone, so that no record will say so
        members = Counter(scenes.groups)
        paths = [path for path, number in groups.items() if members[number] > 1]
        if not paths:
            return [], total, code
    # What is called "-" would be the list on stdin.
    given = tuple(path if path != "-" else "./-" for path in paths)
    names = dict(zip(given, paths, strict=True))
    asked = replace(options, paths=given, recursive=False, null=False, files_from=None, leave_out=None)
    found = collect(asked, env)
    numbers = [groups[names[record.path]] for record in found.records]
    return _chosen(found.records, numbers, cull), total, found.exit_code or code


def _chosen(records: Sequence[Prediction], groups: Sequence[int], cull: CullOptions) -> list[Verdict]:
    verdicts = choose(records, groups, cull.keep)
    return [verdict for verdict in verdicts if verdict.group is not None or not cull.groups_only]


def _distinct(records: Iterable[Prediction], leave_out: str | None) -> list[Prediction]:
    """The last record of each file, whatever ways lead there, without those below a folder; as inputs are."""
    found: dict[str, Prediction] = {}
    for record in records:
        found[os.path.normcase(os.path.realpath(record.path))] = record
    if leave_out is None:
        return list(found.values())
    out = os.path.join(os.path.normcase(os.path.realpath(leave_out)), "")  # noqa: PTH118
    return [record for real, record in found.items() if not real.startswith(out)]


def _scenes(paths: Sequence[str], cull: CullOptions, threads: int | None, env: Environment) -> Scenes:
    """Which pictures belong together, with progress on stderr."""
    from iqa_cli.culling.scenes import find_scenes

    with computing(env), run_progress(env) as progress:
        return find_scenes(
            [Path(path) for path in paths],
            cull.gap,
            threads or os.cpu_count() or 1,
            lambda task, done, total: progress.update(f"{task} pictures", done, total),
        )


def _tell_unreadable(scenes: Scenes, paths: Sequence[str], env: Environment) -> bool:
    """Say which pictures could not be compared; whether there are any."""
    for place, why in list(scenes.unreadable.items())[:1]:
        number = count(len(scenes.unreadable), "picture")
        env.error(ImageError(f"{number} could not be compared; the first: {one_line(paths[place])}: {why}"))
    return bool(scenes.unreadable)


def _summarise(verdicts: Sequence[Verdict], total: int, options: ScoreOptions, env: Environment) -> None:
    """What was found, in a line or three for a person."""
    groups = {verdict.group for verdict in verdicts if verdict.group is not None}
    if not groups:
        env.note(f"no two of {count(total, 'picture')} show one scene")
        return
    grouped = sum(verdict.group is not None for verdict in verdicts)
    best = [verdict for verdict in verdicts if verdict.rank == 1]
    env.note(f"{count(len(groups), 'scene')} with {grouped:,} of {count(total, 'picture')}")
    if any(verdict.sure is not None for verdict in best):
        sure = sum(verdict.sure is True for verdict in best)
        env.note(f"the best is surely better than the next in {sure:,} of {count(len(groups), 'scene')}")
    elif any(verdict.margin is not None for verdict in best):
        why = f" with --{options.mode}" if options.mode != "default" else ""
        env.note(f"the scores have no intervals{why}, so that nothing is known of how sure a margin is")
    if small := sum(verdict.small for verdict in verdicts):
        env.note(
            f"{count(small, 'picture')} passed over: less than half the pixels of the largest of the scene"
        )
