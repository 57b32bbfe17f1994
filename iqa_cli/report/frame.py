"""The frame of every page: head, style sheet in light and dark, title, sections. Whoever makes a page gives
what stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iqa_cli.report.markup import text

#: Nothing is loaded and nothing runs, whatever a name may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


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
) -> str:
    """A whole page that needs nothing but itself: pictures are data URIs, nothing is loaded, no script runs.

    Args:
        title: Of the window; text from outside.
        heading: First line of the page; HTML.
        summary: What the page is about, in one line; HTML.
        body: The sections; HTML.
        skip: What leads those who go by keys past the head; HTML.
        command: What makes the page again; text from outside, empty for none.
        style: Rules that this page has besides those of `style.css`, whose variables hold the colours.

    Returns:
        HTML.
    """
    common = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    told = f'<p class="command"><code>{text(command)}</code></p>' if command else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{text(title)}</title>\n<style>\n{common}{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#main">{skip}</a>\n'
        f"<header><h1>{heading}</h1><p>{summary}</p>{told}</header>\n"
        f'<main id="main">\n{body}</main>\n'
        "</body>\n</html>\n"
    )
