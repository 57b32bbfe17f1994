"""What commands that make something of one picture have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iqa_cli.errors import IqaError, UsageError
from iqa_cli.text import one_line


@contextmanager
def named(picture: str) -> Iterator[None]:
    """Errors within it begin with the name of the picture."""
    try:
        yield
    except IqaError as error:
        # Which is one for `iqa score`.
        hint = None if os.path.isdir(picture) else error.hint  # noqa: PTH112 - of any name, however long
        raise type(error)(f"{one_line(picture)}: {error.message}", hint=hint) from None


def refuse_same(picture: str, output: str) -> None:
    """The photograph is not written over.

    Raises:
        UsageError: The two are one file.
    """
    try:
        same = Path(picture).exists() and Path(output).exists() and Path(picture).samefile(output)
    except (OSError, ValueError):
        return  # opening it will tell
    if same:
        raise UsageError(f"-o {one_line(output)}: is the photograph itself", hint="name another file with -o")
