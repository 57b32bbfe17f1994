"""The report of an evaluation: one self-contained page of HTML, for `iqa eval --report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from iqa_cli.evaluation.part import Result
from iqa_cli.report.frame import write_page
from iqa_cli.report.page import page

__all__ = ["page", "write_report"]


def write_report(
    path: Path,
    results: Sequence[Result],
    *,
    best: Sequence[Mapping[str, set[str]]] = (),
    command: str = "",
) -> None:
    """Write the page: it stands there whole or not at all, and what was there before stays until then.

    Pictures of the worst misses are read where the results say where they are; one that cannot be read is
    named without.

    Args:
        path: A file in a folder that exists; a link is followed, a pipe or device written to.
        results, best, command: As `page` takes them.

    Raises:
        UsageError: It cannot be written: no space, no permission, no such folder; one line.
    """
    write_page(path, page(results, best=best, command=command))
