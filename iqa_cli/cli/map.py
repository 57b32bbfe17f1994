"""`iqa map`: where a photograph is good and where not."""

from __future__ import annotations

import io
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iqa_cli.cli.completing import complete_weight
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import interruptible
from iqa_cli.cli.one_picture import named, refuse_same
from iqa_cli.cli.options import Device, DeviceOption, Quiet, Threads
from iqa_cli.cli.output import check_place, write
from iqa_cli.cli.run_progress import run_progress
from iqa_cli.errors import UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.images.photo import Photo
    from iqa_cli.scoring.quality_map import QualityMap

_HELP = """\b
Show where a photograph is good and where not.

\b
Examples:
  iqa map photo.jpg -o map.png
  iqa map photo.jpg -o map.png --native
  iqa map photo.jpg --format csv > map.csv

\b
Overlapping tiles are scored one by one and blended. The result is the
photograph in grey under colours, with a scale in points; as npy (float32,
rows x columns) or csv the numbers alone, a cell for 8 x 8 pixels of the size
that was looked at. A larger photograph is reduced to about 1 megapixel
first; --native takes its full resolution, which shows blur and noise that
the reduction hides, and takes longer. What the points mean was fitted to
whole pictures: within one picture, it is the differences that tell.
"""


class MapFormat(str, Enum):
    """What is written."""

    png = "png"
    npy = "npy"
    csv = "csv"


def quality_map(
    context: typer.Context,
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A photograph.")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Where to; else stdout.")
    ] = None,
    form: Annotated[
        MapFormat | None, typer.Option("--format", help="Default: by the ending of FILE, else png.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(metavar="WEIGHT", help="Weight: a name or a file.", autocompletion=complete_weight),
    ] = "mfenet",
    native: Annotated[bool, typer.Option("--native", help="Look at the full resolution.")] = False,
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="Points of the first and last colour; else by the map."),
    ] = None,
    device: DeviceOption = Device.auto,
    threads: Threads = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger pictures.")] = 250_000_000,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    place = None if output == "-" else output
    chosen = form or _by_ending(place)
    if scale is not None and not 0 <= scale[0] < scale[1] <= 100:
        raise UsageError(f"--scale {scale[0]:g} {scale[1]:g}: LOW must be below HIGH, both from 0 to 100")
    if place is None and chosen is not MapFormat.csv and env.stdout_is_terminal:
        raise UsageError(f"a map as {chosen.value} is nothing for a terminal", hint="-o FILE, or redirect")
    if place is not None:
        check_place(place)
        refuse_same(picture, place)
    with interruptible(env, otherwise=""):  # nothing has been written
        from iqa_cli import load
        from iqa_cli.images.decode import open_photo
        from iqa_cli.scoring.quality_map import SIDE
        from iqa_cli.scoring.quality_map import quality_map as score_tiles

        with named(picture):  # before the weight: a picture that cannot be read is told at once
            opened = open_photo(picture, max_pixels=max_pixels)
        with opened as photo, run_progress(env) as progress:
            scorer = load(model, device=device.value, threads=threads)
            with named(picture):
                found = score_tiles(
                    scorer,
                    photo,
                    side=None if native else SIDE,
                    progress=lambda done, total: progress.update("scoring tiles", done, total),
                )
                content = _content(chosen, photo, found, scale)
        write(env, place, content)
        low, high = found.values.min(), found.values.max()
        env.note(
            f"{count(len(found.tiles), 'tile')} at {found.seen[0]}x{found.seen[1]} pixels: "
            f"{low:.1f} to {high:.1f} points, mean {found.values.mean():.1f} ({one_line(scorer.name)})"
        )


def _by_ending(place: str | None) -> MapFormat:
    ending = Path(place).suffix.lower().lstrip(".") if place else ""
    if not ending:
        return MapFormat.png
    if ending not in MapFormat.__members__:
        raise UsageError(
            f"-o {one_line(place or '')}: no format is known by the ending {one_line(ending)!r}",
            hint=f"one of {', '.join(MapFormat.__members__)}",
        )
    return MapFormat(ending)


def _content(chosen: MapFormat, photo: Photo, found: QualityMap, scale: tuple[float, float] | None) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    if chosen is MapFormat.npy:
        np.save(stream, found.values)
    elif chosen is MapFormat.csv:
        np.savetxt(stream, found.values, fmt="%.2f", delimiter=",")
    else:
        from iqa_cli.report.map_overlay import overlay

        overlay(photo, found, scale).save(stream, "PNG")
    return stream.getvalue()


quality_map.__doc__ = _HELP
