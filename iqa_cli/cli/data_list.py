"""`iqa data list`: the databases that can be read, and where each of them lies."""

from __future__ import annotations

import typer


def list_databases(context: typer.Context) -> None:
    """List the databases that can be read."""
    from iqa_cli.datasets.registry import DATABASES

    for name in DATABASES:
        typer.echo(name)
