"""`iqa train`: fit a network to opinion scores."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import check_name, check_pristine_folder, command_line, interruptible, pairs
from iqa_cli.errors import UsageError
from iqa_cli.training.config import TrainConfig

_SETTINGS = [entry.name for entry in fields(TrainConfig) if not entry.name.startswith("network")]
_HELP = f"""\b
Train a network on human opinion scores.

\b
Examples:
  iqa train --root ../shared/data/biq2021 --net dan=none -o runs/small
  iqa train --dataset csv --root my-photos/ --net dan=none --choose-share 0.1
  iqa train --root biq2021/ --qen runs/qen/qen.safetensors \\
    --resnet50 resnet50.npz --net dan=imagenet --set epochs=4

\b
Weights are fitted to the part --fit; the epoch, the pooling and the
calibration are chosen on the part --choose, which shares no picture and no
group with it; nothing else is looked at. The folder -o keeps config, log and
checkpoints, and gets the finished NAME.safetensors. The same command again
resumes a run; Ctrl-C saves it first.

\b
{textwrap.fill(f"--set takes {', '.join(_SETTINGS)}.", 76)}
"""


def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="biq2021 or csv.")] = "biq2021",
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Its folder; else $IQA_DATA/NAME.")] = None,
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
            metavar="SHARE", help="Instead of --choose: hold out this share of --fit, whole groups, seeded."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Run folder.")] = Path(
        "runs/mfenet"
    ),
    name: Annotated[str, typer.Option(help="Name of the finished weight.")] = "mfenet",
    network: Annotated[str, typer.Option(metavar="NAME", help="Network to train.")] = "mfenet",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the training.")
    ] = None,
    net: Annotated[
        list[str] | None, typer.Option("--net", metavar="KEY=VALUE", help="A field of the network's config.")
    ] = None,
    resnet50: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="int8 ImageNet ResNet-50 (.npz) to start the DAN from, with --net dan=imagenet.",
        ),
    ] = None,
    qen: Annotated[
        Path | None, typer.Option(metavar="FILE", help="VAN weights (.safetensors) to start the QEN from.")
    ] = None,
    qen_pristine: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The --pristine of that start: its hashes go on the card too."),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Stop early: a dry run.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads, of the network and of decoding.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on stderr.")] = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    given, chosen_net = pairs(settings, "--set"), pairs(net, "--net")
    check_name(name)
    if qen_pristine is not None and qen is None:
        raise UsageError("--qen-pristine says what the start --qen has seen, which is not given")
    with interruptible(env):
        import torch

        from iqa_cli.datasets.registry import read_database
        from iqa_cli.networks.registry import build
        from iqa_cli.training.checkpoint import check_folder
        from iqa_cli.training.crops import check_pictures
        from iqa_cli.training.finish import finish
        from iqa_cli.training.loop import train as run_training
        from iqa_cli.training.parts import choose_parts
        from iqa_cli.training.provenance import check_pristine, licence, read_recipe, starting_points
        from iqa_cli.training.starts import file_sha256, load_qen, load_resnet50_int8

        if threads:
            torch.set_num_threads(threads)
        config, policy = _config(network, given, chosen_net, resnet50 is not None)
        check_folder(output)
        database = read_database(dataset, root)
        fitted, chosen = choose_parts(database, fit, choose, choose_share, config.seed)
        check_pictures([r.path for r in fitted], "the part to fit")
        check_pictures([r.path for r in chosen], "the part to choose on")
        pristine = check_pristine_folder(qen_pristine, "--qen-pristine")
        torch.manual_seed(config.seed)
        model: Any = build(network, config.network_config)
        if resnet50 is not None:
            load_resnet50_int8(model.dan.resnet, resnet50)
        if qen is not None:
            load_qen(model.qen, qen)
            check_pristine(read_recipe(qen), pristine)
        points = starting_points(qen, resnet50, fitted, chosen, pristine)
        notes = [f"dry run: ended after {max_steps} steps at the latest"] if max_steps else []
        for point in points:
            if "not_hashed" in point:
                notes.append(f"start of {point['branch']}: {point['not_hashed']}")
                env.note(notes[-1])
        origin = {
            "dataset": dataset,
            "starts": {
                "--qen": file_sha256(qen) if qen else None,
                "--resnet50": file_sha256(resnet50) if resnet50 else None,
            },
        }
        state = run_training(config, model, fitted, chosen, policy, output, env.note, max_steps, origin)
        facts = {
            "command": command_line(context),
            "starting_points": points,
            "licence": licence(dataset, points, pristine),
            "notes": notes,
        }
        path = output / f"{name}.safetensors"
        finish(config, model, state, database, fitted, chosen, policy, path, facts, pristine, env.note)


def _config(
    network: str, settings: dict[str, Any], net: dict[str, Any], imagenet_start: bool
) -> tuple[TrainConfig, Any]:
    """The settings and the size policy, all of it checked.

    Raises:
        UsageError: A name is unknown, a value does not fit, or two of them contradict each other.
    """
    from iqa_cli.images.policy import SizePolicy
    from iqa_cli.networks.registry import NETWORKS, config_class
    from iqa_cli.training.fields import from_options, nearest
    from iqa_cli.training.starts import INT8_STRIDES

    for key, option in (("network", "--network NAME"), ("network_config", "--net KEY=VALUE")):
        if key in settings:
            raise UsageError(f"--set {key}=... is not a setting of the training", hint=f"give {option}")
    if network not in NETWORKS:
        raise UsageError(f"--network: there is no network {network!r}", hint=nearest(network, NETWORKS))
    typed = from_options(config_class(network), net, "--net")
    dan = getattr(typed, "dan", "none")
    if imagenet_start and dan == "none":
        raise UsageError("--resnet50 starts a branch that this config does not have")
    if imagenet_start and dan != "imagenet":
        raise UsageError(
            f"--resnet50 is an ImageNet start, and the config says dan={dan}", hint="add --net dan=imagenet"
        )
    if dan != "none" and not imagenet_start:
        raise UsageError(
            f"the distortion branch (dan={dan}) is frozen and needs weights to start from",
            hint="give --resnet50 FILE with --net dan=imagenet, or leave the branch out with --net dan=none",
        )
    if imagenet_start and net.setdefault("dan_strides", INT8_STRIDES) != INT8_STRIDES:
        raise UsageError(
            f"--net dan_strides={net['dan_strides']} contradicts --resnet50, whose weights need "
            f"{INT8_STRIDES} strides",
            hint="leave dan_strides out",
        )
    config = from_options(TrainConfig, {**settings, "network": network, "network_config": net}, "--set")
    try:
        return config, SizePolicy(crop=config.size)
    except ValueError as error:
        raise UsageError(f"--set size={config.size}: {error}") from None


train.__doc__ = _HELP
