"""A network filled from a file: laid out and compared before memory is spent, and built once."""

from __future__ import annotations

import torch
from torch import nn

from iqa_cli.card import Card
from iqa_cli.errors import WeightsError
from iqa_cli.networks.numbers import channel_values
from iqa_cli.networks.registry import build
from iqa_cli.networks.unfilled import on_no_device, without_random_fills
from iqa_cli.tensorfile import Header
from iqa_cli.text import one_line


def laid_out(card: Card, header: Header) -> nn.Module:
    """The network of a card without memory for its tensors.

    Raises:
        WeightsError: Names and shapes in the header of the file are not those of the network, or there is no
            such network.
    """
    with on_no_device():
        network = build(card.network, card.config)
    stored = {key: info.shape for key, info in header.tensors.items()}
    optional = unshipped_of(network) - set(stored)
    wanted = {k: tuple(value.shape) for k, value in network.state_dict().items() if k not in optional}
    if wanted == stored:
        return network
    differing = [key for key in wanted if key in stored and wanted[key] != stored[key]]
    parts = [
        _some("lacks", [key for key in wanted if key not in stored]),
        _some("has besides", [key for key in stored if key not in wanted]),
        _some("has in another shape", [f"{key} {stored[key]} for {wanted[key]}" for key in differing]),
    ]
    text = "; ".join(part for part in parts if part)
    raise WeightsError(f"does not fit the network '{card.network}': it {text}")


def complete(network: nn.Module, card: Card) -> None:
    """Fill what the file did not bring and the layout has no memory for: what need not ship with zeros, our
    constants with their values, and others (of timm's backbones) as a network has them that is built a second
    time."""
    unshipped = unshipped_of(network)
    built: nn.Module | None = None
    for name, weight in list(network.named_parameters()):
        if weight.is_meta and name in unshipped:
            place, _, entry = name.rpartition(".")
            zeros = torch.zeros(weight.shape, dtype=weight.dtype)
            network.get_submodule(place)._parameters[entry] = nn.Parameter(zeros, weight.requires_grad)
    for name, value in list(network.named_buffers()):
        if not value.is_meta:
            continue
        place, _, entry = name.rpartition(".")
        owner = network.get_submodule(place)
        values = getattr(owner, "channels", {}).get(entry)
        if values is not None:
            constant = channel_values(values)
        elif name in unshipped:
            constant = torch.zeros(value.shape, dtype=value.dtype)
        else:
            if built is None:
                with without_random_fills():
                    built = build(card.network, card.config)
            constant = built.get_buffer(name)
        owner._buffers[entry] = constant


def unshipped_of(network: nn.Module) -> set[str]:
    """Names of the entries of a network's state that a shipped weight leaves out: a memory of training, all
    zero at first, or what is never computed. None where the network has no method `unshipped`."""
    names = getattr(network, "unshipped", None)
    return set() if names is None else set(names())


def _some(verb: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - 2} more" if len(keys) > 2 else ""
    return f"{verb} {', '.join(one_line(key[:80]) for key in keys[:2])}{more}"
