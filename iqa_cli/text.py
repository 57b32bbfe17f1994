"""Text that came from outside (names of files, what stands in a file, messages of libraries), made harmless
for a terminal; and numbers in sentences."""

from __future__ import annotations

import os
import re
import unicodedata

_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# Control (Cc), format such as the reversal of direction (Cf), lone surrogates that stand for undecodable
# bytes (Cs), line and paragraph separators (Zl, Zp): none of them may reach a terminal or break a row.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PLAIN = re.compile(r"[ -~]*\Z")


def printable(text: str) -> str:
    r"""The whole text on one line, with control and invisible characters written as escapes such as \n, \x1b
    or \u202e.

    Bytes of a file name that are no UTF-8 appear as \xff. Backslashes stay as they are, since they are
    ordinary in Windows paths.
    """
    if _PLAIN.match(text):
        return text
    return "".join(
        _escaped(character) if unicodedata.category(character) in _UNSAFE else character for character in text
    )


def one_line(text: str | os.PathLike[str]) -> str:
    """`printable`, and the middle of more than 300 characters left out: for a message, which should not be
    all name."""
    name = os.fspath(text)
    return printable(name if len(name) <= 300 else f"{name[:200]}...{name[-60:]}")


def reason_of(error: Exception) -> str:
    """Why a file could not be read or written, in one line, in the words of the system where it has some."""
    return one_line(getattr(error, "strerror", None) or str(error).strip() or type(error).__name__)


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def count(number: int, noun: str) -> str:
    """ "1 picture", "2 pictures"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
