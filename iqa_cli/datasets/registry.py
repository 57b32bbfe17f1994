"""The databases by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from iqa_cli.datasets.biq2021 import read_biq2021
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import Database
from iqa_cli.errors import DatasetError, UsageError

DATABASES: dict[str, Callable[[Path], Database]] = {"biq2021": read_biq2021, "csv": read_csv}


def read_database(name: str, root: Path | None = None) -> Database:
    """Read database `name` from `root`, or from `$IQA_DATA/name`.

    Raises:
        UsageError: There is no such database, or no root is given.
        DatasetError: The root is not that database.
    """
    if name not in DATABASES:
        near = difflib.get_close_matches(name, DATABASES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"databases: {', '.join(DATABASES)}"
        raise UsageError(f"there is no database {name!r}", hint=hint)
    if root is None:
        if "IQA_DATA" not in os.environ:
            raise UsageError(
                f"where is {name}?", hint="give --root DIR, or set IQA_DATA to the folder above it"
            )
        root = Path(os.environ["IQA_DATA"]) / name
    if not root.exists():
        raise DatasetError(f"no such folder: {str(root)!r}")
    return DATABASES[name](root)
