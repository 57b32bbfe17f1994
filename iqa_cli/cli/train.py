"""`iqa train`: fit a network to opinion scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from iqa_cli.cli.completing import complete_database, complete_preset, complete_weight
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import (
    check_name,
    check_pristine_folder,
    command_line,
    given_flags,
    interruptible,
    limit_threads,
    pairs,
)
from iqa_cli.cli.options import DatabaseFolders, DecodingThreads, DeviceName, OpinionRange, Quiet
from iqa_cli.cli.output import Output
from iqa_cli.cli.run_progress import run_progress
from iqa_cli.cli.train_help import HELP
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line, printable
from iqa_cli.training.launch import is_main_process
from iqa_cli.training.options import SEEN_STARTS, RunOptions
from iqa_cli.training.presets import DEFAULT
from iqa_cli.training.request import resolve
from iqa_cli.training.summary import summary_table


def train(
    context: typer.Context,
    network: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="Network to train; mfenet if not given.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML with tables run, network and train; runs leave one."),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Settings to begin from; see above.", autocompletion=complete_preset
        ),
    ] = DEFAULT,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "--dataset",
            metavar="NAME",
            help="Database to train on (iqa data list), once or more; biq2021 if not given.",
            autocompletion=complete_database,
        ),
    ] = None,
    root: DatabaseFolders = None,
    scale: OpinionRange = None,
    order: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of this further --data only the order of opinions counts."),
    ] = None,
    split_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Parts as iqa data split has written them.")
    ] = None,
    fit: Annotated[
        str | None, typer.Option(metavar="PART", help="The part that is fitted; train if not given.")
    ] = None,
    choose: Annotated[
        str | None,
        typer.Option(metavar="PART", help="The part that chooses and calibrates; calib if not given."),
    ] = None,
    choose_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Instead of --choose: hold out this share of --fit, whole groups, seeded; with --splits, of "
            "all pictures (0.1 if not given).",
        ),
    ] = None,
    splits: Annotated[
        int,
        typer.Option(metavar="N", help="Draw N splits, train and measure on each, print the median."),
    ] = 0,
    test_share: Annotated[
        float, typer.Option(metavar="SHARE", help="With --splits: the share that is measured on.")
    ] = 0.2,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Run folder; runs/NETWORK if not given."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the finished weight; that of the network if not given.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the training.")
    ] = None,
    net: Annotated[
        list[str] | None, typer.Option("--net", metavar="KEY=VALUE", help="A field of the network's config.")
    ] = None,
    resnet50: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="mfenet: int8 ImageNet ResNet-50 (.npz) to start the DAN from, with --net dan=imagenet.",
        ),
    ] = None,
    dan: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="mfenet: a dan.safetensors of iqa pretrain dan to start the DAN from."
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WEIGHT",
            help="Go on from a finished weight, all of it but a branch that is also given; given several "
            "times, from the mean of their tensors.",
            autocompletion=complete_weight,
        ),
    ] = None,
    qen: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="mfenet: VAN weights (.safetensors) to start the QEN from."),
    ] = None,
    qen_pristine: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The --pristine of that start: its hashes go on the card too."),
    ] = None,
    dan_pristine: Annotated[
        str | None, typer.Option(metavar="DIR", help="The same for the start --dan.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Weights to start the backbone from: lite0 (vcrnet), lite0 to lite2, a file, or the "
            "backbone of a finished weight (qfm-iqm; mfenet: as QEN in place of the VAN; of the kind that "
            "--start has, it takes the place of that alone).",
        ),
    ] = None,
    restoration: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="vcrnet: a restoration.safetensors of iqa pretrain vcrnet-restoration."
        ),
    ] = None,
    restoration_pristine: Annotated[
        str | None, typer.Option(metavar="DIR", help="The --pristine of that start.")
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WEIGHT",
            help="Learn also what this weight says of --unlabelled; given several times, the mean of them.",
            autocompletion=complete_weight,
        ),
    ] = None,
    unlabelled: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of pictures without opinions, for --teacher.")
    ] = None,
    soft: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="CSV, JSON or JSON Lines with path and score of all pictures to fit, mixed into their "
            "opinions by --set soft_share.",
        ),
    ] = None,
    soft_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="Scores of --soft for the lowest and highest opinion; 0 100 if not given.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Refuse to begin anew: there must be a run to go on with.")
    ] = False,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Stop early: a dry run.")] = None,
    device: DeviceName = "auto",
    threads: DecodingThreads = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that make the crops, instead of threads (Linux).")
    ] = 0,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files too; needs the package tensorboard.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    # Of the processes of `accelerate launch`, one speaks.
    env.quiet |= quiet or not is_main_process()
    request = resolve(config, _run_flags(context), network, pairs(settings, "--set"), pairs(net, "--net"))
    run = request.run
    check_name(run.name_for(request.network))
    folder = output if output is not None else Path("runs", request.network)
    if run.splits and max_steps:
        raise UsageError("--max-steps is a dry run of one training; leave --splits out")
    if resume and not any(folder.glob("split*/last.pt" if run.splits else "last.pt")):
        raise UsageError(
            f"--resume: {one_line(folder)} holds no checkpoint",
            hint="without --resume, the same command begins",
        )
    with interruptible(env):
        import torch

        from iqa_cli.scoring.device import choose_device
        from iqa_cli.training.checkpoint import check_folder
        from iqa_cli.training.devices import Machine
        from iqa_cli.training.job import Job, configs_of
        from iqa_cli.training.parts import Source, choose_parts
        from iqa_cli.training.protocol import train_weight
        from iqa_cli.training.sources import given_roots, read_databases

        limit_threads(threads)
        where = choose_device(device)
        # A network on the CPU needs its threads itself.
        makers = torch.get_num_threads() if where.type == "cuda" else 1
        typed, policy = configs_of(request)
        check_folder(folder)
        bounds = (run.range[0], run.range[1]) if run.range else None
        roots = given_roots(run.data, run.root)
        databases = read_databases(run.data, roots, bounds, [Path(file) for file in run.split_file])
        for database in databases:
            if database.name == "csv" and bounds is None:
                env.note(
                    f"the scale of the opinions is taken to be {database.low:g} to {database.high:g}, "
                    "their extremes; --range sets it"
                )
        job = Job(
            run,
            typed,
            policy,
            command_line(context),
            {
                key: check_pristine_folder(run.path(f"{key}_pristine"), f"--{key}-pristine")
                for key in SEEN_STARTS
            },
            notes=_synthetic(run.data, roots),
            max_steps=max_steps,
            machine=Machine(where, threads=makers, processes=workers),
            tensorboard=tensorboard,
        )
        if run.splits:
            from iqa_cli.training.repeat import run_splits

            with run_progress(env) as progress:
                results = run_splits(job, databases, folder, progress.note, progress)
            if is_main_process():
                Output(env, None).write(summary_table(results).encode())
            return
        parts = [choose_parts(d, run.fit, run.choose, run.choose_share, typed.seed) for d in databases]
        sources = [Source(d, *both, run.kind_of(d.name)) for d, both in zip(databases, parts, strict=True)]
        with run_progress(env) as progress:
            train_weight(job, sources, folder, progress.note, progress)


def _synthetic(names: Sequence[str], roots: Mapping[str, Path]) -> tuple[str, ...]:
    """Sentences for the card on databases that a program has labelled."""
    from iqa_cli.card import UNRATED
    from iqa_cli.datasets.roots import find_root
    from iqa_cli.datasets.synth_folder import made_by

    found = {name: made_by(find_root(name, roots.get(name))) for name in names}
    return tuple(
        f"{name}: {UNRATED}; they and their opinions were made by {printable(made)}"
        for name, made in found.items()
        if made is not None
    )


def _run_flags(context: typer.Context) -> dict[str, Any]:
    """Fields of `RunOptions` that were given as flags."""
    given = given_flags(context)
    if "scale" in given:
        given["range"] = given.pop("scale")
    known = {entry.name for entry in fields(RunOptions)}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in given.items()
        if key in known
    }


train.__doc__ = HELP
