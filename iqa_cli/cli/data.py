"""`iqa data`: the databases of pictures with opinion scores, where they are and whether they are whole."""

from __future__ import annotations

import typer

from iqa_cli.cli.data_check import CHECK_HELP, check
from iqa_cli.cli.data_list import LIST_HELP, list_databases
from iqa_cli.cli.data_show import SHOW_HELP, show
from iqa_cli.cli.data_split import SPLIT_HELP, split
from iqa_cli.cli.data_synth import synth

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
app.command("list", help=LIST_HELP, short_help="List the databases that can be read.")(list_databases)
app.command("check", help=CHECK_HELP, short_help="See whether a database is whole.")(check)
app.command("show", help=SHOW_HELP, short_help="A histogram of its scores, and a contact sheet.")(show)
app.command("split", help=SPLIT_HELP, short_help="Write split files.")(split)
app.command("synth", short_help="Make a labelled synthetic database of undistorted photographs.")(synth)
