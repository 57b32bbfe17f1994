"""`iqa convert`: published checkpoints of other programs become weights of this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.options import Quiet
from iqa_cli.errors import UsageError
from iqa_cli.text import count, one_line

app = typer.Typer(
    name="convert",
    help="Convert published checkpoints of other programs into weights.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group() -> None:
    """Convert published checkpoints of other programs into weights."""


@app.command("vcrnet")
def vcrnet(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="PUBLISHED.pth", help="The published checkpoint.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The weight; it must not exist.")],
    scores: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LOW HIGH", help="Range of the scores that it gives. Default: 0 1."),
    ] = None,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="It gives DMOS, where lower is better.")
    ] = False,
    stride_in: Annotated[
        str, typer.Option(help="Convolution of the double 3x3 branch that has the stride: first or last.")
    ] = "first",
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    if not target.name.endswith(".safetensors") or target.name.endswith(".seen.safetensors"):
        raise UsageError(f"{one_line(target)}: the name of a weight should end in .safetensors")
    if target.exists():
        raise UsageError(f"{one_line(target)} exists", hint="name another file, or remove it")
    if stride_in not in ("first", "last"):
        raise UsageError(f"--stride-in: must be first or last, not {one_line(stride_in)}")
    from iqa_cli.training.convert_vcrnet import Scale, convert_vcrnet

    try:
        scale = Scale(*(scores or (0.0, 1.0)), lower_is_better=lower_is_better)
    except ValueError as error:
        raise UsageError(f"--range: {error}") from None
    done = convert_vcrnet(source, target, stride_in, scale)
    env.note(f"took over {count(done.mapped, 'tensor')}")
    if done.left_out:
        env.note(f"left out, no score depends on them: {', '.join(map(one_line, done.left_out))}")
    for name in done.unknown:
        env.note(f"did not match: {one_line(name)}")
    if done.supplied:
        env.note(f"{count(len(done.supplied), 'counter')} of batch norms are not in it and were set to 0")
    if done.what == "restoration":
        env.note("it is the restoration network alone: a start for iqa train --restoration")
    env.note(f"wrote {one_line(done.path)}")


vcrnet.__doc__ = """\b
Convert a published checkpoint of VCRNet.

\b
Examples:
  iqa convert vcrnet VCRNet_LIVE.pth live.safetensors --range 0 100 --lower-is-better
  iqa score --weights live.safetensors photo.jpg

\b
The file is read by torch's weights-only loader, which runs nothing in it.
Names that do not match are told one by one. Range and direction of its scores
are not in the file: say them, or scores are taken for 0 to 1, higher better.
"""
