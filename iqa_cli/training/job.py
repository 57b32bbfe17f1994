"""A training ready to begin: its options and its starts' own facts made into checked configs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.finding import find_weights
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import NETWORKS, config_class
from iqa_cli.text import one_line, printable
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.devices import Machine
from iqa_cli.training.fields import from_options, nearest
from iqa_cli.training.options import Request, RunOptions
from iqa_cli.training.starts import INT8_STRIDES
from iqa_cli.training.starts_dan import network_fields, read_dan_recipe
from iqa_cli.weights import read_card

#: Kind of start of the distortion branch -> the option that gives it.
_DAN_STARTS = {"imagenet": "--resnet50", "contrastive": "--dan"}


@dataclass(frozen=True)
class Job:
    """One `iqa train`, checked.

    Attributes:
        run: What is trained on and from.
        config: The settings.
        policy: Size policy of validation, and of the weight.
        command: The command as given, for the card.
        pristine: Photographs that the start of the QEN has seen.
        dan_pristine: Photographs that the start of the DAN has seen.
        notes: Sentences for the card.
        max_steps: Where a dry run ends.
        machine: Device and loader.
        tensorboard: Whether event files are written.
    """

    run: RunOptions
    config: TrainConfig
    policy: SizePolicy
    command: str
    pristine: list[Path] = field(default_factory=list)
    dan_pristine: list[Path] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    max_steps: int | None = None
    machine: Machine = field(default_factory=Machine)
    tensorboard: bool = False


def configs_of(request: Request) -> tuple[TrainConfig, SizePolicy]:
    """The settings and the size policy of a request, all of it checked.

    Of the network's fields, a preset's give way to those on the card of `--start`, these to the config file
    and `--net`, and all of them to what a start of the DAN fixes.

    Raises:
        UsageError: A name is unknown, a value does not fit, or two of them contradict each other.
        WeightsError: A start is missing or damaged.
    """
    for key, option in (("network", "the network's name as argument"), ("network_config", "--net KEY=VALUE")):
        if key in request.settings:
            raise UsageError(f"--set {key}=... is not a setting of the training", hint=f"give {option}")
    if request.network not in NETWORKS:
        raise UsageError(f"there is no network {request.network!r}", hint=nearest(request.network, NETWORKS))
    known = config_class(request.network).__dataclass_fields__
    net = {key: value for key, value in request.preset_fields.items() if key in known}
    if request.run.start is not None:
        net |= _fields_on_card(request.run.start, request.network)
    net |= request.fields
    if request.run.dan is not None:
        net |= network_fields(read_dan_recipe(Path(request.run.dan)))
    return typed_configs(request.network, request.settings, net, request.run.start_of_dan)


def typed_configs(
    network: str, settings: dict[str, Any], net: dict[str, Any], start_of_dan: str | None
) -> tuple[TrainConfig, SizePolicy]:
    """The settings and the size policy.

    Args:
        network: Name of a network.
        settings: Fields of `TrainConfig` but the network's.
        net: Fields of the network's config.
        start_of_dan: As `RunOptions.start_of_dan`.

    Raises:
        UsageError: A name is unknown, a value does not fit, or two of them contradict each other.
    """
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


def _fields_on_card(start: str, network: str) -> dict[str, Any]:
    """The network's fields on the card of a finished weight.

    Raises:
        UsageError: It is of another network.
        WeightsError: It is missing or damaged.
    """
    card = read_card(find_weights(start))
    if card.network != network:
        raise UsageError(
            f"--start: {printable(start)} is a {printable(card.network)}, not a {one_line(network)}"
        )
    return {key: tuple(value) if isinstance(value, list) else value for key, value in card.config.items()}
