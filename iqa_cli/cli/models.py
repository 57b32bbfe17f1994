"""`iqa models`: which weights there are, and what each says of itself. Reads headers only; torch is not
needed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from iqa_cli.cli.completing import complete_weight
from iqa_cli.cli.options import ListFormat, ListFormatOption, TextFormat
from iqa_cli.errors import ExitCode, WeightsError

_LIST_HELP = """\b
List the weights that can be used.

\b
Examples:
  iqa models
  iqa models --format json
  iqa models show mfenet

\b
Weights are looked for in $IQA_WEIGHTS, in the installed package and in the
source checkout, in this order. A row gives name, network, MiB, range of the
score, SRCC (of the first result on the card) and file. A weight that cannot
be read is a row with the reason at its end; the exit code is then 4.
"""

_SHOW_HELP = """\b
Print the card of a weight.

\b
Examples:
  iqa models show mfenet
  iqa models show ./mine.safetensors --format json

\b
It tells what a score means, what the weight was trained on, what was measured
and with which command, and the licence. Its checksum is compared on the way.
"""

app = typer.Typer(
    name="models", context_settings={"help_option_names": ["-h", "--help"]}, rich_markup_mode=None
)


@app.callback(invoke_without_command=True, help=_LIST_HELP)
def list_models(
    context: typer.Context,
    output: ListFormatOption = None,
) -> None:
    """List the weights; nothing where `show` follows."""
    if context.invoked_subcommand is not None:
        return
    from iqa_cli.finding import list_weights

    _escape_what_stdout_cannot_show()
    rows = [_row(path) for path in list_weights()]
    # The world as `iqa` sees it; none where this app is run on its own.
    env = context.find_root().obj
    on_terminal = sys.stdout.isatty() if env is None else env.stdout_is_terminal
    chosen = output or (ListFormat.table if on_terminal else ListFormat.tsv)
    if chosen is ListFormat.json:
        typer.echo(json.dumps(rows, indent=2, allow_nan=False))
    elif chosen is ListFormat.tsv:
        for row in rows:
            typer.echo("\t".join(_cells(row)))
    else:
        _print_table(rows, colour=env is None or env.colour)
    if not rows:
        typer.echo(
            "no weights are installed; put .safetensors files into a folder named by IQA_WEIGHTS", err=True
        )
    if not rows or any(row["error"] for row in rows):
        raise typer.Exit(ExitCode.NOT_AVAILABLE)


@app.command("show", help=_SHOW_HELP, short_help="Print the card of a weight.")
def show(
    name: Annotated[
        str, typer.Argument(help="Name of a weight, or a .safetensors file.", autocompletion=complete_weight)
    ],
    output: Annotated[
        TextFormat, typer.Option("--format", help="Text for a reader, or JSON.")
    ] = TextFormat.text,
) -> None:
    """Print one card, as text for a reader or as JSON with the facts of the file."""
    from iqa_cli.cli.card_text import card_lines
    from iqa_cli.finding import find_weights, list_weights, weight_name
    from iqa_cli.weights import read_card, verify_checksum

    _escape_what_stdout_cannot_show()
    path = find_weights(name)
    card = read_card(path)
    verified = verify_checksum(path)
    known = list_weights(all_copies=True)
    hidden = [str(other) for other in known if path in known and weight_name(other) == weight_name(path)]
    hidden = [other for other in hidden if other != str(path)]
    facts: dict[str, Any] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "checksum": "verified" if verified else "not listed in a SHA256SUMS",
        "same_name": hidden,
    }
    if output is TextFormat.json:
        typer.echo(json.dumps({**facts, "card": card.to_dict()}, indent=2, allow_nan=False))
        return
    for line in card_lines(card, facts):
        typer.echo(line)


def _escape_what_stdout_cannot_show() -> None:
    """A card in Chinese on an ASCII terminal is no reason for a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _row(path: Path) -> dict[str, Any]:
    """One weight as plain values; the reason instead of the card's fields where it cannot be read."""
    from iqa_cli.finding import weight_name
    from iqa_cli.weights import read_card

    row: dict[str, Any] = dict.fromkeys(("name", "network", "mib", "range", "srcc", "file", "error"))
    row |= {"name": weight_name(path), "file": str(path)}
    try:
        card = read_card(path)
        row |= {"network": card.network, "range": card.output["range"], "srcc": card.headline_srcc}
        row["mib"] = round(path.stat().st_size / 2**20, 1)
    except WeightsError as error:
        row["error"] = error.message
    except OSError as error:
        row["error"] = f"cannot be read: {error.strerror}"
    return row


def _cells(row: dict[str, Any]) -> list[str]:
    from iqa_cli.text import one_line

    if row["error"]:
        return [one_line(row["name"]), "", "", "", "", one_line(row["file"]), one_line(row["error"])]
    low, high = row["range"]
    srcc = "" if row["srcc"] is None else f"{row['srcc']:.3f}"
    name, network, file = (one_line(row[key]) for key in ("name", "network", "file"))
    return [name, network, f"{row['mib']:.1f}", f"{low:g}-{high:g}", srcc, file, ""]


def _print_table(rows: list[dict[str, Any]], *, colour: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "network", "MiB", "range", "SRCC"):
        table.add_column(heading, justify="right" if heading in ("MiB", "SRCC") else "left", no_wrap=True)
    table.add_column("file", overflow="fold")
    for row in rows:
        *cells, file, error = _cells(row)
        # Text, not markup: a file may be called "[red]".
        table.add_row(*map(Text, cells), Text(error, style="red") if error else Text(file))
    Console(highlight=False, no_color=not colour).print(table)
