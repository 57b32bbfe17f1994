"""`iqa pretrain`: make the starting points of training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.errors import UsageError

app = typer.Typer(
    name="pretrain",
    help="Make the starting points of the training.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _group() -> None:
    """Make the starting points of the training."""


@app.command("qen")
def qen(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="biq2021 or csv.")] = "biq2021",
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Its folder; else $IQA_DATA/NAME.")] = None,
    part: Annotated[str, typer.Option(metavar="PART", help="The part whose pictures are used.")] = "train",
    pristine: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Further photographs: a folder with sources.csv (split train) and images/."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Run folder.")] = Path(
        "runs/qen"
    ),
    van: Annotated[str, typer.Option(help="Size of the VAN.")] = "b0",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 800,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 64,
    size: Annotated[int, typer.Option(min=64, help="Side of the crops, a multiple of 32.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Teach a VAN the stage maps of an ImageNet EfficientNet-Lite0; the same command resumes.

    Labels are not read. The result is qen.safetensors in the run folder, for `iqa train --qen`.
    """
    env: Environment = context.obj
    import torch

    from iqa_cli.datasets.pristine import read_pristine
    from iqa_cli.datasets.registry import read_database
    from iqa_cli.training.crops import decode_all
    from iqa_cli.training.distill import DistillConfig, distill

    if threads:
        torch.set_num_threads(threads)
    try:
        config = DistillConfig(van=van, size=size, batch=batch, steps=steps, seed=seed)
    except ValueError as error:
        raise UsageError(str(error)) from None
    paths = [record.path for record in read_database(dataset, root).part(part)]
    if pristine is not None:
        paths += read_pristine(pristine)
    env.note(f"decoding {len(paths)} pictures")
    result = distill(config, decode_all(paths), output, env.note, torch.bfloat16)
    env.note(f"wrote {result}")
