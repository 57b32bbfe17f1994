"""The databases by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from iqa_cli.checksums import one_line
from iqa_cli.datasets.biq2021 import read_biq2021
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.record import Database
from iqa_cli.errors import DatasetError, UsageError

DATABASES: dict[str, Callable[[Path], Database]] = {"biq2021": read_biq2021, "csv": read_csv}


#: Databases whose files do not say on which scale their scores are.
_RANGE_OPEN = ("csv",)


def read_database(name: str, root: Path | None = None, range: tuple[float, float] | None = None) -> Database:
    """Read database `name` from `root`, or from `$IQA_DATA/name`.

    Args:
        name: One of `DATABASES`.
        root: Its folder (for csv also the file itself).
        range: Lowest and highest score of the scale, for csv; by default those in the file.

    Raises:
        UsageError: There is no such database, no root is given, or the range is senseless or already known.
        DatasetError: The root is not that database.
    """
    if name not in DATABASES:
        near = difflib.get_close_matches(name, DATABASES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"databases: {', '.join(DATABASES)}"
        raise UsageError(f"there is no database {name!r}", hint=hint)
    if range is not None and name not in _RANGE_OPEN:
        raise UsageError(f"the range of scores of {name} is known", hint="a range is for csv")
    if root is None:
        if "IQA_DATA" not in os.environ:
            raise UsageError(
                f"where is {name}?", hint="give --root DIR, or set IQA_DATA to the folder above it"
            )
        root = Path(os.environ["IQA_DATA"]) / name
    if not root.exists():
        raise DatasetError(f"no such folder: '{one_line(root)}'")
    if range is not None:
        return read_csv(root, name, *range)
    return DATABASES[name](root)
