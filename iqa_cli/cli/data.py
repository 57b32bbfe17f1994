"""`iqa data`: the databases of pictures with opinion scores, where they are and whether they are whole."""

from __future__ import annotations

import typer

from iqa_cli.cli.data_list import list_databases

app = typer.Typer(
    name="data",
    help="Databases of pictures with opinion scores: list, check, show, split.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Databases of pictures with opinion scores: list, check, show, split."""


# A line for each sub-command, whose function stands in a file of its own.
app.command("list", short_help="List the databases that can be read.")(list_databases)
