"""The frame of every page: head, style sheet in light and dark, title, sections. Whoever makes a page gives
what stands in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from iqa_cli.errors import UsageError
from iqa_cli.replacing import unwritable, writing_to
from iqa_cli.report.markup import text
from iqa_cli.text import one_line

#: Nothing is loaded and nothing runs, whatever a name may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
#: Of a page with a script: that one runs and no other, and pictures may lie where the page does.
_WITH_SCRIPT = "default-src 'none'; img-src data: file: 'self'; style-src 'unsafe-inline'; script-src '{}'"


def section(key: str, title: str, pieces: Sequence[str]) -> str:
    """A part of a page under a heading.

    Args:
        key: Its id, which no other element of the page has.
        title: HTML.
        pieces: HTML, one after the other.

    Returns:
        HTML.
    """
    return f'<section aria-labelledby="{key}"><h2 id="{key}">{title}</h2>\n{"".join(pieces)}</section>\n'


def document(
    title: str,
    heading: str,
    summary: str,
    body: str,
    *,
    skip: str = "To the figures",
    command: str = "",
    style: str = "",
    script: str = "",
) -> str:
    """A whole page that needs nothing but itself: pictures are data URIs, nothing is loaded, no script runs.
    With a script of its own it may also show pictures that lie beside it.

    Args:
        title: Of the window; text from outside.
        heading: First line of the page; HTML.
        summary: What the page is about, in one line; HTML.
        body: The sections; HTML.
        skip: What leads those who go by keys past the head; HTML.
        command: What makes the page again; text from outside, empty for none.
        style: Rules that this page has besides those of `style.css`, whose variables hold the colours.
        script: JavaScript that runs when the page is there; nothing from outside may stand in it.

    Returns:
        HTML.
    """
    common = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    policy = _WITH_SCRIPT.format(_digest(script)) if script else _POLICY
    runs = f"<script>{script}</script>\n" if script else ""
    told = f'<p class="command"><code>{text(command)}</code></p>' if command else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{text(title)}</title>\n<style>\n{common}{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">{skip}</a>\n'
        f"<header><h1>{heading}</h1><p>{summary}</p>{told}</header>\n"
        f'<main id="main">\n{body}</main>\n{runs}'
        "</body>\n</html>\n"
    )


def write_page(place: Path, content: str) -> int:
    """Write a page: it stands there whole or not at all, and what was there before stays until then.

    Args:
        place: A file in a folder that exists; a link is followed, a pipe or device written to.
        content: HTML.

    Returns:
        Its size in bytes.

    Raises:
        UsageError: It cannot be written: no space, no permission, no such folder; one line.
    """
    encoded = content.encode("utf-8", "backslashreplace")
    try:
        with writing_to(place) as file:
            file.write(encoded)
    except (OSError, ValueError) as error:
        raise UsageError(unwritable(one_line(place), error)) from None
    return len(encoded)


def _digest(script: str) -> str:
    """What a policy knows a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}"
