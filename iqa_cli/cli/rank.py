"""`iqa rank`: where each picture stands among the others and among those of the training, and on which of
them a score means little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.collect import Collected, collect
from iqa_cli.cli.context import Environment
from iqa_cli.cli.interrupt import computing
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
    RowFormat,
    RowOutput,
    ScoredBefore,
    ScoringDevice,
    ScoringThreads,
    StoreFile,
    WalksAnyway,
)
from iqa_cli.cli.output import Output, check_output
from iqa_cli.cli.run import ScoreOptions
from iqa_cli.cli.sinks import Format, Sink, plain_sink
from iqa_cli.errors import ExitCode, ImageError, UsageError
from iqa_cli.standing import Share, Standing, best_first, standings, worst_first
from iqa_cli.text import count, printable

if TYPE_CHECKING:
    from iqa_cli.card import Card

# Behind the columns of `iqa score`.
_MORE = ("rank", "percentile", "percentile_training", "warnings")

_HELP = """\b
Rank pictures: best first, with where each one stands and what to be wary of.

\b
Examples:
  iqa rank holiday/
  iqa rank holiday/ --top 10%
  iqa rank holiday/ --bottom 20 -o worst.csv --store scores.db
  iqa score -r holiday/ -o scores.csv && iqa rank --scores scores.csv --top 10%

\b
Rows are those of 'iqa score' with four more fields:
- rank: 1 is the best; equal scores share a rank
- percentile: share of the other pictures here that score lower, in %
- percentile_training: share of the opinions in training that are lower, in %
- warnings: why the score may mean little (csv and tsv: parted by spaces)

\b
The warnings (docs/report.md has the thresholds, and how they were chosen):
- tiny: a side is under one crop of the network
- flat, black, blown-out: there is next to nothing in it
- far-from-training: hardly any training photograph has such light, edges and
  colours (drawings, screenshots, noise, patterns)
- end-of-scale: at the end of the calibration, where scores run together
All but tiny and end-of-scale take a look: each picture that is listed is
decoded once more, reduced. --no-look leaves that out. A share such as 10% is
rounded, to one picture at least; pictures without a score do not count, and
come last.

\b
Exit codes: 0, 2 wrong usage, 3 some pictures could not be scored, 4 weights
or scores not available, 130 interrupted (what is done is ranked).
"""


def rank(
    context: typer.Context,
    paths: FolderPaths = None,
    top: Annotated[
        str | None,
        typer.Option(metavar="N|N%", help="The N best, or that share of all.", rich_help_panel="Rows"),
    ] = None,
    bottom: Annotated[
        str | None,
        typer.Option(metavar="N|N%", help="The N worst, or that share, worst first.", rich_help_panel="Rows"),
    ] = None,
    no_look: Annotated[
        bool,
        typer.Option("--no-look", help="Only warnings that records alone tell.", rich_help_panel="Rows"),
    ] = False,
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
    output_format: RowFormat = None,
    output: RowOutput = None,
    quiet: Quiet = False,
) -> int:
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
        store=store,
        format=output_format,
        output=output,
    )
    if top is not None and bottom is not None:
        raise UsageError("--top and --bottom exclude each other")
    few = Share.parse(top, "--top") if top is not None else None
    few = Share.parse(bottom, "--bottom") if bottom is not None else few
    check_output(output, options.files_read(scores))
    options.format_for(env)  # refused before anything is looked at
    found = collect(options, env, scores)
    ranked = standings(found.records, found.card)
    chosen = worst_first(ranked) if bottom is not None else best_first(ranked)
    if few is not None:
        chosen = chosen[: few.of(sum(one.rank is not None for one in ranked))]
    with computing(env):
        interrupted = _print(chosen, found, options, env, look=not no_look) or found.interrupted
    return int(ExitCode.INTERRUPTED if interrupted else found.exit_code)


rank.__doc__ = _HELP


def _print(
    chosen: Sequence[Standing], found: Collected, options: ScoreOptions, env: Environment, *, look: bool
) -> bool:
    """Print the rows as their pictures have been looked at; returns whether an interrupt came, after which
    the rest is printed without a look."""
    form = options.format_for(env)
    output = Output(env, options.output, direct=form is Format.jsonl)
    interrupted = False
    try:
        sink = _sink(form, output, chosen, found.card, options, env)
        sink.start()
        gone: list[str] = []
        warned = _warnings(chosen, found.card, options.max_pixels, gone, look=look)
        for place, one in enumerate(chosen):
            try:
                warnings = next(warned)
            except KeyboardInterrupt:
                interrupted = True
                warned = _warnings(chosen[place:], found.card, options.max_pixels, gone, look=False)
                warnings = next(warned)
            sink.row(one.record, _more(one, warnings))
        sink.finish()
        output.close()
        if gone:
            env.note(
                f"{count(len(gone), 'picture')} cannot be looked at for warnings: not there any more, or not "
                f"under that name from here (first: {printable(gone[0])})"
            )
    except BrokenPipeError:
        pass  # the reader has seen enough
    except BaseException:
        output.discard()
        raise
    return interrupted


def _sink(
    form: Format,
    output: Output,
    chosen: Sequence[Standing],
    card: Card | None,
    options: ScoreOptions,
    env: Environment,
) -> Sink:
    further = dict.fromkeys(name for one in chosen for name in one.record.scores if name != one.record.model)
    if form is not Format.table:
        return plain_sink(form, output, list(further), _MORE)
    from iqa_cli.cli.table import table_for

    calibrated = options.mode == "default"
    return table_for(env, output, options.output, card, list(further), calibrated=calibrated, ranked=True)


def _more(one: Standing, warnings: tuple[str, ...]) -> dict[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    values = (one.rank, rounded(one.percentile), rounded(one.percentile_training), list(warnings))
    return dict(zip(_MORE, values, strict=True))


def _warnings(
    chosen: Sequence[Standing], card: Card | None, max_pixels: int, gone: list[str], *, look: bool
) -> Iterator[tuple[str, ...]]:
    """The names of the cautions of each picture, in their order; one that cannot be looked at has those of
    its record, and is put into `gone`."""
    from iqa_cli.caution import SIDE, by_record, by_view
    from iqa_cli.looking import each, small_view

    def seen(path: str) -> tuple[str, ...]:
        return by_view(small_view(path, SIDE, max_pixels=max_pixels))

    scored = [one.record.path for one in chosen if look and one.rank is not None]
    looks: Iterator[tuple[str, ...] | ImageError] = each(scored, seen) if scored else iter(())
    for one in chosen:
        found = next(looks) if look and one.rank is not None else ()
        if isinstance(found, ImageError):
            gone.append(one.record.path)
            found = ()
        yield by_record(one.record, card) + found
