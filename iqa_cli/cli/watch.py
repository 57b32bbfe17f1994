"""`iqa watch`: the options. What is done with them is in `iqa_cli.cli.watch_run`."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.options import (
    Device,
    FastMode,
    MaxPixels,
    Models,
    NativeMode,
    Precision,
    PrecisionName,
    Quiet,
    ScoringDevice,
    ScoringThreads,
    StoreFile,
)
from iqa_cli.cli.run import ScoreOptions
from iqa_cli.errors import UsageError

_HELP = """\b
Score pictures as they arrive in a folder.

Examples:
  iqa watch incoming/ -o scores.jsonl
  iqa watch -r /mnt/camera --poll 10 -o scores.jsonl
  iqa watch incoming/ --new | jq --unbuffered 'select(.score < 40).path'
  iqa watch incoming/ -o scores.jsonl --timeout 0

What is in FOLDER already is scored first, then whatever comes. A picture is
looked at when it is whole: unchanged in size and time for --settle seconds
and, where the system tells (Linux), closed by what wrote it. Names that begin
with a dot or end in .part, .partial, .crdownload, .tmp or ~ are left alone
until they are renamed. What has changed since its row is scored again.

Rows are JSON Lines, those of 'iqa score' with two more fields: modified and
bytes, of the file. -o FILE is added to, and is the memory: a later start
scores only what has no row in it, or was changed since, or could not be
scored. On stdout nothing is remembered. --store keeps scores by content, so
that a picture that was moved or copied gets its row without the network.

A picture that cannot be scored is a row with an error, and is tried again
when it changes. A folder that vanishes is waited for. The system tells of no
changes that other machines make on a network disk: there use --poll.

Exit codes: 130 interrupted; with --timeout 0, or 3 if some pictures could not
be scored; 2 wrong usage or no place for the rows, 4 weights not available.
"""


def watch(
    context: typer.Context,
    folders: Annotated[list[str], typer.Argument(metavar="FOLDER", help="Folders to watch.")],
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Sub-folders, too.", rich_help_panel="Inputs")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Pass over what is there at first.", rich_help_panel="Inputs")
    ] = False,
    settle: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Unchanged for so long is whole.", rich_help_panel="Inputs"),
    ] = 2.0,
    poll: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Look every so often instead of waiting for word from the system: for network disks.",
            rich_help_panel="Inputs",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="End when no picture has come for so long.", rich_help_panel="Inputs"
        ),
    ] = None,
    max_pixels: MaxPixels = 250_000_000,
    model: Models = None,
    native: NativeMode = False,
    fast: FastMode = False,
    device: ScoringDevice = Device.auto,
    precision: Precision = PrecisionName.auto,
    threads: ScoringThreads = None,
    store: StoreFile = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Add rows to FILE (- is stdout).", rich_help_panel="Output"
        ),
    ] = None,
    quiet: Quiet = False,
) -> int:
    env: Environment = context.obj
    env.quiet |= quiet
    for name, value, least in (("--settle", settle, 0.05), ("--poll", poll, 0.05), ("--timeout", timeout, 0)):
        if value is not None and not least <= value < math.inf:
            raise UsageError(f"{name} takes seconds, at least {least:g}")
    from iqa_cli.cli.watch_run import WatchOptions, run_watch

    options = ScoreOptions(
        paths=(),
        max_pixels=max_pixels,
        models=tuple(model or ()),
        native=native,
        fast=fast,
        device=device.value,
        precision=precision.value,
        threads=threads,
        store=store,
        output=output,
    )
    return int(run_watch(WatchOptions(tuple(folders), recursive, settle, poll, new, timeout), options, env))


watch.__doc__ = _HELP
