"""A finished weight with other tensors: written with the hashes of what it has met by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from iqa_cli.card import Card
from iqa_cli.checksums import write_files
from iqa_cli.finding import SUFFIX
from iqa_cli.seen import Seen, hash_file
from iqa_cli.tensorfile import read_header
from iqa_cli.training.recalibrate import with_seen
from iqa_cli.weights import shipped_state, weight_content


def write_changed(
    network: nn.Module, card: Card, pictures: Sequence[Path], path: Path, seen: Seen | None, target: Path
) -> None:
    """Write the weight and the hashes of what it has met by now; all of it or nothing.

    Args:
        network: As it is by now.
        card: Its card; another file than the old one is called as it is.
        pictures: What it was changed by.
        path: The weight's old file.
        seen: What it had met; None where that is not known.
        target: Where to; may be `path`.

    Raises:
        ImageError: A picture has gone meanwhile.
        WeightsError: The disk refuses.
    """
    contents = dict[Path, bytes]()
    if target != path:
        card = replace(card, name=target.name.removesuffix(SUFFIX))
    if seen is not None:
        further = [photo for photo in map(hash_file, pictures) if not seen.met(photo)]
        card, contents = with_seen(card, seen, further, path, target)
    # As it was stored before, so that no score moves by that.
    half = any(tensor.dtype == "F16" for tensor in read_header(path).tensors.values())
    content = weight_content(target, shipped_state(network), card, half=half)
    write_files(contents | {target: content})
