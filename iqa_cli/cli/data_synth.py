"""`iqa data synth`: a labelled database of distorted pictures, made of undistorted photographs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import command_line, interruptible
from iqa_cli.cli.options import Quiet
from iqa_cli.errors import ExitCode, UsageError
from iqa_cli.text import count, one_line, printable

if TYPE_CHECKING:
    from iqa_cli.datasets.synth import Watcher
    from iqa_cli.datasets.synth_table import Summary

_HELP = """\b
Make a labelled synthetic database of undistorted photographs.

\b
Examples:
  iqa data synth --from ../shared/data/pristine --part train --out synth/
  iqa data synth --from my-photos/ --out synth/ --types jpeg,webp --size 0
  iqa train mfenet --data csv --root synth/ --range 0 1 --choose-share 0.1
  iqa data synth --from my-photos/ --out pool/ --pictures-only --levels 1,3,5

\b
Every photograph with every type of distortion at every level, and a copy of
itself, in --out/images; --out/labels.csv says what each picture is, and
--out/synth.json how it was made. --from is a folder of pictures with
sub-folders, or has sources.csv (columns image and split) beside images/; its
parts go into the column split.

\b
The column mos is a pseudo-MOS of 0 to 1 from five full-reference metrics,
each of which has a column of its own: no person has rated these pictures.
1 is the reference itself, 0.5 is better than half of the distorted pictures
that the scale was made of. --pictures-only leaves it and the metrics out,
for a tenth of the time: a pool for iqa gmad, which needs no labels.

\b
The same command goes on after a break. The same seed gives the same files,
whatever the number of processes. A photograph that cannot be read is named
and left out.

\b
Exit codes: 0 made, 2 wrong usage, 3 some photographs left out, 4 data or
packages not available, 130 interrupted.
"""


class ImageFormat(str, Enum):
    """Lossless formats of the pictures."""

    png = "png"
    webp = "webp"


def synth(
    context: typer.Context,
    origin: Annotated[
        Path, typer.Option("--from", metavar="DIR", help="Undistorted photographs.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the database.", show_default=False)
    ],
    part: Annotated[
        str | None, typer.Option(metavar="PART", help="Only this part of sources.csv; all if not given.")
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Types of distortion; the 27 of KADID-10k, WebP and AVIF."),
    ] = None,
    levels: Annotated[str, typer.Option(metavar="N,...", help="Levels, 1 to 5.")] = "1,2,3,4,5",
    size: Annotated[
        int,
        typer.Option(
            min=0, help="Side: the shorter side is reduced to it and the centre cut out; 0 for as they are."
        ),
    ] = 384,
    pictures_only: Annotated[
        bool, typer.Option("--pictures-only", help="Make no metrics and no pseudo-MOS.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many photographs, spread evenly over the list.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    image_format: Annotated[
        ImageFormat, typer.Option("--format", help="Format of the pictures, lossless.")
    ] = ImageFormat.png,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one for each CPU if not given.")
    ] = None,
    quiet: Quiet = False,
) -> int:
    env: Environment = context.obj
    env.quiet |= quiet
    with interruptible(env):
        from iqa_cli.datasets.synth import check_place, default_workers, synthesise
        from iqa_cli.datasets.synth_sources import find_sources
        from iqa_cli.datasets.synth_task import Settings
        from iqa_cli.evaluation.full_reference import MIN_SIDE
        from iqa_cli.images.distortions import DISTORTIONS, LEVELS, TYPES

        if 0 < size < MIN_SIDE:
            raise UsageError(f"--size: {size} is too small", hint=f"from {MIN_SIDE}, or 0")
        chosen = parse_types(types, tuple(DISTORTIONS), TYPES)
        every = _levels(levels, LEVELS)
        settings = Settings(seed, size, image_format.value, chosen, every, not pictures_only)
        check_place(origin, out)
        sources = find_sources(origin, part, limit)
        processes = workers or default_workers()
        env.note(
            f"{count(len(sources), 'photograph')}, {count(len(chosen), 'type')} at "
            f"{count(len(settings.levels), 'level')}; "
            f"{processes} {'process' if processes == 1 else 'processes'}"
        )
        with _progress(env) as watcher:
            summary = synthesise(sources, settings, out, processes, watcher, command_line(context))
        for line in _report(summary, out):
            typer.echo(line)
    if summary.skipped:
        env.note(f"{count(len(summary.skipped), 'photograph')} left out; see above")
        return ExitCode.SOME_FAILED
    return ExitCode.OK


synth.__doc__ = _HELP


def parse_types(text: str | None, known: tuple[str, ...], usual: tuple[str, ...]) -> tuple[str, ...]:
    """The types named, in the order of the list of types, or the usual ones."""
    from iqa_cli.training.fields import nearest

    if text is None:
        return usual
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"--types: there is no distortion {one_line(name)!r}", hint=nearest(name, known))
    if not names:
        raise UsageError("--types names no distortion", hint=f"there are: {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _levels(text: str, highest: int) -> tuple[int, ...]:
    """Levels such as "1,3,5" or "2-4", growing."""
    found: set[int] = set()
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"--levels: {one_line(piece)!r} is no level", hint="for example 1,3,5 or 2-4")
        found |= set(range(int(first), int(last if dash else first) + 1))
    if not found or min(found) < 1 or max(found) > highest:
        raise UsageError(f"--levels: levels are 1 to {highest}")
    return tuple(sorted(found))


@contextmanager
def _progress(env: Environment) -> Iterator[Watcher]:
    """A bar on stderr where that is a terminal; lines go above it."""
    from iqa_cli.datasets.synth import Watcher

    def announce(total: int, done: int) -> None:
        if done:
            env.note(f"{done:,} of {count(total, 'picture')} are there already")

    if not env.shows_progress:
        yield Watcher(total=announce, note=env.note)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(
        file=env.stderr, force_terminal=True, no_color=not env.colour, width=env.columns, highlight=False
    )
    columns = (
        TextColumn("pictures"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        job = bar.add_task("", total=None, rate="")

        def begin(total: int, done: int) -> None:
            announce(total, done)
            bar.reset(job, total=total, completed=done)

        def advance(number: int) -> None:
            bar.advance(job, number)
            speed = bar.tasks[0].speed
            bar.update(job, rate=f"{speed:.1f} a second" if speed else "")

        def note(line: str) -> None:
            if not env.quiet:
                console.print(f"iqa: {printable(line)}", markup=False, soft_wrap=True)

        yield Watcher(begin, advance, note)


def _report(summary: Summary, out: Path) -> Iterator[str]:
    """What was made, the pseudo-MOS by level, and whether it follows the levels."""
    made = f"{count(summary.pictures, 'picture')} of {count(summary.photographs, 'photograph')}"
    yield f"{printable(str(out))}: {made}"
    if any(summary.splits):
        parts = (f"{printable(name) or 'none'} {n:,}" for name, n in sorted(summary.splits.items()))
        yield f"split: {', '.join(parts)}"
    if not summary.mos_by_level:
        return
    yield ""
    yield f"{'level':<10}{'lowest':>8}{'mean':>8}{'highest':>9}   pseudo-MOS, of metrics and not of people"
    for level, (low, mean, high) in summary.mos_by_level.items():
        yield f"{level or 'reference':<10}{low:>8.3f}{mean:>8.3f}{high:>9.3f}"
    if not summary.order:
        return
    yield ""
    yield f"{'order of levels':<16}{'Kendall':>8}{'perfect':>9}{'ladders':>9}"
    for column, found in summary.order.items():
        order = found["all"]
        yield f"{column:<16}{order.kendall:>8.3f}{order.perfect:>9,}{order.ladders:>9,}"
    weak = {
        kind: order
        for kind, order in summary.order["mos"].items()
        if kind != "all" and order.perfect < order.ladders
    }
    for kind, order in sorted(weak.items(), key=lambda entry: (entry[1].kendall, entry[0])):
        yield f"  mos of {kind}: Kendall {order.kendall:.3f}, {order.ladders - order.perfect:,} not in order"
