"""`iqa gmad`: the pairs of pictures on which models disagree most, and who is right."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.completing import complete_database, complete_weight
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import command_line, given_flags, interruptible
from iqa_cli.cli.options import (
    DatabaseFolders,
    Device,
    DeviceOption,
    HeldOut,
    KeptScores,
    Quiet,
    SplitFiles,
    Threads,
)
from iqa_cli.errors import UsageError

_HELP = """\b
Find the pairs of pictures on which two models disagree most (gMAD), show
them, have people judge them, and say which model was falsified.

\b
Examples:
  iqa gmad --a mfenet --b vcrnet photos/ -o OUT
  iqa gmad --a mfenet --b niqe --dataset csiq --root CSIQ/ --split all
  iqa gmad --a scores_a.csv --b scores_b.csv --pairs 20 --format json
  iqa gmad --model mfenet --model vcrnet --model brisque photos/ -o OUT
  iqa gmad --judge OUT     then: iqa gmad --verdict OUT
  iqa gmad --report OUT

\b
Each model defends itself against every other one: of all pairs that the
defender holds for equal (--tolerance) at a level of its quality (--level),
those are taken that the attacker tells apart most, exactly, and without a
picture in two pairs of one list. Where people see what the attacker sees,
the defender is falsified; where they see nothing, the attacker is.

\b
A model is a weight, a baseline (brisque, niqe, piqe, laplacian) or a file
of scores: CSV with the columns path and score, or JSON; NAME=FILE names it.
The pool is a folder (with labels.csv as iqa data synth writes it, also the
references are known), a part of a database, or the pictures that the first
file of scores names. Scores are put on a common scale first: ranks, or
with --scale logistic the curve fitted to the opinions of the pool.

\b
Levels: low and high are the quarters of the pool that the defender ranks
lowest and highest, mid the one in the middle, all everything, 40-60 those
percent. --tolerance is in points of the common scale, or with % in percent
of the standard deviation of the defender's scores. Near-duplicates never
form a pair; distorted copies of one known reference may (--content).

\b
With opinions known, a second table says how often they agree with the
attacker, with 95 % intervals. -o writes a folder: the pairs with catch
trials (gmad.json), scores, and the figure with four panels (PNG, PDF).

\b
Exit codes: 0 done, 2 wrong usage, 3 pictures missing or not scored,
4 weight or data not available, 130 interrupted.
"""
#: Options that go with the folder of a competition; all others are for mining.
_OF_FOLDERS = {"judge", "verdict", "report", "form", "quiet", "host", "port", "output"}


class GmadFormat(str, Enum):
    """How the pairs are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class ScaleName(str, Enum):
    """The common scale of models."""

    rank = "rank"
    logistic = "logistic"


class ContentName(str, Enum):
    """References of a pair."""

    any = "any"
    different = "different"
    same = "same"


def gmad(
    context: typer.Context,
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="FOLDER", show_default=False, help="The pool: folders of pictures."),
    ] = None,
    a: Annotated[
        str | None, typer.Option("--a", metavar="MODEL", help="One model.", autocompletion=complete_weight)
    ] = None,
    b: Annotated[
        str | None,
        typer.Option("--b", metavar="MODEL", help="The other model.", autocompletion=complete_weight),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Further models: every one meets every other.",
            autocompletion=complete_weight,
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            "--data",
            metavar="NAME",
            help="The pool: a database (iqa data list).",
            autocompletion=complete_database,
        ),
    ] = None,
    root: DatabaseFolders = None,
    split_file: SplitFiles = None,
    split: Annotated[
        str | None, typer.Option(metavar="PART", help="Part of it, or all; val, else test, else all.")
    ] = None,
    scale_range: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LOW HIGH", help="Scale of the opinions of a csv."),
    ] = None,
    lower_is_better: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The scores of this file fall with quality.")
    ] = None,
    held_out: HeldOut = False,
    unseen_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WEIGHT",
            help="The same for this weight, of which a file has the scores.",
            autocompletion=complete_weight,
        ),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out pictures without a score, and say so.")
    ] = False,
    level: Annotated[
        list[str] | None,
        typer.Option(metavar="LEVEL", help="low, mid, high, all or LOW-HIGH, once or more; low and high."),
    ] = None,
    pairs: Annotated[
        int, typer.Option("--pairs", "-k", min=1, max=10_000, help="Pairs of each level and direction.")
    ] = 5,
    tolerance: Annotated[
        str, typer.Option(metavar="POINTS|%", help="What the defender holds for equal.")
    ] = "1",
    scale: Annotated[ScaleName, typer.Option(help="Common scale of the models.")] = ScaleName.rank,
    content: Annotated[
        ContentName, typer.Option(help="Whether the pictures of a pair have one reference.")
    ] = ContentName.any,
    proxy: Annotated[
        bool, typer.Option("--proxy", help="Ask full-reference metrics, as a proxy of opinions.")
    ] = False,
    catch: Annotated[
        int, typer.Option(min=0, max=100, help="Catch trials; fewer than 3 leave no observer out.")
    ] = 4,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help="Write a folder to judge from.")
    ] = None,
    form: Annotated[GmadFormat, typer.Option("--format", help="Of what is printed.")] = GmadFormat.table,
    judge: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Serve the page on which people judge the pairs.")
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of --judge; 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of --judge; 0 takes a free one.")
    ] = None,
    verdict: Annotated[Path | None, typer.Option(metavar="OUT", help="What the votes say.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT", help="The same as a page (OUT/report.html, or -o FILE).")
    ] = None,
    store: KeptScores = None,
    device: DeviceOption = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> int:
    env = context.obj if isinstance(context.obj, Environment) else Environment.of_process()
    env.quiet |= quiet
    modes = [mode for mode in ("judge", "verdict", "report") if context.params.get(mode) is not None]
    _check_modes(context, modes)
    with interruptible(env, otherwise=""):
        if modes:
            from iqa_cli.cli import gmad_judge

            if judge is not None:
                address = gmad_judge.HOST if host is None else host
                gmad_judge.judge(env, judge, host=address, port=gmad_judge.PORT if port is None else port)
            elif verdict is not None:
                gmad_judge.verdict(env, verdict, kind=form.value, output=output)
            elif report is not None:
                gmad_judge.report(env, report, output=output, command=command_line(context))
            return 0
        from iqa_cli.cli.gmad_pool import PoolOptions
        from iqa_cli.cli.gmad_run import RunOptions, run_gmad
        from iqa_cli.gmad.compete import Settings

        pool = PoolOptions(
            models=tuple(entry for entry in (a, b, *(model or ())) if entry is not None),
            folders=tuple(folders or ()),
            datasets=tuple(dataset or ()),
            roots=tuple(root or ()),
            split=split,
            split_files=tuple(split_file or ()),
            scale=scale_range,
            lower_is_better=tuple(lower_is_better or ()),
            held_out=held_out,
            unseen_by=tuple(unseen_by or ()),
            allow_missing=allow_missing,
            device=device.value,
            threads=threads,
            store=store,
        )
        settings = Settings(tuple(level or ("low", "high")), pairs, tolerance, scale.value, content.value)
        place = None if output is None else Path(output)
        options = RunOptions(place, form.value, catch, proxy, command_line(context))
        return int(run_gmad(pool, settings, options, env))


def _check_modes(context: typer.Context, modes: list[str]) -> None:
    """What is done with the folder of a competition takes no options of the mining, and the reverse."""
    given = given_flags(context)
    if len(modes) > 1:
        raise UsageError(f"--{modes[0]} and --{modes[1]} exclude each other")
    for option in ("host", "port"):
        if option in given and modes != ["judge"]:
            raise UsageError(f"--{option} is for --judge")
    if not modes:
        return
    mixed = sorted(set(given) - _OF_FOLDERS)
    if modes == ["judge"]:
        mixed += [name for name in ("form", "output") if name in given]
    elif modes == ["report"] and "form" in given:
        mixed.append("form")
    if mixed:
        names = {p.name: max(p.opts, key=len) for p in context.command.params}
        raise UsageError(f"--{modes[0]} takes no {names[mixed[0]]}", hint="the folder says all of the pairs")


gmad.__doc__ = _HELP
