"""`iqa pretrain`: make the starting points of training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.completing import complete_database, complete_packaged
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import check_pristine_folder, interruptible, limit_threads
from iqa_cli.cli.options import DecodingThreads, Quiet, RunFolder
from iqa_cli.cli.pretrain_dan import dan
from iqa_cli.cli.pretrain_restoration import restoration
from iqa_cli.errors import UsageError
from iqa_cli.training.config import DistillConfig

_DEFAULTS = DistillConfig()

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
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="biq2021 or csv.", autocompletion=complete_database)
    ] = "biq2021",
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Its folder; else $IQA_DATA/NAME.")] = None,
    part: Annotated[str, typer.Option(metavar="PART", help="The part whose pictures are used.")] = "train",
    pristine: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Further photographs: a folder with sources.csv (split train) and images/."
        ),
    ] = None,
    output: RunFolder = Path("runs/qen"),
    van: Annotated[str, typer.Option(help="Size of the VAN.")] = _DEFAULTS.van,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            autocompletion=complete_packaged,
            help="EfficientNet-Lite whose maps are learnt: lite0 (if not given), lite1, lite2; once or more.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = _DEFAULTS.steps,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = _DEFAULTS.batch,
    size: Annotated[int, typer.Option(min=64, help="Side of the crops, a multiple of 32.")] = _DEFAULTS.size,
    seed: Annotated[int, typer.Option(help="Seed.")] = _DEFAULTS.seed,
    threads: DecodingThreads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    try:
        teachers = tuple(teacher or _DEFAULTS.teachers)
        config = DistillConfig(van=van, size=size, batch=batch, steps=steps, seed=seed, teachers=teachers)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    with interruptible(env):
        import torch

        from iqa_cli.datasets.registry import read_database
        from iqa_cli.training.checkpoint import claim_folder
        from iqa_cli.training.crops import check_pictures, decode_all
        from iqa_cli.training.distill import check_distill, describe_distillation, distill, finished
        from iqa_cli.training.provenance import qen_recipe

        limit_threads(threads)
        records = read_database(dataset, root).part(part)
        paths = [record.path for record in records]
        check_pictures(paths, f"the part {part}")
        further = check_pristine_folder(pristine, "--pristine")
        check_distill(config, len(paths) + len(further))
        recipe = qen_recipe(config, dataset, part, records, further)
        # Before the minutes of decoding; distill claims the folder for itself as well.
        claim_folder(output, describe_distillation(config, recipe), env.note)
        if done := finished(output, recipe):
            env.note(f"{done} is finished; another folder (-o) would make it again")
            return
        env.note(f"decoding {len(paths) + len(further)} pictures")
        images = decode_all(paths + further)
        result = distill(config, images, output, env.note, torch.bfloat16, recipe)
        env.note(f"wrote {result}")


qen.__doc__ = """\b
Teach a VAN the stage maps of ImageNet networks (EfficientNet-Lite).

\b
Example:
  iqa pretrain qen --root ../shared/data/biq2021 -o runs/qen
  iqa pretrain qen --root ../shared/data/biq2021 --teacher lite0 --teacher lite2

\b
Labels are not read. The result is qen.safetensors in the run folder, for
iqa train --qen; it carries its recipe. The same command again resumes a run;
Ctrl-C saves it first.
"""

app.command("dan")(dan)
app.command("vcrnet-restoration")(restoration)
