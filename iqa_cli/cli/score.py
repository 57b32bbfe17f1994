"""`iqa score`: the options. What is done with them is in `iqa_cli.cli.run`."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from enum import Enum
from typing import Annotated

import typer

from iqa_cli.cli.arrange import Sort
from iqa_cli.cli.context import Environment
from iqa_cli.cli.options import (
    Device,
    FastMode,
    FilesFrom,
    MaxPixels,
    Models,
    NativeMode,
    NullSeparated,
    Precision,
    PrecisionName,
    Recursive,
    RowFormat,
    RowOutput,
    ScoringDevice,
    ScoringThreads,
    StoreFile,
)
from iqa_cli.cli.run import ScoreOptions, run_score
from iqa_cli.cli.sinks import COLUMNS
from iqa_cli.images.policy import SizePolicy

# Of the shipped weights; their shares of the looks differ a little.
_SHIPPED = SizePolicy(crop=288)
_POLICY = "\n".join(
    textwrap.fill(line, 74, initial_indent="- ", subsequent_indent="  ") for line in _SHIPPED.describe()
)

_HELP = f"""\b
Score photographs: 0 to 100, higher is better.

Examples:
  iqa score photo.jpg
  iqa score -r holiday/ --sort score -o scores.csv
  find . -name '*.jpg' -print0 | iqa score -0 - --format jsonl
  iqa score -r holiday/ --model mfenet --model mine.safetensors
  iqa score -r library/ --store scores.db

The score is 100 times the mean opinion score (MOS, 0 to 1) that people are
predicted to give. See 'iqa models show mfenet' for what it was measured on.
The spread is the standard deviation of the scores of the crops, in points.
low and high are the interval of the score: of photographs like those that the
weight was calibrated on, the opinion of 90 % lies within. They are empty where
a weight has none, and with --native and --fast.
In the table, 'above 70 %' means that people's scores of 70 % of the pictures
that the weight was trained on are lower (given from 1 to 99 %).

What is looked at (sizes of the shipped weights; 'iqa models show NAME' has
the sizes and shares of any weight):
{_POLICY}

Rows of csv, tsv (without a header), json and jsonl have the fields
{", ".join(COLUMNS)}
A picture that cannot be scored is a row with an error and no score.
json and jsonl also have scores and intervals, by model, and errors, by model
where there is one. With several --model, each picture is decoded once; the fields above are
of the first, by whose score rows are sorted, chosen and compared with
--fail-below; csv and tsv get a column scores.NAME for each further one.

Exit codes: 0 all scored, 1 a score under --fail-below, 2 wrong usage,
3 some pictures could not be scored, 4 weights not available, 130 interrupted.
1 is told before 3, unless --strict-inputs.
"""


class EngineName(str, Enum):
    """What computes the network; all but torch are extras."""

    torch = "torch"
    onnxruntime = "onnxruntime"
    openvino = "openvino"
    ray = "ray"


def score(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="Pictures, folders (with -r), patterns, or - for a list on stdin.",
        ),
    ] = None,
    recursive: Recursive = False,
    null: NullSeparated = False,
    files_from: FilesFrom = None,
    max_pixels: MaxPixels = 250_000_000,
    no_exif: Annotated[
        bool, typer.Option("--no-exif", help="Ignore the EXIF orientation.", rich_help_panel="Inputs")
    ] = False,
    model: Models = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A .safetensors file instead of a name.", rich_help_panel="Scoring"
        ),
    ] = None,
    native: NativeMode = False,
    fast: FastMode = False,
    device: ScoringDevice = Device.auto,
    precision: Precision = PrecisionName.auto,
    engine: Annotated[
        EngineName | None,
        typer.Option(
            help="What computes. Default: torch; of what 'iqa export' has written, one of the next two; "
            "ray is the same on the machines of a cluster.",
            rich_help_panel="Scoring",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --engine ray: the cluster, HOST:PORT or auto; else one on this machine.",
            rich_help_panel="Scoring",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --engine ray: processes. Default: one a CPU.", rich_help_panel="Scoring"
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Crops computed at once.", rich_help_panel="Scoring")
    ] = None,
    threads: ScoringThreads = None,
    store: StoreFile = None,
    reread: Annotated[
        bool,
        typer.Option(
            "--reread",
            help="With --store: read also files that look unchanged.",
            rich_help_panel="Scoring",
        ),
    ] = False,
    output_format: RowFormat = None,
    output: RowOutput = None,
    sort: Annotated[
        Sort, typer.Option(help="Order of rows; score is best first.", rich_help_panel="Output")
    ] = Sort.input,
    top: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the N best, best first.", rich_help_panel="Output"),
    ] = None,
    bottom: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the N worst, worst first.", rich_help_panel="Output"),
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="Exit 1 if a score is lower, both to two decimals.",
            rich_help_panel="Exit code",
        ),
    ] = None,
    strict_inputs: Annotated[
        bool,
        typer.Option("--strict-inputs", help="3 is told before 1.", rich_help_panel="Exit code"),
    ] = False,
    exit_zero: Annotated[
        bool,
        typer.Option("--exit-zero", help="Exit 0 instead of 1 or 3.", rich_help_panel="Exit code"),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Only errors on stderr.", rich_help_panel="Messages")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; so does NO_COLOR.", rich_help_panel="Messages")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel="Messages")
    ] = False,
) -> int:
    """The text of the help is `_HELP`, which states the size policy as the code has it."""
    env = context.obj if isinstance(context.obj, Environment) else Environment.of_process()
    env.quiet |= quiet
    env.debug |= debug
    env.colour &= not no_color
    options = ScoreOptions(
        paths=tuple(paths or ()),
        recursive=recursive,
        null=null,
        files_from=files_from,
        max_pixels=max_pixels,
        exif=not no_exif,
        models=tuple(model or ()),
        weights=weights,
        native=native,
        fast=fast,
        device=device.value,
        precision=precision.value,
        engine="auto" if engine is None else engine.value,
        address=address,
        workers=workers,
        batch_size=batch_size,
        threads=threads,
        format=output_format,
        output=output,
        sort=sort,
        top=top,
        bottom=bottom,
        fail_below=fail_below,
        strict_inputs=strict_inputs,
        exit_zero=exit_zero,
        store=store,
        reread=reread,
    )
    if not options.paths and files_from is None and not null:
        # Nothing was asked: say how to ask, as a failure so that a script notices.
        with contextlib.redirect_stdout(sys.stderr):
            typer.echo(context.get_help())
    return int(run_score(options, env))


score.__doc__ = _HELP
