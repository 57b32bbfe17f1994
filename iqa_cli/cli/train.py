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
from iqa_cli.text import printable
from iqa_cli.training.config import TrainConfig

_SETTINGS = [entry.name for entry in fields(TrainConfig) if not entry.name.startswith("network")]
#: Kind of start of the distortion branch -> the option that gives it.
_DAN_STARTS = {"imagenet": "--resnet50", "contrastive": "--dan"}
_HELP = f"""\b
Train a network on human opinion scores.

\b
Examples:
  iqa train mfenet --data biq2021 --root biq2021/ --net dan=none -o runs/small
  iqa train mfenet --data csv --root my-photos/ --start mfenet --choose-share 0.1
  iqa train mfenet --data biq2021 --root biq2021/ \\
    --qen runs/qen/qen.safetensors --dan runs/dan/dan.safetensors

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
    network: Annotated[str, typer.Argument(metavar="[NETWORK]", help="Network to train.")] = "mfenet",
    dataset: Annotated[
        str, typer.Option("--data", "--dataset", metavar="NAME", help="Database to train on: iqa data list.")
    ] = "biq2021",
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Its folder; else that of the config file, or $IQA_DATA/NAME."),
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
            metavar="SHARE", help="Instead of --choose: hold out this share of --fit, whole groups, seeded."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Run folder.")] = Path(
        "runs/mfenet"
    ),
    name: Annotated[str, typer.Option(help="Name of the finished weight.")] = "mfenet",
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
    dan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A dan.safetensors of iqa pretrain dan to start the DAN from."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHT", help="Go on from a finished weight, all of it but a branch that is also given."
        ),
    ] = None,
    qen: Annotated[
        Path | None, typer.Option(metavar="FILE", help="VAN weights (.safetensors) to start the QEN from.")
    ] = None,
    qen_pristine: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The --pristine of that start: its hashes go on the card too."),
    ] = None,
    dan_pristine: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The same for the start --dan.")
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
    if dan_pristine is not None and dan is None:
        raise UsageError("--dan-pristine says what the start --dan has seen, which is not given")
    if start is not None and qen is not None:
        raise UsageError("--start holds a QEN already; leave --qen out")
    if dan is not None and resnet50 is not None:
        raise UsageError("--dan and --resnet50 exclude each other")
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
        from iqa_cli.training.starts_dan import load_dan, network_fields, read_dan_recipe
        from iqa_cli.training.warmstart import load_warm_start

        if threads:
            torch.set_num_threads(threads)
        start_of_dan = "imagenet" if resnet50 else "contrastive" if dan else "weight" if start else None
        if start:
            chosen_net = {**_config_of(start, network), **chosen_net}
        if dan:
            chosen_net = {**chosen_net, **network_fields(read_dan_recipe(dan))}
        config, policy = _config(network, given, chosen_net, start_of_dan)
        check_folder(output)
        database = read_database(dataset, root)
        fitted, chosen = choose_parts(database, fit, choose, choose_share, config.seed)
        check_pictures([r.path for r in fitted], "the part to fit")
        check_pictures([r.path for r in chosen], "the part to choose on")
        pristine = check_pristine_folder(qen_pristine, "--qen-pristine")
        dan_sources = check_pristine_folder(dan_pristine, "--dan-pristine")
        torch.manual_seed(config.seed)
        model: Any = build(network, config.network_config)
        warm = load_warm_start(model, start, ("dan.",) if dan or resnet50 else ()) if start else None
        if resnet50 is not None:
            load_resnet50_int8(model.dan.resnet, resnet50)
        if dan is not None:
            check_pristine("--dan", load_dan(model.dan, dan), dan_sources)
        if qen is not None:
            load_qen(model.qen, qen)
            check_pristine("--qen", read_recipe(qen), pristine)
        points = [warm.point] if warm else []
        points += starting_points(qen, resnet50, dan, fitted, chosen, pristine, dan_sources)
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
                "--dan": file_sha256(dan) if dan else None,
                "--start": file_sha256(warm.path) if warm else None,
            },
        }
        state = run_training(config, model, fitted, chosen, policy, output, env.note, max_steps, origin)
        facts = {
            "command": command_line(context),
            "starting_points": points,
            "licence": licence(dataset, points, sorted({*pristine, *dan_sources})),
            "notes": notes,
        }
        path = output / f"{name}.safetensors"
        further = sorted({*pristine, *dan_sources})
        before = warm.hashes if warm else []
        finish(config, model, state, database, fitted, chosen, policy, path, facts, further, before, env.note)


def _config_of(start: str, network: str) -> dict[str, Any]:
    """The network's fields on the card of a finished weight.

    Raises:
        UsageError: It is of another network.
        WeightsError: It is missing or damaged.
    """
    from iqa_cli.finding import find_weights
    from iqa_cli.weights import read_card

    card = read_card(find_weights(start))
    if card.network != network:
        raise UsageError(f"--start: {printable(start)} is a {printable(card.network)}, not a {network}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in card.config.items()}


def _config(
    network: str, settings: dict[str, Any], net: dict[str, Any], start_of_dan: str | None
) -> tuple[TrainConfig, Any]:
    """The settings and the size policy, all of it checked.

    Raises:
        UsageError: A name is unknown, a value does not fit, or two of them contradict each other.
    """
    from iqa_cli.images.policy import SizePolicy
    from iqa_cli.networks.registry import NETWORKS, config_class
    from iqa_cli.training.fields import from_options, nearest
    from iqa_cli.training.starts import INT8_STRIDES

    for key, option in (("network", "the network's name as argument"), ("network_config", "--net KEY=VALUE")):
        if key in settings:
            raise UsageError(f"--set {key}=... is not a setting of the training", hint=f"give {option}")
    if network not in NETWORKS:
        raise UsageError(f"there is no network {network!r}", hint=nearest(network, NETWORKS))
    typed = from_options(config_class(network), net, "--net")
    dan = getattr(typed, "dan", "none")
    if start_of_dan in _DAN_STARTS:
        option = _DAN_STARTS[start_of_dan]
        if dan == "none":
            raise UsageError(f"{option} starts a branch that this config does not have")
        if dan != start_of_dan:
            raise UsageError(
                f"{option} is a start of the kind {start_of_dan}, and the config says dan={dan}",
                hint=f"add --net dan={start_of_dan}",
            )
        if net.setdefault("dan_strides", INT8_STRIDES) != INT8_STRIDES:
            raise UsageError(
                f"--net dan_strides={net['dan_strides']} contradicts {option}, whose weights need "
                f"{INT8_STRIDES} strides",
                hint="leave dan_strides out",
            )
    elif dan != "none" and start_of_dan is None:
        raise UsageError(
            f"the distortion branch (dan={dan}) is frozen and needs weights to start from",
            hint="give --dan FILE, or --resnet50 FILE with --net dan=imagenet, or leave the branch out with "
            "--net dan=none",
        )
    config = from_options(TrainConfig, {**settings, "network": network, "network_config": net}, "--set")
    try:
        return config, SizePolicy(crop=config.size)
    except ValueError as error:
        raise UsageError(f"--set size={config.size}: {error}") from None


train.__doc__ = _HELP
