"""`iqa pretrain dan`: teach the distortion branch to tell distortions apart."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import interruptible, pairs, set_up
from iqa_cli.cli.options import DeviceName, DistortingThreads, Pristine, Quiet, RunFolder, Settings
from iqa_cli.training.dan_config import ContrastiveConfig, preset_config

_SETTINGS = [entry.name for entry in fields(ContrastiveConfig)]


def dan(
    context: typer.Context,
    pristine: Pristine,
    resnet50: Annotated[
        Path, typer.Option(metavar="FILE", help="int8 ImageNet ResNet-50 (.npz) to start from.")
    ],
    preset: Annotated[str, typer.Option(help="cpu or paper.")] = "cpu",
    settings: Settings = None,
    output: RunFolder = Path("runs/dan"),
    device: DeviceName = "auto",
    threads: DistortingThreads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    config = preset_config(preset, pairs(settings, "--set"))
    with interruptible(env):
        from iqa_cli.datasets.pristine import read_pristine
        from iqa_cli.networks.dan import DAN
        from iqa_cli.training.checkpoint import claim_folder
        from iqa_cli.training.contrastive import check_pretraining, describe_pretraining, pretrain
        from iqa_cli.training.contrastive_finish import (
            RESULT,
            dan_recipe,
            finish_pretraining,
        )
        from iqa_cli.training.contrastive_report import report_text
        from iqa_cli.training.crops import check_pictures, decode_all
        from iqa_cli.training.report import finished_report
        from iqa_cli.training.starts import load_resnet50_int8

        where, workers = set_up(device, threads)
        parts = {part: read_pristine(pristine, part) for part in ("train", "val")}
        for part, paths in parts.items():
            check_pictures(paths, f"--pristine, part {part}")
        check_pretraining(config, len(parts["train"]))
        network, start = DAN("caffe"), DAN("caffe")  # the strides of the int8 archive
        for module in (network, start):
            load_resnet50_int8(module.resnet, resnet50)
        recipe = dan_recipe(config, preset, resnet50, parts["train"], parts["val"])
        data = {**recipe["data"], "start": recipe["teacher"]["sha256"]}
        # Before decoding; pretrain claims the folder for itself as well.
        claim_folder(output, describe_pretraining(config, data), env.note)
        report = finished_report(output, RESULT)
        if report is None:
            env.note(f"decoding {sum(map(len, parts.values()))} photographs")
            train, val = (decode_all(paths) for paths in parts.values())
            model = pretrain(config, network, train, output, env.note, where, workers, data)
            report = finish_pretraining(
                config, model, start, train, val, recipe, output, env.note, where, workers
            )
            env.note(f"wrote {output / RESULT}")
        else:
            env.note(f"{output / RESULT} is finished")
    typer.echo(report_text(report), nl=False)


dan.__doc__ = f"""\b
Teach a ResNet-50 to tell distortions apart, then to name them.

\b
Example:
  iqa pretrain dan --pristine ../shared/data/pristine --preset cpu \\
    --resnet50 ../shared/data/backbones/resnet50_imagenet_int8.npz

\b
Supervised contrastive learning on distorted crops of the photographs of the
part train: what shares type and level of its distortion belongs together.
Then linear heads are fitted to the frozen features, and measured on the
photographs of val beside heads on the features it started from; the report
goes to stdout too. The result is dan.safetensors in the run folder, for
iqa train --dan. The same command again resumes a run; Ctrl-C saves it first.

\b
{textwrap.fill(f"--set takes {', '.join(_SETTINGS)}.", 76)}
"""
