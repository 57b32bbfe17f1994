"""Finished weights as the start of another training: their tensors, history, and what they have seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from iqa_cli.card import Card
from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.finding import find_weights
from iqa_cli.networks.filling import unshipped_of
from iqa_cli.networks.kernel_ridge import without_ridge
from iqa_cli.seen import read_seen, seen_path
from iqa_cli.text import one_line, printable
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.top import mean_state
from iqa_cli.weights import load_state


@dataclass(frozen=True)
class WarmStart:
    """What a finished weight hands on.

    Attributes:
        path: Its file.
        point: The entry of the card's `starting_points`.
        hashes: Hashes of all that it has seen; none where no file of them is beside it.
        calibration: Its map from outputs to points, as on its card.
    """

    path: Path
    point: dict[str, Any]
    hashes: list[tuple[int, int]]
    calibration: dict[str, Any]


def load_warm_starts(
    network: nn.Module, names: Sequence[str], leave: tuple[str, ...] = ()
) -> list[WarmStart]:
    """Fill a network from finished weights: from one, or with the mean of the tensors of several.

    The mean of weights that were trained on from the same one often measures better than each of them, and
    scores as fast as one (Wortsman et al., Model soups, ICML 2022, arXiv 2203.05482). Of weights that have no
    such history in common it is worth nothing.

    Args:
        network: Of the same shape, but for the branches in `leave` and what its `adapted`, where it has
            one, makes up for; a ridge that one of them has is left behind.
        names: Names or files of the weights; with none the network stays as it is. One that is named twice
            counts twice.
        leave: Beginnings of the names of tensors that are not taken over ("dan."), and may differ.

    Returns:
        What each hands on, once.

    Raises:
        UsageError: A weight is of another network, or of another shape.
        WeightsError: One is missing or damaged.
    """
    paths = [find_weights(name) for name in names]
    found = []

    def taken() -> Iterator[dict[str, Tensor]]:
        for path, times in Counter(paths).items():
            card, state = load_state(path)
            fitting = _fitting(network, path, card, without_ridge(state), leave)
            yield from [fitting] * times
            branch = "whole network" if not leave else f"all but {', '.join(p.strip('.') for p in leave)}"
            share = f", {times} of {len(paths)} in the mean" if len(paths) > 1 else ""
            found.append(what_it_hands_on(path, card, branch + share))

    if paths:
        network.load_state_dict({**network.state_dict(), **mean_state(taken())})
    return found


def _fitting(
    network: nn.Module, path: Path, card: Card, state: dict[str, Tensor], leave: tuple[str, ...]
) -> dict[str, Tensor]:
    """The tensors of a weight that a network takes over.

    Raises:
        UsageError: They are not all that it wants.
    """
    adapt = getattr(network, "adapted", None)
    state = state if adapt is None else adapt(state)
    ours, own = network.state_dict(), unshipped_of(network)
    taken = {key: value for key, value in state.items() if not key.startswith(leave) and key not in own}
    wanted = {k: value.shape for k, value in ours.items() if not k.startswith(leave) and k not in own}
    odd = sorted(set(taken) ^ set(wanted)) or [key for key in wanted if taken[key].shape != wanted[key]]
    if odd:
        raise UsageError(
            f"--start {one_line(path)}: is a {one_line(card.network)} of another shape: "
            f"{one_line(odd[0])} and {len(odd) - 1} more tensors differ",
            hint="give the same --net fields; its own: iqa models show NAME",
        )
    return taken


def what_it_hands_on(path: Path, card: Card, branch: str) -> WarmStart:
    """The history of a finished weight, for the card of one that was made from it.

    Args:
        path: Its file.
        card: Its card.
        branch: What was made from it.
    """
    point = {
        "branch": branch,
        "weights": printable(path.name),
        "sha256": file_sha256(path),
        "what": f"the finished weight {card.name} of {card.date}",
        "origin": {
            "training": card.training,
            "starting_points": card.starting_points,
            "results": card.results,
            "code_version": card.code_version,
            "notes": card.notes,
        },
        "licence": card.licence.get("weights", "not stated"),
    }
    try:
        seen = read_seen(seen_path(path))
    except WeightsError:
        point["not_hashed"] = "what it has seen is not known: no readable file of hashes lies beside it"
        return WarmStart(path, point, [], card.calibration.to_dict())
    pairs = zip(seen.pixels.tolist(), seen.perceptual.tolist(), strict=True)
    return WarmStart(path, point, list(pairs), card.calibration.to_dict())


def told_once(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Starting points without what is told of the same file before them: weights that were trained on from
    the same one share its history, and each of their cards has it whole.

    Args:
        points: Entries of a card's `starting_points`, which are left as they are.
    """
    told: set[str] = set()

    def shortened(point: dict[str, Any]) -> dict[str, Any]:
        origin, checksum = point.get("origin"), point.get("sha256")
        if not isinstance(origin, dict) or not isinstance(checksum, str):
            return point
        if checksum in told:
            return {**point, "origin": {"told": f"above, of the file with SHA-256 {checksum[:16]}"}}
        told.add(checksum)
        further = origin.get("starting_points")
        if not isinstance(further, list):
            return point
        return {**point, "origin": {**origin, "starting_points": [shortened(one) for one in further]}}

    return [shortened(point) for point in points]
