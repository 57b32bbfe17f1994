"""`iqa pretrain vcrnet-restoration`: teach VCRNet's restoration network to take distortions back."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.completing import complete_database
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import interruptible, pairs, set_up
from iqa_cli.cli.options import DeviceName, DistortingThreads, Pristine, Quiet, RunFolder, Settings
from iqa_cli.errors import UsageError
from iqa_cli.training.restoration_config import RestorationConfig, preset_config

_SETTINGS = [entry.name for entry in fields(RestorationConfig)]


def restoration(
    context: typer.Context,
    pristine: Pristine,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A labelled database; its best pictures are learnt from too.",
            autocompletion=complete_database,
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of --data; else $IQA_DATA/NAME.")
    ] = None,
    part: Annotated[str, typer.Option(metavar="PART", help="Part of --data.")] = "train",
    from_mos: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Lowest MOS, 0 to 1, of the pictures of --data.")
    ] = 0.7,
    preset: Annotated[str, typer.Option(help="cpu or gpu.")] = "cpu",
    settings: Settings = None,
    output: RunFolder = Path("runs/restoration"),
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="End after so many steps, to see what a step takes.")
    ] = None,
    device: DeviceName = "auto",
    threads: DistortingThreads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    config = preset_config(preset, pairs(settings, "--set"))
    if data is None and root is not None:
        raise UsageError("--root: of which database?", hint="name it with --data")
    with interruptible(env):
        from iqa_cli.datasets.pristine import read_pristine
        from iqa_cli.datasets.registry import read_database
        from iqa_cli.evaluation.full_reference import library_version
        from iqa_cli.training.checkpoint import claim_folder
        from iqa_cli.training.crops import check_pictures, decode_all
        from iqa_cli.training.report import finished_report
        from iqa_cli.training.restoration import describe_restoration, pretrain_restoration
        from iqa_cli.training.restoration_finish import (
            RESULT,
            FurtherPictures,
            finish_restoration,
            restoration_recipe,
        )
        from iqa_cli.training.restoration_report import report_text

        where, workers = set_up(device, threads)
        library_version()  # the report needs it, after hours
        train, val = (read_pristine(pristine, split) for split in ("train", "val"))
        further = FurtherPictures()
        if data is not None:
            records = read_database(data, root).part(part)
            further = FurtherPictures(data, part, records, from_mos)
        check_pictures(train, "--pristine, part train")
        check_pictures(val, "--pristine, part val")
        check_pictures(further.paths(), f"--data, part {part}")
        recipe = restoration_recipe(config, preset, train, val, further)
        # Before decoding; pretrain_restoration claims the folder for itself as well.
        claim_folder(output, describe_restoration(config, recipe["data"]), env.note)
        report = finished_report(output, RESULT)
        if report is None:
            paths = [*train, *further.paths()]
            env.note(f"decoding {len(paths)} photographs")
            model = pretrain_restoration(
                config, decode_all(paths), output, env.note, where, workers, recipe["data"], max_steps
            )
            if max_steps is not None:
                env.note("ended by --max-steps; the same command without it goes on, and writes the result")
                return
            report = finish_restoration(
                config, model, decode_all(val), recipe, output, env.note, where, workers
            )
            env.note(f"wrote {output / RESULT}")
        else:
            env.note(f"{output / RESULT} is finished")
    typer.echo(report_text(report), nl=False)


restoration.__doc__ = f"""\b
Teach VCRNet's restoration network to take distortions back.

\b
Example:
  iqa pretrain vcrnet-restoration --pristine ../shared/data/pristine \\
    --preset cpu -o runs/restoration

\b
Crops of the photographs of the part train are distorted as they are drawn
(27 types at 5 levels); the loss is L1 weighted by an error map, and SSIM.
Then photographs of val are distorted, restored and compared: the report of
PSNR and SSIM by type and level is report.md, and goes to stdout too. The
result is restoration.safetensors in the run folder, for iqa train
--restoration and iqa restore --weights. The same command again resumes a run;
Ctrl-C saves it first.

\b
{textwrap.fill(f"--set takes {', '.join(_SETTINGS)}.", 76)}
"""
