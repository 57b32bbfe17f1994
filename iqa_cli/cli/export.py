"""`iqa export`: a weight becomes an ONNX file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.checksums import mebibytes, write_file
from iqa_cli.cli.context import Environment
from iqa_cli.cli.options import Quiet, WeightArgument
from iqa_cli.errors import UsageError
from iqa_cli.onnxfile import is_exported
from iqa_cli.text import one_line


def export(
    context: typer.Context,
    weight: WeightArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.onnx", help="The ONNX file; it must not exist.")
    ],
    any_size: Annotated[
        bool,
        typer.Option("--any-size", help="Free height and width too; takes minutes, and scoring has no use."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    if not is_exported(output):
        raise UsageError(f"{one_line(output)}: the name of an exported network should end in .onnx")
    with contextlib.suppress(FileNotFoundError):
        output.lstat()  # raises for a name that cannot be, before minutes go into the network
        raise UsageError(f"{one_line(output)} exists", hint="name another file, or remove it")
    env.note("exporting, which takes a while ...")
    from iqa_cli.exporting import export_network

    content = export_network(weight, any_size=any_size)
    write_file(output, content)
    env.note(f"wrote {one_line(output)} ({mebibytes(len(content))}) and its line in SHA256SUMS")


export.__doc__ = """\b
Write a weight as an ONNX file, for ONNX Runtime, OpenVINO and other programs.

\b
Examples:
  iqa export mfenet -o mfenet.onnx
  iqa score --model ./mfenet.onnx photo.jpg

\b
The graph takes crops (rgb: float32 [N, 3, S, S], 0 to 1) and gives the MOS
of each (raw: [N], 0 to 1 before calibration); of a network that names
distortions, also types and levels. The card is in the metadata (iqa_card):
size policy and calibration, which make a score of the crops of a picture, as
iqa score does with the file. Needs the extra: pip install 'iqa-cli\\[onnx]'.
"""
