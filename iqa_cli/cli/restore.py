"""`iqa restore`: what VCRNet's restoration network makes of a photograph."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.completing import complete_weight
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import interruptible, limit_threads
from iqa_cli.cli.one_picture import named, refuse_same
from iqa_cli.cli.options import DeviceName, Quiet, Threads
from iqa_cli.cli.output import check_place, write
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

#: Ending -> Pillow's name of the format, and how it is written.
_FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".bmp": ("BMP", {}),
}


def restore(
    context: typer.Context,
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A photograph.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to; - is PNG to stdout.")
    ],
    weights: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="A weight of VCRNet, by name or file, or a restoration.safetensors.",
            autocompletion=complete_weight,
        ),
    ] = "vcrnet",
    device: DeviceName = "auto",
    threads: Threads = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger pictures.")] = 250_000_000,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    kind, options = _format_of(output)
    if output != "-":
        check_place(output)
        refuse_same(picture, output)
    with interruptible(env, otherwise=""):  # nothing has been written
        from PIL import Image

        from iqa_cli.images.decode import open_photo
        from iqa_cli.scoring.device import choose_device
        from iqa_cli.scoring.restore import restore_photo
        from iqa_cli.training.starts_vcrnet import load_restorer

        limit_threads(threads)
        where = choose_device(device)
        network, name = load_restorer(weights)
        with named(picture), open_photo(picture, max_pixels=max_pixels) as photo:
            if photo.has_alpha:
                env.note("its transparency is left out: it is put on a light background")
            restored = restore_photo(network, photo, where)
        stream = io.BytesIO()
        Image.fromarray(restored).save(stream, kind, **options)
        write(env, output, stream.getvalue())
        height, width = restored.shape[:2]
        place = "stdout" if output == "-" else one_line(output)
        env.note(f"wrote {place}: {width}x{height} pixels, restored with {one_line(name)}")


restore.__doc__ = """\b
Take the distortion of a photograph back, as VCRNet has learnt it.

\b
Examples:
  iqa restore photo.jpg -o restored.png
  iqa restore photo.jpg -o restored.png --weights runs/restoration/restoration.safetensors

\b
It shows what the network sees as distortion, which is what its score is read
from; it is no tool for developing photographs. Pictures of any size are
restored at that size, large ones in tiles. The result is 8-bit sRGB without
metadata; its format follows from its ending (png, jpg, webp, tif, bmp).
"""


def _format_of(output: str) -> tuple[str, dict[str, object]]:
    if output == "-":
        return "PNG", {}
    ending = Path(output).suffix.lower()
    if ending not in _FORMATS:
        raise UsageError(
            f"-o {one_line(output)}: no format is known by the ending {one_line(ending)!r}",
            hint=f"one of {', '.join(_FORMATS)}",
        )
    kind, options = _FORMATS[ending]
    return kind, dict(options)
