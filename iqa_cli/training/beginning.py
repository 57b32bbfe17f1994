"""What each network can be started from: the options that belong to it, and how its branches are filled.

A network that trains from nothing, or goes on from a finished weight alone (`--start`, which is for all of
them), needs no line here. Imports no torch; the modules that fill networks do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from iqa_cli.errors import UsageError

if TYPE_CHECKING:
    from iqa_cli.datasets.record import ImageRecord
    from iqa_cli.training.options import RunOptions
    from iqa_cli.training.warmstart import WarmStart

#: Of each database the pictures fitted and those chosen on.
Parts: TypeAlias = "Sequence[tuple[Sequence[ImageRecord], Sequence[ImageRecord]]]"
#: Option of a start -> the photographs that it has seen, as the command says.
Seen: TypeAlias = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Entry:
    """The starts of a network.

    Attributes:
        options: Fields of `RunOptions` that name a start.
        further: Fields that say more of one of these.
        module: Where its class `Starts`, a `Beginning`, is.
        exchanges: Whether `--backbone` may take the place of the one that `--start` brings.
    """

    options: tuple[str, ...]
    further: tuple[str, ...]
    module: str
    exchanges: bool = False


STARTS: dict[str, Entry] = {
    "mfenet": Entry(
        ("qen", "resnet50", "dan", "backbone"),
        ("qen_pristine", "dan_pristine"),
        "iqa_cli.training.beginning_mfenet",
        exchanges=True,
    ),
    "vcrnet": Entry(
        ("backbone", "restoration"), ("restoration_pristine",), "iqa_cli.training.beginning_vcrnet"
    ),
    "qfm-iqm": Entry(("backbone",), (), "iqa_cli.training.beginning_qfm"),
}


class Beginning:
    """How the branches of a network get their first weights. This one has no branch that could be started."""

    #: Fields of `RunOptions` that name a start.
    options: tuple[str, ...] = ()

    def fields(self, run: RunOptions, net: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of the network's config, with what the starts say of them.

        Args:
            run: The options.
            net: The fields as they are without.

        Raises:
            WeightsError: A start is missing or damaged.
        """
        return dict(net)

    def check(self, run: RunOptions, config: Any, net: dict[str, Any]) -> None:
        """See that starts and config fit.

        Args:
            run: The options.
            config: The network's config.
            net: Its fields as given; what a start leaves no choice in may be added.

        Raises:
            UsageError: They contradict each other.
        """

    def replaced(self, run: RunOptions) -> tuple[str, ...]:
        """Beginnings of the names of tensors that a start gives in place of those of `--start`."""
        return ()

    def load(self, run: RunOptions, network: Any, parts: Parts, seen: Seen) -> list[dict[str, Any]]:
        """Fill the branches of a network.

        Returns:
            An entry for each start, for the card's `starting_points`.

        Raises:
            WeightsError: A start is missing, damaged or of another shape.
            UsageError: What it is said to have seen is not what it says itself.
        """
        return []

    def handed_on(self, run: RunOptions) -> list[WarmStart]:
        """The finished weights, but that of `--start`, which a branch is taken from.

        Raises:
            WeightsError: One is missing or damaged.
        """
        return []

    def identities(self, run: RunOptions) -> dict[str, str | None]:
        """Option -> SHA-256 of the start that it names, None where it is not given.

        Raises:
            WeightsError: A file is missing.
        """
        from iqa_cli.training.starts import file_sha256

        files = {key: run.path(key) for key in self.options}
        return {f"--{key}": None if path is None else file_sha256(path) for key, path in files.items()}


def beginning(network: str) -> Beginning:
    """How a network of the registry is started."""
    if network not in STARTS:
        return Beginning()
    entry = STARTS[network]
    starts: Beginning = import_module(entry.module).Starts()
    starts.options = entry.options
    return starts


def refuse_foreign(network: str, run: RunOptions) -> None:
    """See that no option is given that starts a branch of another network, or a branch that another start
    brings.

    Raises:
        UsageError: One is.
    """
    entry = STARTS.get(network)
    if run.start and run.backbone and entry and not entry.exchanges:
        raise UsageError("--start holds a backbone already; leave --backbone out")
    own = (*entry.options, *entry.further) if entry else ()
    for other in STARTS.values():
        for key in (*other.options, *other.further):
            if key not in own and getattr(run, key) is not None:
                takers = [name for name, entry in STARTS.items() if key in (*entry.options, *entry.further)]
                raise UsageError(
                    f"--{key.replace('_', '-')}: a {network} has no such start",
                    hint=f"it is for {' and '.join(takers)}",
                )
