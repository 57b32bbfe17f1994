"""`iqa data split`: write split files, drawn with seeds or as the database gives its parts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_json, print_table, print_tsv
from iqa_cli.cli.interrupt import second_interrupt_exits
from iqa_cli.cli.options import DatabaseFolder, DatabaseName, ListFormat, ListFormatOption, Quiet
from iqa_cli.errors import DatasetError, UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.datasets.record import Database
    from iqa_cli.datasets.splitfile import SplitFile

SPLIT_HELP = """\b
Write split files: which picture is in which part.

\b
Examples:
  iqa data split kadid10k --seeds 10
  iqa data split koniq10k
  iqa data split csv --root my-photos/ --group-duplicates
  iqa data split livec --seeds 10 --parts train=0.8,test=0.2

\b
A file for each seed from 0 in the folder -o: NAME-seed00.json and so on.
Pictures are sorted first and drawn in whole groups: those of one reference,
of one group of the labels, or, with --group-duplicates, near-duplicates that
are looked for. The same seed gives the same file in every process and on
every machine. A file records the hash of its split.

\b
Where the parts are given (by the authors of the database, or by the column
split of a labels.csv) they are written as NAME-official.json, unless --seeds
or --parts asks for drawn ones; --official asks for the given ones where the
field draws instead.

\b
--group-duplicates keeps what it has found in NAME-duplicates.json, beside the
splits; the same pictures are not gone through again. `iqa data show NAME
--duplicates FILE -o sheet.jpg` shows them. Where the labels have groups, it
says how far the two agree.

\b
Parts have the names that training and measuring take by themselves: train is
fitted, calib chooses the epoch, test is measured.
"""

DEFAULT_PARTS = "train=0.7,calib=0.1,test=0.2"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass
class _Planned:
    """A file that is going to be written."""

    path: Path
    parts: dict[str, Any]
    seed: int | None


def split(
    context: typer.Context,
    name: DatabaseName,
    root: DatabaseFolder = None,
    folder: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the files.")
    ] = Path("splits"),
    seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Number of splits to draw: seeds 0, 1, ... [10]")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(metavar="NAME=SHARE,...", help=f"Parts and their shares. Default: {DEFAULT_PARTS}."),
    ] = None,
    official: Annotated[bool, typer.Option("--official", help="Write the parts that are given.")] = False,
    group_duplicates: Annotated[
        bool,
        typer.Option("--group-duplicates", help="Look for near-duplicates and keep them together."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another split.")] = False,
    output: ListFormatOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that read pictures.")] = None,
    quiet: Quiet = False,
) -> None:
    """Write the files, and print a row for each."""
    env: Environment = context.obj
    env.quiet |= quiet
    if official and (seeds is not None or parts is not None):
        raise UsageError("--official writes the parts as they are given; --seeds and --parts draw others")
    shares = _shares(parts or DEFAULT_PARTS)
    from iqa_cli.datasets.registry import FACTS, read_database

    with second_interrupt_exits():
        database = read_database(name, root)
        facts = FACTS.get(name)
        given = all(record.split for record in database.records)
        if official and not given:
            raise DatasetError(
                f"{name}: not every picture is given a part here", hint="leave --official out to draw parts"
            )
        fitting = facts is None or facts.split == "official"
        take_given = official or (given and fitting and seeds is None and parts is None)
        grouped_by = _grouped_by(database)
        joined: list[list[str]] = []
        report: dict[str, Any] = {}
        if group_duplicates:
            from iqa_cli.cli.data_duplicates import duplicates_of

            joined, report = duplicates_of(env, database, folder, threads or os.cpu_count() or 1)
            grouped_by = f"{grouped_by} + near-duplicates" if grouped_by != "picture" else "near-duplicates"
        plans = _plans(database, joined, folder, None if take_given else seeds or 10, shares)
        written = [_write(plan, database, shares, joined, grouped_by, force) for plan in plans]
    _print(env, output, plans, written, report)
    if not env.quiet:
        _say(env, database, joined, written, take_given)


def _shares(text: str) -> dict[str, float]:
    """ "train=0.8,test=0.2" as a mapping.

    Raises:
        UsageError: It is not of that form; whether the shares make sense is not looked at.
    """
    shares: dict[str, float] = {}
    for entry in text.split(","):
        part, equals, share = entry.strip().partition("=")
        if not equals or not _PART.fullmatch(part) or part == "all" or part in shares:
            raise UsageError(
                f"--parts: '{one_line(entry)}' is no part with a share", hint=f"such as {DEFAULT_PARTS}"
            )
        try:
            shares[part] = float(share)
        except ValueError:
            raise UsageError(f"--parts: '{one_line(share)}' is no share of {part}") from None
    return shares


def _grouped_by(database: Database) -> str:
    """What holds pictures of the database together: "reference", "group", or "picture" for nothing."""
    if any(record.ref for record in database.records):
        return "reference"
    groups = {record.group for record in database.records}
    return "group" if len(groups) < len(database.records) else "picture"


def _plans(
    database: Database, joined: list[list[str]], folder: Path, seeds: int | None, shares: dict[str, float]
) -> list[_Planned]:
    """The splits to write; without a number of seeds the one that is given."""
    from dataclasses import replace

    from iqa_cli.datasets.grouping import joined_groups
    from iqa_cli.datasets.splits import split as draw

    if seeds is None:
        given = sorted({record.split or "" for record in database.records})
        return [
            _Planned(
                folder / f"{database.name}-official.json", {part: database.part(part) for part in given}, None
            )
        ]
    groups = joined_groups(database.records, joined)
    records = [replace(r, group=group) for r, group in zip(database.records, groups, strict=True)]
    return [
        _Planned(folder / f"{database.name}-seed{seed:02d}.json", draw(records, shares, seed), seed)
        for seed in range(seeds)
    ]


def _write(
    plan: _Planned,
    database: Database,
    shares: dict[str, float],
    joined: list[list[str]],
    grouped_by: str,
    force: bool,
) -> SplitFile:
    """Write one file, unless a file of another split lies there: runs may refer to it."""
    from iqa_cli.datasets.record import split_hash
    from iqa_cli.datasets.splitfile import load_split, write_split

    if not force and plan.path.exists():
        records = [r for part in plan.parts.values() for r in part]
        try:
            other = load_split(plan.path).split_hash != split_hash(records)
        except DatasetError:
            other = True
        if other:
            raise UsageError(
                f"'{one_line(plan.path)}' is there and is another split",
                hint="--force replaces it; -o takes another folder",
            )
    drawn = plan.seed is not None
    if not drawn:
        # Given parts may part near-duplicates; what is held out of one of them should not.
        members = [{record.name for record in part} for part in plan.parts.values()]
        within = [[name for name in group if name in part] for group in joined for part in members]
        joined = [group for group in within if len(group) > 1]
    return write_split(
        plan.path,
        database,
        plan.parts,
        plan.seed,
        fractions=shares if drawn else None,
        joined=joined,
        grouped_by=grouped_by if drawn else "",
    )


def _print(
    env: Environment,
    output: ListFormat | None,
    plans: list[_Planned],
    written: list[SplitFile],
    report: dict[str, Any],
) -> None:
    """A row for each file: its place, seed, hash and the size of each part."""
    parts = list(written[0].parts)
    chosen = output or (ListFormat.table if env.stdout_is_terminal else ListFormat.tsv)
    if chosen is ListFormat.json:
        files = [
            {
                "file": str(plan.path),
                "seed": split.seed,
                "split_hash": split.split_hash,
                "grouped_by": split.grouped_by,
                "pictures": {part: len(names) for part, names in split.parts.items()},
            }
            for plan, split in zip(plans, written, strict=True)
        ]
        print_json(env, {"splits": files, **({"duplicates": report} if report else {})})
        return
    rows = [
        [
            str(plan.path),
            "-" if split.seed is None else str(split.seed),
            split.split_hash,
            *(str(len(names)) for names in split.parts.values()),
        ]
        for plan, split in zip(plans, written, strict=True)
    ]
    if chosen is ListFormat.tsv:
        # Without a heading, a number would not say of which part it is.
        labelled = [[f"{part}={cell}" for part, cell in zip(parts, row[3:], strict=True)] for row in rows]
        print_tsv(env, [[*row[:3], *cells] for row, cells in zip(rows, labelled, strict=True)])
    else:
        print_table(env, ["file", "seed", "hash", *parts], rows, right=["seed", *parts])


def _say(
    env: Environment,
    database: Database,
    joined: list[list[str]],
    written: list[SplitFile],
    take_given: bool,
) -> None:
    """What the rows do not tell."""
    if not take_given:
        env.note(f"drawn by {written[0].grouped_by}: none has pictures in two parts")
        return
    env.note("the parts as they are given; --seeds draws others")
    part_of = {record.name: record.split for record in database.records}
    parted = [names for names in joined if len({part_of[name] for name in names}) > 1]
    if parted:
        pictures = count(sum(map(len, parted)), "picture")
        env.note(f"they part {count(len(parted), 'group')} of near-duplicates, of {pictures}")
