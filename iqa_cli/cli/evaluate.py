"""`iqa eval`: measure weights, baselines and scores from elsewhere against opinion scores."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.completing import complete_baseline, complete_database, complete_weight
from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_run import EvalOptions, run_eval
from iqa_cli.cli.long_run import command_line, given_flags
from iqa_cli.cli.options import (
    DatabaseFolders,
    Device,
    DeviceOption,
    HeldOut,
    KeptScores,
    OpinionRange,
    Quiet,
    SplitFiles,
    Threads,
)
from iqa_cli.errors import UsageError

_HELP = """\b
Measure weights, and whatever else gives scores, against human opinion.

\b
Examples:
  iqa eval --dataset biq2021 --root BIQ2021/
  iqa eval --dataset csv --root my-photos/ --range 1 5 --format json
  iqa eval --root BIQ2021/ --split val --model ./mine.safetensors --record
  iqa eval --dataset csiq --by distortion --by level --baseline brisque
  iqa eval --dataset csiq --dataset livec --model mfenet --model vcrnet \\
    --root csiq=CSIQ/ --root livec=LIVEC/ --format markdown -o table.md
  iqa eval --dataset csv --root my-photos/ --scores niqe.csv \\
    --lower-is-better niqe
  iqa eval --exploration PRISTINE/

\b
SRCC and KRCC are of the scores as iqa score prints them, PLCC of the same
and after the 4-parameter logistic fitted on this very part, RMSE after it,
in points; outliers are the share that it misses by more than two standard
deviations of the opinions, where the database has these. Signs are kept.
95 % intervals resample groups (one reference, near-duplicates), not
pictures; fewer than three groups have none. A picture that is missing or
cannot be scored ends the run, since figures on fewer pictures would
flatter, unless --allow-missing is given. A row of which no correlation is
defined is a row of '-' (null in JSON).

\b
Several scorers on one database are rows, on several databases a matrix:
bold (a star where nothing can be bold) is the best and what is not
significantly worse, and only where some are; the footnote names the tests.

\b
Without --split the part val is measured, else test, else all pictures.
The column seen counts pictures that a weight was trained on, by the hash
of their pixels and whatever their names, and ! marks such rows; '-' where
that is not known. --held-out leaves these pictures out for all scorers.

\b
A csv database is a folder with labels.csv: columns image and mos (or dmos,
lower is better), optional ref, group, distortion, level, split, subset, and
sd (standard deviation of the opinions). A file of scores is CSV with the
columns path and score, or JSON; with files of scores only, the pictures
need not be there.

\b
Exit codes: 0 measured, 2 wrong usage, 3 a picture cannot be scored,
4 weight or data not available, 130 interrupted.
"""
#: Options that say something of databases, and nothing of --exploration or --stability.
_OF_DATABASES = {
    "dataset": "--dataset",
    "root": "--root",
    "split_file": "--split-file",
    "scale": "--range",
    "scores": "--scores",
    "lower_is_better": "--lower-is-better",
    "by": "--by",
    "held_out": "--held-out",
    "record": "--record",
    "report": "--report",
    "store": "--store",
}


class EvalFormat(str, Enum):
    """How the figures are printed."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"


class Kind(str, Enum):
    """What a part can be taken apart by."""

    subset = "subset"
    distortion = "distortion"
    level = "level"
    ref = "ref"


def evaluate(
    context: typer.Context,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            "--data",
            metavar="NAME",
            help="Database (iqa data list), once or more; biq2021 if not given.",
            autocompletion=complete_database,
        ),
    ] = None,
    root: DatabaseFolders = None,
    split_file: SplitFiles = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Part to measure on, or NAME=PART; all for everything. Default: see above. Of a folder: "
            "a part of its sources.csv.",
        ),
    ] = None,
    scale: OpinionRange = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Weight: a name or a .safetensors file, once or more; mfenet if no scorer is given.",
            autocompletion=complete_weight,
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="brisque, niqe, piqe or laplacian, once or more.",
            autocompletion=complete_baseline,
        ),
    ] = None,
    scores: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Scores from elsewhere, once or more; NAME=FILE names their scorer."
        ),
    ] = None,
    lower_is_better: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="The scores of this --scores fall with quality."),
    ] = None,
    by: Annotated[
        list[Kind] | None, typer.Option(help="Rows of each value, once or more; subset if not given.")
    ] = None,
    held_out: HeldOut = False,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Leave out pictures that cannot be scored, and say so."),
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Write the figures into the weight's card.")
    ] = False,
    form: Annotated[
        EvalFormat | None, typer.Option("--format", help="Default: by the name of -o, else table.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write to FILE (- is stdout).")
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a page with charts (HTML), too.")
    ] = None,
    store: KeptScores = None,
    device: DeviceOption = Device.auto,
    threads: Threads = None,
    exploration: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="D-, L- and P-test over undistorted photographs, no opinions needed."
        ),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Distortions of --exploration: names or all. Default: 4."),
    ] = None,
    stability: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="How far scores move under changes that nobody sees."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most N pictures of --exploration or --stability."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    env = context.obj if isinstance(context.obj, Environment) else Environment.of_process()
    env.quiet |= quiet
    options = EvalOptions(
        models=tuple(model or ()),
        baselines=tuple(baseline or ()),
        scores=tuple(scores or ()),
        lower_is_better=tuple(lower_is_better or ()),
        datasets=tuple(dataset or ()),
        roots=tuple(root or ()),
        splits=tuple(split or ()),
        split_files=tuple(split_file or ()),
        scale=scale,
        by=tuple(kind.value for kind in by or ()),
        held_out=held_out,
        allow_missing=allow_missing,
        record=record,
        form=None if form is None else form.value,
        output=output,
        report=report,
        store=store,
        device=device.value,
        threads=threads,
        command=command_line(context),
    )
    folder = exploration or stability
    if folder is None:
        for option, value in (("--types", types), ("--limit", limit)):
            if value is not None:
                hint = "--exploration" if option == "--types" else "--exploration or --stability"
                raise UsageError(f"{option} is for {hint}", hint="a part of a database is measured whole")
        return run_eval(options, env)
    _check_alone(context, "--stability" if exploration is None else "--exploration")
    if exploration is not None:
        from iqa_cli.cli.eval_exploration import explore
        from iqa_cli.cli.eval_folder import without_opinions

        return without_opinions(explore, folder, options, env, types=types, limit=limit)
    from iqa_cli.cli.eval_folder import without_opinions
    from iqa_cli.cli.eval_stability import stability as move

    return without_opinions(move, folder, options, env, limit=limit)


def _check_alone(context: typer.Context, mode: str) -> None:
    given = given_flags(context)
    if {"exploration", "stability"} <= set(given):
        raise UsageError("--exploration and --stability exclude each other")
    if mode == "--stability" and "types" in given:
        raise UsageError("--types is for --exploration")
    mixed = [option for name, option in _OF_DATABASES.items() if name in given]
    if mixed:
        raise UsageError(
            f"{mode} takes a folder and no opinions: {', '.join(mixed)} has no meaning beside it",
            hint="measure on databases in a run of its own",
        )


evaluate.__doc__ = _HELP
