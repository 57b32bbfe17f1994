"""The manual, made from the commands themselves: docs/commands.md, and pages for man.

    python -m iqa_cli.cli.manual                        # writes docs/commands.md of the checkout
    python -m iqa_cli.cli.manual --man ~/.local/share/man/man1

What is read are the functions and their annotations, not the parser that Typer makes of them, so that the
result is the same with every version of it.
"""

from __future__ import annotations

import argparse
import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo

from iqa_cli.cli.app import COMMANDS, app
from iqa_cli.replacing import replacing

#: Where the page stands in the checkout, and what to run when it is out of date.
PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
COMMAND = "python -m iqa_cli.cli.manual"

_PANEL = "Options"
_VALUES = {int: "N", float: "NUMBER", Path: "PATH"}


@dataclass(frozen=True)
class Entry:
    """An argument or an option: how it is written, and what it does."""

    written: str
    meaning: str


@dataclass(frozen=True)
class Page:
    """What is to be said of one command.

    Attributes:
        name: As in "iqa data check".
        summary: In one line.
        usage: Behind the name.
        text: The rest of its help, lines as they are.
        panels: Heading -> arguments or options.
        parts: Of a group, the commands in it.
    """

    name: str
    summary: str
    usage: str
    text: str
    panels: dict[str, list[Entry]] = field(default_factory=dict)
    parts: list[Page] = field(default_factory=list)


def pages() -> list[Page]:
    """All commands, in the order of `iqa --help`; the first one is `iqa` itself."""
    top = _page("iqa", app.registered_callback.callback, app.info.help)  # type: ignore[union-attr]
    made = [replace(top, usage=f"{top.usage} COMMAND")]
    for name, (module, attribute, summary) in COMMANDS.items():
        target = getattr(import_module(module), attribute)
        if not isinstance(target, typer.Typer):
            made.append(_page(f"iqa {name}", target, None))
            continue
        parts = [
            _page(f"iqa {name} {part.name}", part.callback, part.help)
            for part in target.registered_commands
            if not part.hidden
        ]
        group = target.registered_callback
        page = _page(f"iqa {name}", group.callback, group.help)  # type: ignore[union-attr]
        optional = group.invoke_without_command  # type: ignore[union-attr]
        usage = f"{page.usage} {'[COMMAND]' if optional else 'COMMAND'}".lstrip()
        made.append(replace(page, summary=page.summary or summary, usage=usage, parts=parts))
    return made


def markdown() -> str:
    """The whole manual as one page of Markdown."""
    first, *others = pages()
    lines = [
        "# Commands",
        "",
        f"Made by `{COMMAND}` from the commands themselves; `iqa COMMAND --help` says the same.",
        "`iqa --install-completion` makes the shell complete commands, options and names;",
        f"`{COMMAND} --man ~/.local/share/man/man1` writes pages for man.",
        "",
        "| command | what it does |",
        "| --- | --- |",
    ]
    for page in _all(others):
        lines.append(f"| [`{page.name}`](#{page.name.replace(' ', '-')}) | {_cell(page.summary)} |")
    for page in (first, *_all(others)):
        lines += ["", f"## {page.name}", "", "```text", f"{page.name} {page.usage}".rstrip(), "```"]
        lines += ["", page.summary, *(["", "```text", page.text, "```"] if page.text else [])]
        for heading, entries in page.panels.items():
            lines += ["", f"| {heading.lower()} | |", "| --- | --- |"]
            lines += [f"| `{_cell(entry.written)}` | {_cell(entry.meaning)} |" for entry in entries]
    return "\n".join(lines) + "\n"


def man(page: Page) -> str:
    """One command as a page for man (section 1), in its macros."""
    title = page.name.replace(" ", "-")
    lines = [f'.TH "{title.upper()}" 1 "" iqa "iqa"', ".SH NAME", f"{title} \\- {_roff(page.summary)}"]
    lines += [".SH SYNOPSIS", f".B {_roff(page.name)}", _roff(page.usage)]
    if page.text:
        lines += [".SH DESCRIPTION", ".nf", *map(_roff, page.text.splitlines()), ".fi"]
    for heading, entries in page.panels.items():
        lines.append(f".SH {heading.upper()}")
        for entry in entries:
            lines += [".TP", f".B {_roff(entry.written)}", _roff(entry.meaning)]
    for part in page.parts:
        lines += [".SH COMMANDS"] if part is page.parts[0] else []
        lines += [".TP", f".BR {_roff(part.name.replace(' ', '-'))} (1)", _roff(part.summary)]
    return "\n".join(lines) + "\n"


def _all(given: list[Page]) -> Iterator[Page]:
    for page in given:
        yield page
        yield from page.parts


def _page(name: str, function: Any, text: str | None) -> Page:
    summary, rest = _split(text or function.__doc__ or "")
    panels: dict[str, list[Entry]] = {}
    usage = []
    hints = typing.get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        kind, *extras = typing.get_args(hints[parameter.name]) or (None,)
        info = next((extra for extra in extras if isinstance(extra, ArgumentInfo | OptionInfo)), None)
        if info is None or info.hidden:
            continue
        plain, several = _plain(kind)
        needed = parameter.default is inspect.Parameter.empty
        if isinstance(info, ArgumentInfo):
            value = str(info.metavar or parameter.name.upper()).strip("[]")
            usage.append((value if needed else f"[{value}]") + ("..." if several else ""))
            panels.setdefault("Arguments", []).append(Entry(value, _plain_text(info.help or "")))
            continue
        # Of names in an annotation, Typer takes the first for a default until it looks again.
        names = [str(name) for name in (info.default, *(info.param_decls or ()))]
        names = [name for name in names if name.startswith("-")]
        written = ", ".join(names or [f"--{parameter.name.replace('_', '-')}"])
        if plain is not bool:
            written += f" {info.metavar or _value(plain)}"
        meaning = _plain_text(info.help or "") + _limits(info) + _default(parameter.default, info)
        panels.setdefault(str(info.rich_help_panel or _PANEL), []).append(Entry(written, meaning))
    if set(panels) - {"Arguments"}:
        usage.insert(0, "[OPTIONS]")
    return Page(name, summary, " ".join(usage), rest, panels)


def _plain(kind: Any) -> tuple[Any, bool]:
    """A type without "or None", and what a list is of; whether it was a list."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is list:
        return typing.get_args(kind)[0], True
    return kind, False


def _value(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return _VALUES.get(kind, "TEXT")


def _limits(info: OptionInfo) -> str:
    if info.min is not None and info.max is not None:
        return f" From {info.min:,} to {info.max:,}."
    return "" if info.min is None else f" At least {info.min:,}."


def _default(value: Any, info: OptionInfo) -> str:
    unsaid = value in (inspect.Parameter.empty, None, False, ()) or not info.show_default
    if unsaid or "Default:" in (info.help or ""):
        return ""
    values = value if isinstance(value, tuple) else (getattr(value, "value", value),)
    said = " ".join(str(one) if isinstance(one, str | Path) else f"{one:,.15g}" for one in values)
    return f" Default: {said}."


def _split(text: str) -> tuple[str, str]:
    """The first paragraph of a help text on one line, and the lines behind it."""
    first, _, rest = _plain_text(inspect.cleandoc(text.replace("\b\n", ""))).partition("\n\n")
    return " ".join(first.split()), "\n".join(line.rstrip() for line in rest.strip("\n").splitlines())


def _plain_text(text: str) -> str:
    """What is seen of a text with Rich's markup."""
    from rich.text import Text

    return Text.from_markup(text).plain


def _cell(text: str) -> str:
    """A cell of a table in Markdown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _roff(text: str) -> str:
    """A line of text for man: hyphens that can be copied, nothing taken for a macro."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text


def main() -> None:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("page", nargs="?", type=Path, default=PAGE, help="docs/commands.md")
    parser.add_argument("--man", type=Path, metavar="DIR", help="write pages for man into DIR instead")
    given = parser.parse_args()
    if given.man is None:
        with replacing(given.page) as file:
            file.write(markdown().encode())
        return
    given.man.mkdir(parents=True, exist_ok=True)
    for page in _all(pages()):
        with replacing(given.man / f"{page.name.replace(' ', '-')}.1") as file:
            file.write(man(page).encode())


if __name__ == "__main__":
    main()
