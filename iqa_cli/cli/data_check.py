"""`iqa data check`: whether a database on disk is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_json, print_lines, progress_on
from iqa_cli.cli.interrupt import second_interrupt_exits
from iqa_cli.cli.options import DatabaseFolder, DatabaseName, OpinionRange, TextFormat
from iqa_cli.errors import ExitCode
from iqa_cli.text import count

if TYPE_CHECKING:
    from iqa_cli.datasets.facts import DatabaseFacts
    from iqa_cli.datasets.record import Database

CHECK_HELP = """\b
See whether a database is whole: counts, labels, files.

\b
Examples:
  iqa data check koniq10k --root /data/KonIQ-10k
  iqa data check csv --root my-photos/ --format json
  iqa data check biq2021 --fast

\b
The label files are read, the counts compared with the published ones, every
labelled picture is looked for and decoded, and pictures without a label are
told. A line names each of the first problems of a kind; --all names every
one. --partial is for a database of which you have a part on purpose: counts
other than the published ones are no problem then.

\b
Exit codes: 0 whole, 2 wrong usage, 3 some problem, 4 the database is not
there or its label files are damaged, 130 interrupted.
"""

_FIRST = 10


@dataclass
class Problems:
    """What does not fit: sentences about counts, names of pictures, and reasons where there are some."""

    counts: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.counts) + len(self.missing) + len(self.unreadable) + len(self.unlabelled)

    def lines(self, first: int | None) -> list[str]:
        """A line for each, of each kind the first ones and then how many more there are."""
        kinds = {
            "counts     ": self.counts,
            "missing    ": self.missing,
            "unreadable ": [f"{name}: {reason}" for name, reason in self.unreadable.items()],
            "unlabelled ": self.unlabelled,
        }
        lines = []
        for kind, texts in kinds.items():
            lines += [f"{kind} {text}" for text in texts[:first]]
            if len(texts) > len(texts[:first]):
                lines.append(f"{kind} ... and {len(texts) - len(texts[:first]):,} more; --all names them")
        return lines


def check(
    context: typer.Context,
    name: DatabaseName,
    root: DatabaseFolder = None,
    scale: OpinionRange = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Read only the header of each picture, not the whole.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Other counts than the published ones are no problem.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Name all problems, not only the first ones.")] = False,
    output: Annotated[
        TextFormat, typer.Option("--format", help="Text for a reader, or JSON with all problems.")
    ] = TextFormat.text,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that decode; one a core.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Print the report; exit code 3 where there is some problem."""
    env: Environment = context.obj
    env.quiet |= quiet
    from iqa_cli.datasets.inspect import inspect
    from iqa_cli.datasets.registry import FACTS
    from iqa_cli.datasets.roots import find_root

    with second_interrupt_exits():
        found = inspect(name, root, scale)
        database, facts = found.database, FACTS.get(name)
        problems = Problems(missing=found.missing, unlabelled=found.unlabelled)
        if facts is not None and not partial:
            problems.counts = _counts(database, facts)
        absent = set(found.missing)
        present = [(record.name, record.path) for record in database.records if record.name not in absent]
        problems.unreadable = _unreadable(env, present, fast, threads or os.cpu_count() or 1)
    summary = _summary(database, facts, find_root(name, root))
    if output is TextFormat.json:
        summary |= {"decoded": not fast, "problems": len(problems)}
        print_json(env, summary | {key: getattr(problems, key) for key in problems.__dataclass_fields__})
    else:
        print_lines(env, [*_text(summary, fast), *problems.lines(None if every else _FIRST)])
        print_lines(env, [count(len(problems), "problem") if problems else "no problem"])
    if problems:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _counts(database: Database, facts: DatabaseFacts) -> list[str]:
    """How the numbers of pictures and references differ from the published ones."""
    found = len(database.records)
    said = []
    if found != facts.images:
        said.append(f"{count(found, 'picture')} with a score, {facts.images:,} published")
    references = len({record.ref for record in database.records if record.ref})
    if references != facts.references:
        said.append(f"{count(references, 'reference')}, {facts.references:,} published")
    return said


def _unreadable(
    env: Environment, pictures: list[tuple[str, Path]], fast: bool, threads: int
) -> dict[str, str]:
    from iqa_cli.datasets.decodable import in_threads, why_undecodable

    reasons = {}
    with progress_on(env, len(pictures)) as advance:
        task = lambda picture: why_undecodable(picture[1], header_only=fast)  # noqa: E731
        for (name, _), reason in in_threads(task, pictures, threads):
            if reason is not None:
                reasons[name] = reason
            advance()
    return reasons


def _summary(database: Database, facts: DatabaseFacts | None, root: Path) -> dict[str, Any]:
    records = database.records
    parts = sorted({record.split for record in records if record.split})
    return {
        "database": database.name,
        "title": facts.title if facts else database.name,
        "root": str(root),
        "pictures": len(records),
        "pictures_published": facts.images if facts else None,
        "references": len({record.ref for record in records if record.ref}),
        "references_published": facts.references if facts else None,
        "scores": [min(record.raw for record in records), max(record.raw for record in records)],
        "scale": [database.low, database.high],
        "higher_is_better": database.higher_is_better,
        "groups": len({record.group for record in records}),
        "parts": {part: sum(record.split == part for record in records) for part in parts},
    }


def _text(summary: dict[str, Any], fast: bool) -> list[str]:
    """The summary as aligned lines."""
    (lowest, highest), (low, high) = summary["scores"], summary["scale"]
    direction = "higher" if summary["higher_is_better"] else "lower"
    rows = {
        "database": f"{summary['title']} under {summary['root']}",
        "pictures": f"{summary['pictures']:,} with a score",
        "references": f"{summary['references']:,}" if summary["references"] else "",
        "scores": f"{lowest:g} to {highest:g} on a scale of {low:g} to {high:g}, {direction} is better",
        "groups": f"{summary['groups']:,}" if summary["groups"] < summary["pictures"] else "",
        "parts": ", ".join(f"{part} {number:,}" for part, number in summary["parts"].items()),
        "looked at": "headers alone" if fast else "every picture was decoded",
    }
    return [f"{key:<11} {text}" for key, text in rows.items() if text]
