"""`iqa store`: what a store of `iqa score --store` holds, as the rows of `iqa score`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from iqa_cli.cli.completing import complete_weight
from iqa_cli.cli.context import Environment
from iqa_cli.cli.options import Quiet, RowFormat, RowOutput
from iqa_cli.cli.output import Output, OutputError, check_output
from iqa_cli.cli.sinks import Format, Sink, format_for, plain_sink
from iqa_cli.errors import ExitCode, UsageError
from iqa_cli.text import count, printable

if TYPE_CHECKING:
    from iqa_cli.scoring.storelist import ScorerSummary, Stored

# Behind the columns of `iqa score`.
_MORE = ("sha256", "weight", "settings")

_HELP = """\b
List, filter and export what 'iqa score --store FILE' has kept.

Examples:
  iqa store scores.db --bottom 20
  iqa store scores.db --model mfenet --below 40 --match '*/2024/*' -o bad.csv
  iqa store scores.db -o scores.parquet
  iqa store scores.db --summary

A row is that of 'iqa score' with one model, under the absolute path where the
picture was met last; csv, tsv, json, jsonl and parquet have three more fields:
sha256 of the picture's file, weight (SHA-256 of the weight) and settings
("default", or whatever else moves scores: "fast", "native", "bf16 cpu", ...).
Parquet needs the extra 'parquet'.

Exit codes: 0, 2 wrong usage or no store, 130 interrupted.
"""


def store(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="FILE", help="The store.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Scores of this weight; may be given again.",
            rich_help_panel="Rows",
            autocompletion=complete_weight,
        ),
    ] = None,
    settings: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Scores with these settings.", rich_help_panel="Rows")
    ] = None,
    below: Annotated[
        float | None, typer.Option(metavar="SCORE", help="Lower scores.", rich_help_panel="Rows")
    ] = None,
    above: Annotated[
        float | None, typer.Option(metavar="SCORE", help="This score or higher.", rich_help_panel="Rows")
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN", help="Paths like '*/2024/*'; * takes slashes, too.", rich_help_panel="Rows"
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Pictures that could not be scored.", rich_help_panel="Rows")
    ] = False,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The N best, best first.", rich_help_panel="Rows")
    ] = None,
    bottom: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The N worst, worst first.", rich_help_panel="Rows")
    ] = None,
    by_score: Annotated[
        bool, typer.Option("--by-score", help="Best first; else by path.", rich_help_panel="Rows")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count what there is instead.", rich_help_panel="Output")
    ] = False,
    output_format: RowFormat = None,
    output: RowOutput = None,
    quiet: Quiet = False,
) -> int:
    """The text of the help is `_HELP`."""
    from iqa_cli.scoring.storelist import StoreReader, Wanted

    env = context.obj if isinstance(context.obj, Environment) else Environment.of_process()
    env.quiet |= quiet
    if top is not None and bottom is not None:
        raise UsageError("--top and --bottom exclude each other")
    if failed and not (top is bottom is below is above is None):
        raise UsageError("--failed chooses pictures without a score, which the other options choose by score")
    for name, value in (("--below", below), ("--above", above)):
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{name} takes a number")
    wanted = Wanted(
        models=tuple(model or ()),
        settings=settings,
        below=below,
        # A picture without a score is neither the best nor the worst.
        above=-math.inf if above is None and top is not None else above,
        pattern=match,
        failed=failed,
        order="worst" if bottom is not None else "best" if by_score or top is not None else "path",
        limit=top if bottom is None else bottom,
    )
    check_output(output, (("store", path),))
    with StoreReader(path) as found:
        if summary:
            _print_summary(env, output_format, output, found.summary())
        else:
            number = _print_rows(env, output_format, output, found.rows(wanted))
            if not number:
                env.note(f"{printable(path)} holds no such row")
    return ExitCode.OK


store.__doc__ = _HELP


def _print_rows(env: Environment, asked: Format | None, path: str | None, rows: Iterator[Stored]) -> int:
    """Print the rows one by one; returns their number. Nothing is put in place of a file before the first."""
    chosen = format_for(asked, path, env)
    first = next(rows, None)
    output = Output(env, path)
    try:
        if chosen is Format.table:
            from iqa_cli.cli.table import table_for

            sink: Sink = table_for(env, output, path)
        else:
            sink = plain_sink(chosen, output, (), _MORE)
        sink.start()
        number = 0
        while first is not None:
            more = (first.sha256, first.weight, first.settings)
            sink.row(first.prediction, dict(zip(_MORE, more, strict=True)))
            number += 1
            first = next(rows, None)
        sink.finish()
        output.close()
    except BaseException:
        output.discard()
        raise
    return number


def _print_summary(
    env: Environment, asked: Format | None, path: str | None, scorers: list[ScorerSummary]
) -> None:
    chosen = format_for(asked, path, env)
    if chosen not in (Format.table, Format.tsv, Format.json):
        raise UsageError("--summary prints a table, tsv or json")
    records = [
        {
            "model": one.model,
            "settings": one.settings,
            "weight": one.weight,
            "scored": one.scored,
            "failed": one.failed,
            "mean": None if one.mean is None else round(one.mean, 4),
            "policy": one.policy,
        }
        for one in scorers
    ]
    if chosen is Format.json:
        text = json.dumps(records, indent=2, ensure_ascii=True) + "\n"
    elif chosen is Format.tsv:
        lines = [[printable("" if cell is None else str(cell)) for cell in row.values()] for row in records]
        text = "".join("\t".join(line) + "\n" for line in lines)
    else:
        text = "".join(_sentence(one, _differs(one, scorers)) for one in scorers) or "no scores\n"
    output = Output(env, path)
    try:
        output.write(text.encode())
        output.close()
    except OutputError:
        output.discard()
        raise


def _differs(one: ScorerSummary, scorers: list[ScorerSummary]) -> str:
    """What tells it from others of the same weight and settings, where there are any."""
    twins = [json.loads(s.policy) for s in scorers if (s.weight, s.settings) == (one.weight, one.settings)]
    own: dict[str, object] = json.loads(one.policy)
    told = [
        f"{key} {own.get(key)}"
        for key in sorted({k for t in twins for k in t})
        if any(twin.get(key) != own.get(key) for twin in twins)
    ]
    return "".join(f", {printable(word)}" for word in told)


def _sentence(one: ScorerSummary, differs: str) -> str:
    line = f"{printable(one.model)} ({one.settings}, weight {one.weight[:12]}{differs}): "
    line += count(one.scored, "score")
    if one.mean is not None:
        line += f", mean {one.mean:.2f}"
    return line + (f"; {one.failed:,} could not be scored\n" if one.failed else "\n")
