"""`iqa report`: the options. What is done with them is in `iqa_cli.cli.report_run`."""

from __future__ import annotations

from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import command_line
from iqa_cli.cli.options import (
    Device,
    FastMode,
    FilesFrom,
    FolderPaths,
    MaxPixels,
    Models,
    NativeMode,
    NullSeparated,
    Precision,
    PrecisionName,
    Quiet,
    ScoredBefore,
    ScoringDevice,
    ScoringThreads,
    StoreFile,
    WalksAnyway,
)
from iqa_cli.cli.run import ScoreOptions

_HELP = """\b
Write a page that shows pictures with their scores: to sort, filter and look at.

\b
Examples:
  iqa report holiday/ -o report.html
  iqa report holiday/ -o report.html --store scores.db --maps 20
  iqa score -r holiday/ -o scores.csv && iqa report --scores scores.csv -o report.html

\b
The page needs no program but a browser, and asks nothing of any other machine.
Up to 300 pictures (--embed) stand in the page itself, reduced; of more, beside
it in a folder (report_files for report.html), which has to go with it. The
large view shows the picture itself where the page still finds it.
With --maps N the worst N have their map (iqa map), which takes about fifteen
times as long as a score of a large photograph. With --store, a second run
scores only what is new.
Ctrl-C ends the scoring; the page then shows what is done.

\b
Exit codes: 0, 2 wrong usage or no place for the page, 3 some pictures could
not be scored (they are on the page), 4 weights or scores not available,
130 interrupted.
"""


def report(
    context: typer.Context,
    paths: FolderPaths = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="The page.", rich_help_panel="Page"),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Its title. Default: the inputs.", rich_help_panel="Page"),
    ] = None,
    maps: Annotated[
        int, typer.Option(min=0, metavar="N", help="Maps of the N worst.", rich_help_panel="Page")
    ] = 0,
    embed: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Up to N pictures stand in the page itself.", rich_help_panel="Page"
        ),
    ] = 300,
    recursive: WalksAnyway = True,
    null: NullSeparated = False,
    files_from: FilesFrom = None,
    scores: ScoredBefore = None,
    max_pixels: MaxPixels = 250_000_000,
    model: Models = None,
    native: NativeMode = False,
    fast: FastMode = False,
    device: ScoringDevice = Device.auto,
    precision: Precision = PrecisionName.auto,
    threads: ScoringThreads = None,
    store: StoreFile = None,
    quiet: Quiet = False,
) -> int:
    from iqa_cli.cli.report_run import ReportOptions, run_report

    env: Environment = context.obj
    env.quiet |= quiet
    options = ScoreOptions(
        paths=tuple(paths or ()),
        recursive=recursive,
        null=null,
        files_from=files_from,
        max_pixels=max_pixels,
        models=tuple(model or ()),
        native=native,
        fast=fast,
        device=device.value,
        precision=precision.value,
        threads=threads,
        output=output,
        store=store,
    )
    page = ReportOptions(scores, title, maps=maps, embed=embed, command=command_line(context))
    return int(run_report(options, page, env))


report.__doc__ = _HELP
