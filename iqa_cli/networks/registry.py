"""The networks by name, built from the plain dictionary on a card. Importing this module imports no torch.

A new network is one file, with a frozen config (`from_dict`, `to_dict`), and one line here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from iqa_cli.errors import WeightsError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkEntry:
    """Where a network lives: module, class and config class."""

    module: str
    network: str
    config: str


NETWORKS: dict[str, NetworkEntry] = {
    "mfenet": NetworkEntry("iqa_cli.networks.mfenet", "MFENet", "MFENetConfig"),
    "vcrnet": NetworkEntry("iqa_cli.networks.vcrnet", "VCRNet", "VCRNetConfig"),
    "qfm-iqm": NetworkEntry("iqa_cli.networks.qfm_iqm", "QFMIQM", "QFMIQMConfig"),
}

#: The field of a config and the attribute of a network that hold what `iqa ridge` fits.
RIDGE = "ridge"


def config_class(name: str) -> Any:
    """The frozen config class of network `name`.

    Raises:
        WeightsError: There is no such network.
    """
    entry = _entry(name)
    return getattr(import_module(entry.module), entry.config)


def build(name: str, config: dict[str, Any] | None = None) -> nn.Module:
    """Build a network with random weights.

    Args:
        name: A key of `NETWORKS`.
        config: Fields of its config class; None for the defaults.

    Raises:
        WeightsError: Unknown network, unknown field or a value outside of its range.
    """
    entry = _entry(name)
    try:
        typed = config_class(name).from_dict(dict(config or {}))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{name}: {one_line(str(error))}") from None
    network: Callable[[Any], nn.Module] = getattr(import_module(entry.module), entry.network)
    return network(typed)


def _entry(name: str) -> NetworkEntry:
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"networks: {', '.join(sorted(NETWORKS))}"
        raise WeightsError(f"there is no network {name!r}", hint=hint)
    return NETWORKS[name]
