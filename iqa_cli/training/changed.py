"""A finished weight with other tensors: written with the hashes of what it has met by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from iqa_cli.card import Card
from iqa_cli.checksums import write_files
from iqa_cli.finding import SUFFIX
from iqa_cli.seen import PhotoHash, Seen, hash_file
from iqa_cli.tensorfile import read_header
from iqa_cli.training.recalibrate import with_seen
from iqa_cli.training.validate import Told
from iqa_cli.weights import shipped_state, weight_content


def further_hashes(
    pictures: Sequence[Path], seen: Seen | None, progress: Told | None = None
) -> list[PhotoHash]:
    """Hashes of the pictures that a weight had not met, nothing where nobody knows what it has met.

    Args:
        pictures: That it is changed by.
        seen: What it had met.
        progress: Told how far it is.

    Raises:
        ImageError: A picture cannot be read.
    """
    if seen is None:
        return []
    found = []
    for i, path in enumerate(pictures):
        photo = hash_file(path)
        if not seen.met(photo):
            found.append(photo)
        if progress is not None:
            progress(i + 1, len(pictures))
    return found


def write_changed(
    network: nn.Module,
    card: Card,
    further: Sequence[PhotoHash],
    path: Path,
    seen: Seen | None,
    target: Path,
) -> None:
    """Write the weight and the hashes of what it has met by now; all of it or nothing.

    Args:
        network: As it is by now.
        card: Its card; another file than the old one is called as it is.
        further: As `further_hashes` gives them.
        path: The weight's old file.
        seen: What it had met; None where that is not known.
        target: Where to; may be `path`.

    Raises:
        WeightsError: The disk refuses.
    """
    contents = dict[Path, bytes]()
    if target != path:
        card = replace(card, name=target.name.removesuffix(SUFFIX))
    if seen is not None:
        card, contents = with_seen(card, seen, further, path, target)
    # As it was stored before, so that no score moves by that.
    half = any(tensor.dtype == "F16" for tensor in read_header(path).tensors.values())
    content = weight_content(target, shipped_state(network), card, half=half)
    write_files(contents | {target: content})
