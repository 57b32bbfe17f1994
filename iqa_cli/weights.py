"""Weights: the only way in and out.

A weight is one safetensors file with its card (`iqa_cli.card`) in the metadata, beside it a `SHA256SUMS`
and, where it was trained here, the hashes of the pictures it has seen (`iqa_cli.seen`). Nothing here opens
a pickle. torch is imported only by what touches tensors: finding, listing and reading cards work without
it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.card import Card
from iqa_cli.checksums import verify_checksum, write_file
from iqa_cli.errors import UsageError, WeightsError
from iqa_cli.finding import (
    SEEN_SUFFIX,
    SUFFIX,
    find_weights,
    is_weight,
    list_weights,
    search_folders,
    weight_name,
)
from iqa_cli.onnxfile import is_exported, read_metadata
from iqa_cli.tensorfile import Header, read_file, read_header, read_header_hashed
from iqa_cli.text import one_line

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = [
    "find_several",
    "find_weights",
    "list_weights",
    "load_network",
    "load_state",
    "read_card",
    "read_card_hashed",
    "save_weights",
    "search_folders",
    "shipped_state",
    "verify_checksum",
    "weight_name",
]

CARD_KEY = "iqa_card"

_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_INTEGERS = {"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}
_DTYPES = _FLOATS | _INTEGERS


def read_card(path: str | os.PathLike[str]) -> Card:
    """The card of a weight, or of an exported one (`iqa export`); only the header of the file is read.

    Raises:
        WeightsError: The file cannot be read, is of neither kind, is damaged, or has no valid card.
    """
    path = Path(path)
    return _card_of(path, read_metadata(path) if is_exported(path) else read_header(path).metadata)


def read_card_hashed(path: Path) -> tuple[Card, str]:
    """The card of a weight, and the SHA-256 (hex) of the very file that it was read from.

    Raises:
        WeightsError: As `read_card`.
    """
    header, sha256 = read_header_hashed(path)
    return _card_of(path, header.metadata), sha256


def find_several(names: Iterable[str | os.PathLike[str]]) -> list[tuple[Path, Card]]:
    """The files and cards of weights that are to score together.

    Args:
        names: What `find_weights` takes.

    Raises:
        WeightsError: As `find_weights` and `read_card`.
        UsageError: There are none, a weight is given twice, or two have the same name on their cards, which
            is what their scores would be called.
    """
    found: list[tuple[Path, Card]] = []
    for path in map(find_weights, names):
        card = read_card(path)
        for other, its in found:
            if path.samefile(other):
                raise UsageError(f"the weight {one_line(path)} is given twice")
            if its.name == card.name:
                raise UsageError(
                    f"{one_line(other)} and {one_line(path)} are both called {one_line(card.name)}, so that "
                    "their scores could not be told apart",
                    hint="the name is on the card: iqa train --name gives another one",
                )
        found.append((path, card))
    if not found:
        raise UsageError("there is no weight to score with")
    return found


def load_state(
    path: str | os.PathLike[str], *, verify: bool = True, sha256: str | None = None
) -> tuple[Card, dict[str, Tensor]]:
    """Card and tensors of a weight.

    Args:
        path: The file.
        verify: Compare it with the `SHA256SUMS` beside it, if it is listed there.
        sha256: What `read_card_hashed` has found; another file in its place is refused.

    Returns:
        The card, and the tensors on the CPU: floating ones as float32, whole numbers as stored.

    Raises:
        WeightsError: As `read_card`; or a checksum differs; or a tensor holds NaN or infinity.
    """
    path = Path(path)
    header, content = read_file(path, verify=verify, sha256=sha256)
    card = _card_of(path, header.metadata)
    return card, _tensors(path, header, content)


def load_network(
    name_or_path: str | os.PathLike[str], *, verify: bool = True, sha256: str | None = None
) -> tuple[Card, nn.Module]:
    """The network of a weight, filled, in eval mode, float32 on the CPU.

    The header is compared with the network before any memory is spent on either. The random state of torch
    is not touched. What a network's `unshipped` names may be missing, and is then zero. `verify` and
    `sha256` are as of `load_state`.

    Raises:
        WeightsError: As `find_weights` and `load_state`; or the network is unknown, or its tensors are not
            those of the file.
    """
    import torch

    from iqa_cli.networks.filling import complete, laid_out

    path = find_weights(name_or_path)
    header = read_header(path)
    card = _card_of(path, header.metadata)
    name = one_line(path)
    try:
        with torch.random.fork_rng(devices=[]):
            network = laid_out(card, header)
            state = load_state(path, verify=verify, sha256=sha256)[1]
            # Not strict: only what need not ship can be missing now.
            network.load_state_dict(state, strict=False, assign=True)
            complete(network, card)
    except WeightsError as error:
        raise (
            error
            if error.message.startswith(f"{name}:")
            else WeightsError(f"{name}: {error.message}", hint=error.hint)
        ) from None
    except (RuntimeError, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
        reason = one_line((str(error).splitlines() or [type(error).__name__])[0])
        raise WeightsError(f"{name}: does not fit the network '{card.network}' ({reason})") from error
    return card, network.eval()


def shipped_state(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network as `save_weights` takes it: without what `unshipped_of` names."""
    from iqa_cli.networks.filling import unshipped_of

    left_out = unshipped_of(network)
    return {name: value for name, value in network.state_dict().items() if name not in left_out}


def save_weights(
    path: str | os.PathLike[str], state_dict: Mapping[str, Tensor], card: Card, *, half: bool = True
) -> None:
    """Write a weight and its line in `SHA256SUMS`; the old files stay until the new ones are complete on
    the disk.

    Args:
        path: A file that ends in .safetensors; its folder is made when it is missing.
        state_dict, card, half: As of `weight_content`.

    Raises:
        ValueError: The card is not valid.
        WeightsError: As `weight_content`; or the disk refuses.
    """
    write_file(Path(path), weight_content(path, state_dict, card, half=half))


def weight_content(
    path: str | os.PathLike[str], state_dict: Mapping[str, Tensor], card: Card, *, half: bool = True
) -> bytes:
    """What the file of a weight holds.

    Args:
        path: Where it will be written.
        state_dict: Tensors by name, on any device; shared memory is written once for each name.
        card: The card; it is checked again.
        half: Store convolution and linear weights in float16. All with fewer than two sides longer than 1
            stay float32 (norms, running statistics, biases, layer scales: few, and sensitive), as does a
            tensor whose values float16 cannot hold.

    Raises:
        ValueError: The card is not valid.
        WeightsError: The name does not end so, or a tensor is not finite or of a kind that is not stored.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save

    path = Path(path)
    name = one_line(path)
    if not is_weight(path):
        raise WeightsError(f"{name}: the file of a weight should end in {SUFFIX} (and not in {SEEN_SUFFIX})")
    stored = {}
    kinds = {getattr(torch, kind) for kind in _DTYPES.values()}
    for key, tensor in state_dict.items():
        if (
            not isinstance(tensor, torch.Tensor)
            or tensor.dtype not in kinds
            or tensor.layout != torch.strided
        ):
            raise WeightsError(f"{name}: {one_line(key)} is no tensor that can be stored")
        values = tensor.detach().cpu()
        if values.is_floating_point():
            values = values.float()
            if not _all_finite(values):
                raise WeightsError(
                    f"{name}: {one_line(key)} holds values that are not finite; nothing was written"
                )
            if half and sum(side > 1 for side in values.shape) >= 2 and values.abs().max() <= 65504:
                values = values.half()
        stored[key] = values.clone(memory_format=torch.contiguous_format)
    try:
        content = save(stored, {CARD_KEY: card.to_json()})
    except SafetensorError as error:
        raise WeightsError(f"{name}: cannot be stored: {one_line(str(error))}") from None
    return content


def _card_of(path: Path, metadata: Mapping[str, str]) -> Card:
    text = metadata.get(CARD_KEY)
    if text is None:
        raise WeightsError(
            f"{one_line(path)}: has no card (metadata '{CARD_KEY}')",
            hint="it was written by another program; iqa_cli.weights.save_weights gives a weight its card",
        )
    try:
        return Card.from_json(text)
    except ValueError as error:
        hint = "upgrade iqa-cli" if "newer than this program" in str(error) else None
        raise WeightsError(
            f"{one_line(path)}: its card is not valid: {one_line(str(error))}", hint=hint
        ) from None


def _all_finite(values: Tensor) -> bool:
    """Whether all of them are, as float32."""
    # The extremes are NaN where a value is; asking each value would be a quarter of the time of loading.
    return values.numel() == 0 or all(math.isfinite(end.float()) for end in values.aminmax())


def _tensors(path: Path, header: Header, content: bytearray) -> dict[str, Tensor]:
    import torch

    tensors = {}
    for key, info in header.tensors.items():
        if info.dtype not in _DTYPES:
            raise WeightsError(
                f"{one_line(path)}: {one_line(key)} is of type {info.dtype}, which no network here has"
            )
        dtype: torch.dtype = getattr(torch, _DTYPES[info.dtype])
        if info.start == info.end:
            values = torch.empty(info.shape, dtype=dtype)
        else:
            # Cloned as bytes: the tensor then starts at an aligned address, and does not keep the file in
            # memory.
            window = torch.frombuffer(
                content, dtype=torch.uint8, count=info.end - info.start, offset=info.start
            )
            values = window.clone().view(dtype).reshape(info.shape)
        if info.dtype in _FLOATS:
            if not _all_finite(values):
                raise WeightsError(f"{one_line(path)}: {one_line(key)} holds values that are not finite")
            values = values.float()
        tensors[key] = values
    return tensors
