"""`iqa cull`: the options. What is done with them is in `iqa_cli.cli.cull_run` and `cull_do`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.cull_options import CullOptions
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
    Quiet,
    RowFormat,
    RowOutput,
    ScoredBefore,
    ScoringDevice,
    ScoringThreads,
    StoreFile,
    WalksAnyway,
)
from iqa_cli.cli.run import ScoreOptions
from iqa_cli.culling.choosing import Keep
from iqa_cli.culling.rating import Naming
from iqa_cli.culling.steps import Action
from iqa_cli.errors import UsageError

_HELP = """\b
Find pictures of one scene, and keep the best of each.

\b
Examples:
  iqa cull holiday/                                   # look
  iqa cull holiday/ --apply copy --to picks/          # the best, and what is alone
  iqa cull holiday/ --rest --apply move --to rest/    # or the others out of the way
  iqa cull holiday/ --plan plan.json                  # or decide first
  iqa cull plan.json --apply link --to picks/
  iqa cull --undo picks/iqa-cull-20261121-230510.jsonl
  iqa cull holiday/ --xmp full                        # 1 to 5 stars beside each picture

\b
A scene is a group of near-duplicates (copies in other sizes or formats, shots
from nearly one place), or a burst: pictures of one camera that are alike and
were taken at most --gap seconds apart, by their EXIF. The margin of the best is
its lead over the next, that of another picture how far it is behind the best.
It is sure where it exceeds the uncertainty, which the intervals of the two
scores give; where it is not, look yourself, or use --keep close. With --fast
and --native scores have no intervals, so that this is not known. A picture
with less than half the pixels of the largest of its scene is not the best of
it: a reduced copy looks sharper than it is.

\b
Nothing is ever deleted or overwritten. A name that is taken gets a number.
Sidecars (.xmp, .pp3, .dop) and the RAW file of the same name go along. A journal
is written before the first file is touched: --undo takes all back, --resume
goes on after an interruption or a full disk.

\b
Stars: 1 below 20, 2 from 20, 3 from 40, 4 from 60, 5 from 80 points (--stars).
full is photo.jpg.xmp (darktable, digiKam), stem is photo.xmp (Adobe).
A sidecar that is there stays as it is; with --rerate its rating is changed, and
nothing else in it.

\b
Rows of csv, tsv (without a header), json and jsonl are those of 'iqa score' and
group, members, rank, keep, margin, uncertainty, sure, small.

\b
Exit codes: 0, 2 wrong usage or the disk is full, 3 some pictures could not be
scored, or some files not be carried, 4 weights or scores not available, 130
interrupted.
"""


def cull(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="Folders (walked), pictures, patterns, - for a list on stdin; or one plan.",
        ),
    ] = None,
    recursive: WalksAnyway = True,
    null: NullSeparated = False,
    files_from: FilesFrom = None,
    scores: ScoredBefore = None,
    max_pixels: MaxPixels = 250_000_000,
    gap: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Most time between two shots of a burst; 0 does not look at the time.",
            rich_help_panel="Choice",
        ),
    ] = 2.0,
    keep: Annotated[
        Keep,
        typer.Option(
            help="What to keep of a scene: close also keeps what is not surely worse than the best.",
            rich_help_panel="Choice",
        ),
    ] = Keep.best,
    groups_only: Annotated[
        bool,
        typer.Option(
            "--groups-only",
            help="Leave out pictures that are alone: they are not even scored.",
            rich_help_panel="Choice",
        ),
    ] = False,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write the choice as JSON, to change it.", rich_help_panel="Carrying out"
        ),
    ] = None,
    apply: Annotated[
        Action | None,
        typer.Option(help="What to do with those that are kept.", rich_help_panel="Carrying out"),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where to.", rich_help_panel="Carrying out")
    ] = None,
    rest: Annotated[
        bool,
        typer.Option(
            "--rest", help="Do it with those that are not kept instead.", rich_help_panel="Carrying out"
        ),
    ] = False,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The journal. Default: iqa-cull-TIME.jsonl in --to, else here.",
            rich_help_panel="Carrying out",
        ),
    ] = None,
    undo: Annotated[
        str | None,
        typer.Option(metavar="JOURNAL", help="Take back what it tells of.", rich_help_panel="Carrying out"),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="JOURNAL", help="Do what is left of it.", rich_help_panel="Carrying out"),
    ] = None,
    xmp: Annotated[
        Naming | None,
        typer.Option(help="Write stars into sidecars called so.", rich_help_panel="Ratings"),
    ] = None,
    stars: Annotated[
        tuple[float, float, float, float],
        typer.Option(
            metavar="TWO THREE FOUR FIVE",
            help="Points from which on there are so many stars.",
            rich_help_panel="Ratings",
        ),
    ] = (20, 40, 60, 80),
    rerate: Annotated[
        bool,
        typer.Option(
            "--rerate", help="Change the rating in sidecars that are there.", rich_help_panel="Ratings"
        ),
    ] = False,
    model: Models = None,
    native: NativeMode = False,
    fast: FastMode = False,
    device: ScoringDevice = Device.auto,
    precision: Precision = PrecisionName.auto,
    threads: ScoringThreads = None,
    store: StoreFile = None,
    output_format: RowFormat = None,
    output: RowOutput = None,
    quiet: Quiet = False,
) -> int:
    """The text of the help is `_HELP`."""
    env: Environment = context.obj
    env.quiet |= quiet
    if not 0 <= gap < math.inf:
        raise UsageError("--gap takes seconds, at least 0")
    given = CullOptions(
        scores=scores,
        gap=gap,
        keep=keep,
        groups_only=groups_only,
        plan=plan,
        apply=apply,
        to=to,
        rest=rest,
        journal=None if journal is None else Path(journal),
        xmp=xmp,
        stars=stars,
        rerate=rerate,
    )
    if undo is not None or resume is not None:
        from iqa_cli.cli.cull_do import run_resume, run_undo

        if (undo is not None and resume is not None) or paths or apply is not None or xmp is not None:
            raise UsageError("--undo and --resume go alone: the journal says all that they need")
        return int(run_resume(Path(str(resume)), env) if undo is None else run_undo(Path(undo), env))
    from iqa_cli.cli.cull_run import run_cull

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
        format=output_format,
        output=output,
        store=store,
        leave_out=to,
    )
    return int(run_cull(options, given, env))


cull.__doc__ = _HELP
