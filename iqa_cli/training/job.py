"""A training ready to begin: its options and its starts' own facts made into checked configs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.finding import find_weights
from iqa_cli.images.policy import SizePolicy
from iqa_cli.networks.registry import RIDGE, config_class
from iqa_cli.text import one_line, printable
from iqa_cli.training.beginning import beginning
from iqa_cli.training.config import LARGEST_SEED, TrainConfig
from iqa_cli.training.devices import Machine
from iqa_cli.training.fields import from_options
from iqa_cli.training.options import RunOptions
from iqa_cli.training.request import Request
from iqa_cli.weights import read_card


@dataclass(frozen=True)
class Job:
    """One `iqa train`, checked.

    Attributes:
        run: What is trained on and from.
        config: The settings.
        policy: Size policy of validation, and of the weight.
        command: The command as given, for the card.
        seen: Option of a start -> the photographs that it has seen.
        notes: Sentences for the card.
        max_steps: Where a dry run ends.
        machine: Device and loader.
        tensorboard: Whether event files are written.
        lessons: Folder in which a teacher's scores are kept; that of the run if not given.
    """

    run: RunOptions
    config: TrainConfig
    policy: SizePolicy
    command: str
    seen: dict[str, list[Path]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    max_steps: int | None = None
    machine: Machine = field(default_factory=Machine)
    tensorboard: bool = False
    lessons: Path | None = None

    @property
    def name(self) -> str:
        """Name of the finished weight."""
        return self.run.name_for(self.config.network)


def configs_of(request: Request) -> tuple[TrainConfig, SizePolicy]:
    """The settings and the size policy of a request, all of it checked.

    Of the network's fields, a preset's give way to those on the card of `--start`, these to the config file
    and `--net`, and all of them to what a start fixes.

    Raises:
        UsageError: A name is unknown, a value does not fit, or two of them contradict each other.
        WeightsError: A start is missing or damaged.
    """
    for key, option in (("network", "the network's name as argument"), ("network_config", "--net KEY=VALUE")):
        if key in request.settings:
            raise UsageError(f"--set {key}=... is not a setting of the training", hint=f"give {option}")
    if RIDGE in request.fields:
        raise UsageError("--net ridge=...: a ridge is fitted to a finished weight", hint="iqa ridge WEIGHT")
    known = config_class(request.network).__dataclass_fields__
    net = {key: value for key, value in request.preset_fields.items() if key in known}
    for start in request.run.start:
        net |= _fields_on_card(start, request.network)
    net = beginning(request.network).fields(request.run, {**net, **request.fields})
    config, policy = typed_configs(request.network, request.settings, net, request.run)
    if config.epochs == 0 and (request.run.splits or not request.run.start):
        raise UsageError(
            "--set epochs=0 trains nothing: it calibrates the mean of the weights of --start",
            hint="give --start WEIGHT, once or more, and leave --splits out",
        )
    if config.seed + request.run.splits - 1 > LARGEST_SEED:
        raise UsageError(
            f"--set seed={config.seed}: split i of --splits {request.run.splits} has this seed + i, "
            f"at most {LARGEST_SEED}"
        )
    return config, policy


def typed_configs(
    network: str, settings: dict[str, Any], net: dict[str, Any], run: RunOptions
) -> tuple[TrainConfig, SizePolicy]:
    """The settings and the size policy.

    Args:
        network: Name of a network.
        settings: Fields of `TrainConfig` but the network's.
        net: Fields of the network's config.
        run: Says which starts there are.

    Raises:
        UsageError: A name is unknown, a value does not fit, or two of them contradict each other.
    """
    beginning(network).check(run, from_options(config_class(network), net, "--net"), net)
    config = from_options(TrainConfig, {**settings, "network": network, "network_config": net}, "--set")
    if (run.soft is None) != (config.soft_share == 0):
        raise UsageError(
            "--soft FILE and --set soft_share=... belong together: whose scores, and how much of them",
            hint="soft_share=0.5 takes half of each target from the file",
        )
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
    # A ridge is fitted beside what a finished network says: not that of the next one.
    fields = {key: value for key, value in card.config.items() if key != RIDGE}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
