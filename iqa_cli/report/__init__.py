"""The report of an evaluation: one self-contained page of HTML, for `iqa eval --report`."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from iqa_cli.errors import UsageError
from iqa_cli.evaluation.part import Result
from iqa_cli.replacing import reason_of, replacing
from iqa_cli.report.page import page
from iqa_cli.text import one_line

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
    content = page(results, best=best, command=command).encode("utf-8", "backslashreplace")
    try:
        target = Path(os.path.realpath(path))
        if _is_special(target):
            with target.open("wb") as file:
                file.write(content)
            return
        with replacing(target) as file:
            file.write(content)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        raise UsageError(f"cannot write to {one_line(path)}: {reason[:1].lower()}{reason[1:]}") from None


def _is_special(path: Path) -> bool:
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)
