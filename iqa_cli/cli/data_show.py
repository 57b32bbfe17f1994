"""`iqa data show`: a histogram of the scores in the terminal, and a contact sheet in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_json, print_lines, progress_on
from iqa_cli.cli.interrupt import second_interrupt_exits
from iqa_cli.cli.options import DatabaseFolder, DatabaseName, OpinionRange, Quiet, TextFormat
from iqa_cli.cli.output import check_place
from iqa_cli.errors import ExitCode, ImageError, UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.datasets.contact import Histogram, Tile
    from iqa_cli.datasets.record import Database, ImageRecord

SHOW_HELP = """\b
Show a database: a histogram of its scores, and a contact sheet.

\b
Examples:
  iqa data show koniq10k
  iqa data show spaq -o spaq.jpg
  iqa data show csv --root my-photos/ --part test -o test.png --count 60
  iqa data show biq2021 --duplicates splits/biq2021-duplicates.json -o same.jpg

\b
The histogram is of the printed scores over the declared scale. The sheet has
--count pictures with name and score, spread evenly from the lowest score to
the highest; the same ones each time. With --duplicates it has groups of
near-duplicates instead, as `iqa data split --group-duplicates` has found them:
--count pictures of groups spread evenly over the list, captions tell the group.
"""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def show(
    context: typer.Context,
    name: DatabaseName,
    root: DatabaseFolder = None,
    scale: OpinionRange = None,
    part: Annotated[str, typer.Option(metavar="PART", help="A part of it.")] = "all",
    sheet: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Contact sheet: .png, .jpg or .webp."),
    ] = None,
    number: Annotated[int, typer.Option("--count", min=1, max=2000, help="Pictures on the sheet.")] = 48,
    columns: Annotated[int, typer.Option(min=1, max=40, help="Pictures in a row of it.")] = 8,
    duplicates: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Show the groups of near-duplicates of this file."),
    ] = None,
    output: Annotated[TextFormat, typer.Option("--format", help="Of the histogram.")] = TextFormat.text,
    quiet: Quiet = False,
) -> None:
    """Print the histogram and write the sheet; exit code 3 where a picture on it cannot be read."""
    env: Environment = context.obj
    env.quiet |= quiet
    if duplicates is not None and sheet is None:
        raise UsageError("--duplicates shows groups on a sheet: give -o FILE too")
    if sheet is not None:
        _check_sheet(sheet)
    from iqa_cli.datasets.contact import Histogram, Tile, contact_sheet, save_sheet
    from iqa_cli.datasets.registry import FACTS, read_database

    with second_interrupt_exits():
        database = read_database(name, root, scale)
        records = database.part(part)
        histogram = Histogram.of([record.raw for record in records], database.low, database.high)
        _print_histogram(env, output, database, records, histogram)
        if sheet is None:
            return
        tiles = _tiles(Tile, records, number) if duplicates is None else _groups(database, duplicates, number)
        title = f"{FACTS[name].title if name in FACTS else name}: {_summary(records)}"
        with progress_on(env, len(tiles)) as advance:
            picture, failed = contact_sheet(
                tiles,
                min(columns, len(tiles)),
                histogram if duplicates is None else None,
                title,
                os.cpu_count() or 1,
                advance,
            )
        save_sheet(picture, sheet)
    env.note(f"{count(len(tiles), 'picture')} on {one_line(sheet)}")
    for path, reason in failed:
        env.error(ImageError(f"{one_line(path)}: {reason}"))
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _check_sheet(path: Path) -> None:
    """UsageError before pictures are read for a file that cannot be written."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(f"'{one_line(path)}': a contact sheet is a .png, .jpg or .webp file")
    check_place(str(path))


def _tiles(tile: type[Tile], records: Sequence[ImageRecord], number: int) -> list[Tile]:
    """Pictures from the lowest score to the highest, evenly spread over their ranks."""
    from iqa_cli.datasets.contact import spread_evenly

    ranked = sorted(records, key=lambda record: (record.mos, record.name))
    chosen = [ranked[place] for place in spread_evenly(len(ranked), number)]
    return [tile(record.path, (record.name, f"{record.raw:.4g}")) for record in chosen]


def _groups(database: Database, path: Path, number: int) -> list[Tile]:
    """The pictures of some groups of near-duplicates."""
    from iqa_cli.datasets.contact import Tile, spread_evenly
    from iqa_cli.datasets.duplicatefile import load_duplicates

    record_of = {record.name: record for record in database.records}
    groups = [[name for name in group if name in record_of] for group in load_duplicates(path).groups]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise UsageError(f"'{one_line(path)}' has no near-duplicates of {database.name}")
    mean = sum(map(len, groups)) / len(groups)
    tiles = []
    for place in spread_evenly(len(groups), max(1, int(number / mean))):
        for name in groups[place]:
            record = record_of[name]
            tiles.append(Tile(record.path, (name, f"group {place + 1}: {record.raw:.4g}")))
    return tiles


def _summary(records: Sequence[ImageRecord]) -> str:
    scores = [record.raw for record in records]
    mean = sum(scores) / len(scores)
    deviation = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5
    return (
        f"{count(len(scores), 'picture')}, scores {min(scores):.4g} to {max(scores):.4g}, "
        f"mean {mean:.4g}, deviation {deviation:.3g}"
    )


def _print_histogram(
    env: Environment,
    output: TextFormat,
    database: Database,
    records: Sequence[ImageRecord],
    histogram: Histogram,
) -> None:
    if output is TextFormat.json:
        values = {"database": database.name, "pictures": len(records)}
        print_json(env, {**values, "edges": histogram.edges, "counts": histogram.counts})
        return
    width = max(10, min(60, env.columns - 24))
    highest = max(histogram.counts)
    lines = [f"{database.name}: {_summary(records)}"]
    for edge, counted in zip(histogram.edges, histogram.counts, strict=False):
        bar = _bar(counted / highest, width, env.stdout_encoding)
        lines.append(f"{edge:>9.4g}  {bar:<{width}}  {counted:,}".rstrip())
    direction = "higher" if database.higher_is_better else "lower"
    print_lines(env, [*lines, f"{histogram.edges[-1]:>9.4g}  {direction} is better"])


def _bar(share: float, width: int, encoding: str) -> str:
    """A bar of eighths of a character where the terminal can show them; never nothing for something."""
    try:
        _EIGHTHS.encode(encoding)
    except (UnicodeError, LookupError):
        return "#" * max(round(share * width), int(share > 0))
    eighths = max(round(share * width * 8), int(share > 0))
    return _EIGHTHS[8] * (eighths // 8) + (_EIGHTHS[eighths % 8].strip())
