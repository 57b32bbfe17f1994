"""Cells of a CSV that no spreadsheet computes.

A spreadsheet takes a cell that begins with = + - or @ for a formula, and a formula can fetch an address or,
in old programs, start a command. Names of pictures come from anywhere, so a name that begins so gets `./`
before it: the same file to every program that opens or compares paths, our readers included. Other text
gets an apostrophe, as OWASP advises (https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay as
they are.
"""

from __future__ import annotations

# The last four are the wide forms, which East Asian versions take for the same; what comes before a formula
# is skipped by some programs.
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def name_cell(name: str) -> str:
    """The name of a file as a cell: `./` before one that a spreadsheet might compute."""
    return f"./{name}" if name.startswith(_STARTS) else name


def text_cell(text: str) -> str:
    """Other text as a cell: an apostrophe before what a spreadsheet might compute."""
    return f"'{text}" if text.startswith(_STARTS) else text
