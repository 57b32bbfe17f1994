"""The databases by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from iqa_cli.datasets import biq2021, csiq, flive, kadid10k, koniq10k, live, livec, spaq, tid2013
from iqa_cli.datasets.csvfile import read_csv
from iqa_cli.datasets.facts import DatabaseFacts
from iqa_cli.datasets.record import Database
from iqa_cli.datasets.roots import find_root
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.text import one_line

#: What is published of each database; csv has no facts of its own.
FACTS: dict[str, DatabaseFacts] = {
    facts.name: facts
    for facts in (
        live.FACTS,
        csiq.FACTS,
        tid2013.FACTS,
        kadid10k.FACTS,
        livec.FACTS,
        koniq10k.FACTS,
        spaq.FACTS,
        flive.FACTS,
        biq2021.FACTS,
    )
}

DATABASES: dict[str, Callable[[Path], Database]] = {
    "live": live.read_live,
    "csiq": csiq.read_csiq,
    "tid2013": tid2013.read_tid2013,
    "kadid10k": kadid10k.read_kadid10k,
    "livec": livec.read_livec,
    "koniq10k": koniq10k.read_koniq10k,
    "spaq": spaq.read_spaq,
    "flive": flive.read_flive,
    "biq2021": biq2021.read_biq2021,
    "csv": read_csv,
}


#: Databases whose files do not say on which scale their scores are.
_RANGE_OPEN = ("csv",)


def read_database(name: str, root: Path | None = None, range: tuple[float, float] | None = None) -> Database:
    """Read database `name` from `root`, or from where the config file or `$IQA_DATA` says.

    Args:
        name: One of `DATABASES`.
        root: Its folder (for csv also the file itself); by default that of `find_root`.
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
    root = find_root(name, root)
    if not _is_there(root):
        layout = FACTS[name].expected if name in FACTS else None
        raise DatasetError(f"no such folder: '{one_line(root)}'", hint=layout)
    if range is not None:
        return read_csv(root, name, *range)
    return DATABASES[name](root)


def _is_there(root: Path) -> bool:
    try:
        return root.exists()
    except OSError as error:
        raise DatasetError(f"cannot look at '{one_line(root)}': {error.strerror}") from None
