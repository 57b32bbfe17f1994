"""`iqa data list`: the databases that can be read, and where each of them lies."""

from __future__ import annotations

from typing import Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_json, print_table, print_tsv
from iqa_cli.cli.options import ListFormat, ListFormatOption

LIST_HELP = """\b
List the databases that can be read, and where they lie.

\b
Examples:
  iqa data list
  iqa data list --format json

\b
A row gives the name for --dataset, the published number of pictures and of
references, the scale of the scores, their direction, how the field splits
the database and its folder. The folder comes from the table \\[data] of the
config file, else from $IQA_DATA; "not set" where neither names one, "missing"
where there is no such folder. JSON has the citation, the licence, the layout
that is expected and the page of the authors too.
"""

_COLUMNS = ("name", "pictures", "references", "scale", "better", "split", "folder")
#: csv has no published facts: everything is in the user's own file.
_OWN = {"name": "csv", "title": "your own pictures and scores: labels.csv beside images/"}


def list_databases(
    context: typer.Context,
    output: ListFormatOption = None,
) -> None:
    """Print a row for each database."""
    env: Environment = context.obj
    rows = _rows()
    chosen = output or (ListFormat.table if env.stdout_is_terminal else ListFormat.tsv)
    if chosen is ListFormat.json:
        print_json(env, rows)
    elif chosen is ListFormat.tsv:
        print_tsv(env, [_cells(row) for row in rows])
    else:
        print_table(env, _COLUMNS, [_cells(row) for row in rows], right=("pictures", "references"))


def _rows() -> list[dict[str, Any]]:
    """Every database as plain values; `folder` is None where nothing says where it is."""
    from dataclasses import asdict

    from iqa_cli.datasets.registry import DATABASES, FACTS
    from iqa_cli.datasets.roots import find_root, read_config
    from iqa_cli.errors import UsageError

    read_config()  # a broken one is told, and not taken for "not set"
    rows = []
    for name in DATABASES:
        row: dict[str, Any] = asdict(FACTS[name]) if name in FACTS else dict(_OWN)
        try:
            folder = find_root(name)
        except UsageError:
            row |= {"folder": None, "found": False}
        else:
            row |= {"folder": str(folder), "found": folder.exists()}
        rows.append(row)
    return rows


def _cells(row: dict[str, Any]) -> list[str]:
    if row["folder"] is None:
        folder = "not set"
    else:
        folder = row["folder"] if row["found"] else f"missing: {row['folder']}"
    if "images" not in row:
        return [row["name"], "-", "-", "-", "-", "-", folder]
    return [
        row["name"],
        str(row["images"]),
        str(row["references"] or "-"),
        f"{row['low']:g} to {row['high']:g}",
        "higher" if row["higher_is_better"] else "lower",
        row["split"],
        folder,
    ]
