"""What `iqa train` is asked to do: defaults, then a preset, then a config file, then the flags.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from iqa_cli.errors import UsageError
from iqa_cli.networks.registry import NETWORKS
from iqa_cli.text import one_line
from iqa_cli.training.beginning import refuse_foreign
from iqa_cli.training.config import TrainConfig
from iqa_cli.training.configfile import read_config_file
from iqa_cli.training.fields import check_known, nearest
from iqa_cli.training.options import RunOptions
from iqa_cli.training.presets import DEFAULT, Preset, preset

_SETTINGS = {entry.name for entry in fields(TrainConfig)} - {"network", "network_config"}


@dataclass(frozen=True)
class Request:
    """A run as asked for, before its starts are opened.

    Attributes:
        run: The table `[run]`.
        network: Name of the network.
        settings: Fields of `TrainConfig` that are not at their default.
        preset_fields: What the preset says of the network's config; a start's own config goes before it.
        fields: What the config file and the flags say of it.
    """

    run: RunOptions
    network: str
    settings: dict[str, Any]
    preset_fields: dict[str, Any]
    fields: dict[str, Any]


def resolve(
    file: Path | None,
    flags: Mapping[str, Any],
    network: str | None,
    settings: Mapping[str, Any],
    net: Mapping[str, Any],
) -> Request:
    """Lay preset, config file and flags over each other.

    Args:
        file: A config file, or None.
        flags: Fields of `RunOptions` that were given as flags.
        network: The argument, None where it was left out.
        settings: Values of `--set`.
        net: Values of `--net`.

    Raises:
        UsageError: The file cannot be used, a name is unknown, or a value does not fit.
    """
    tables = read_config_file(file) if file is not None else {}
    told = f"--config {one_line(file)}" if file is not None else "--config"
    written = dict(tables.get("run", {}))
    for key in ("start", "teacher"):
        if isinstance(written.get(key), str):  # as it was written when there could be but one
            written[key] = [written[key]]
    check_known(RunOptions, written, f"{told} [run]")
    run = _run_options(written, flags, f"{told} [run]")
    chosen = preset(run.preset)
    in_file = dict(tables.get("network", {}))
    named = in_file.pop("name", None)
    if named is not None and not isinstance(named, str):
        raise UsageError(f"{told} [network]: name must be a text")
    trained = dict(tables.get("train", {}))
    for key in ("network", "network_config"):
        if key in trained:
            raise UsageError(
                f"{told} [train]: {key} is not a setting",
                hint="it has a table, [network]",
            )
    check_known(TrainConfig, trained, f"{told} [train]")
    _check_settings({**chosen.settings, **trained}, settings, f"{told} [train]")
    wanted = network or named or "mfenet"
    if wanted not in NETWORKS:
        raise UsageError(f"there is no network {wanted!r}", hint=nearest(wanted, NETWORKS))
    refuse_foreign(wanted, run)
    if run.preset != written.get("preset", DEFAULT) and _is_hidden(wanted, chosen, trained, in_file):
        raise UsageError(
            f"--preset {run.preset} would change nothing: {told} gives all of its settings",
            hint="leave one of the two out, or take the settings that the preset should give out of the file",
        )
    return Request(
        run=run,
        network=wanted,
        settings={**chosen.settings, **trained, **settings},
        preset_fields=dict(chosen.network),
        fields={**_frozen(in_file), **net},
    )


def _run_options(written: Mapping[str, Any], flags: Mapping[str, Any], told: str) -> RunOptions:
    """The table `[run]` with the flags over it; it is checked as a whole, since a flag may complete or change
    what the file says.

    Raises:
        UsageError: A value does not fit, or two contradict each other: of the file, where it says so alone.
    """
    try:
        run = RunOptions(**{**written, **flags})
    except ValueError as error:
        if written and _complaint(RunOptions, written) == str(error):
            raise UsageError(f"{told}: {one_line(str(error))}") from None
        raise UsageError(_as_flag(str(error))) from None
    if "test_share" in flags and not run.splits:
        raise UsageError(
            "--test-share is the share that --splits N measures on",
            hint="give --splits too; without, a part for the test is of iqa data split and --split-file",
        )
    return run


def _check_settings(below: Mapping[str, Any], settings: Mapping[str, Any], told: str) -> None:
    """See that preset and file with `--set` over them fit; what is wrong with `--set` is told later.

    Raises:
        UsageError: A value of the file does not fit.
    """
    complaint = _complaint(TrainConfig, below)
    if complaint and complaint == _complaint(TrainConfig, {**below, **settings}):
        raise UsageError(f"{told}: {one_line(complaint)}")


def _complaint(config: type, values: Mapping[str, Any]) -> str | None:
    """What a config says of values that it does not take; None of those it takes."""
    try:
        config(**values)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _is_hidden(network: str, chosen: Preset, trained: Mapping[str, Any], in_file: Mapping[str, Any]) -> bool:
    """Whether a file's tables give all that a preset would: the card would name one that changed nothing."""
    if not trained or not set(chosen.settings or _SETTINGS) <= set(trained):
        return False
    if not chosen.network:
        return True
    from iqa_cli.networks.registry import config_class  # here, since it imports torch

    return set(chosen.network) & set(config_class(network).__dataclass_fields__) <= set(in_file)


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as tuples, which the configs of networks have."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _as_flag(message: str) -> str:
    """What a check says of a field, with the field as its flag."""
    word, space, rest = message.partition(" ")
    known = {entry.name for entry in fields(RunOptions)}
    return f"--{word.replace('_', '-')}{space}{rest}" if word in known else message
