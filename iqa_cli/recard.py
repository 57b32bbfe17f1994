"""Another card for a weight: its tensors stay as they are, byte by byte.

A card says what was measured with a weight and how its outputs become points; both can be known better later
than the weight itself. Only the header of the file is written anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import iqa_cli
from iqa_cli.card import Card
from iqa_cli.errors import WeightsError
from iqa_cli.finding import SEEN_SUFFIX, SUFFIX, is_weight
from iqa_cli.tensorfile import MAX_HEADER, read_file
from iqa_cli.text import one_line
from iqa_cli.weights import CARD_KEY

#: Tensors begin at a multiple of so many bytes, as safetensors itself writes them.
_ALIGNED = 8


@dataclass(frozen=True)
class Place:
    """A weight that is to get another card: its file (links followed), and what it was when it was looked
    at."""

    path: Path
    stamp: tuple[int, int, int]

    def unchanged(self) -> bool:
        """Whether the file is still the one that was looked at."""
        return _stamp(self.path.stat()) == self.stamp


def writable_weight(path: Path) -> Place:
    """Whether a weight's card can be written, asked before hours go into what it is to say.

    Raises:
        WeightsError: The file is inside of an installed package, may not be written, or is no weight by its
            name.
    """
    path = path.resolve()
    name = one_line(path)
    package = Path(iqa_cli.__file__).resolve().parent
    if path.is_relative_to(package) or {"site-packages", "dist-packages"} & set(path.parts):
        raise WeightsError(
            f"{name}: is part of an installed package, whose files stay as they were installed",
            hint=f"copy it and its {SEEN_SUFFIX} file, and give the copy",
        )
    if not is_weight(path):
        raise WeightsError(f"{name}: the file of a weight should end in {SUFFIX}")
    info = path.stat()
    # The bits as well: for root everything is writable, also what somebody has protected.
    if not info.st_mode & 0o222 or not all(os.access(place, os.W_OK) for place in (path, path.parent)):
        raise WeightsError(f"{name}: may not be written")
    return Place(path, _stamp(info))


def with_card(path: Path, card: Card) -> bytes:
    """The content of a weight's file with another card.

    Raises:
        ValueError: The card is not valid.
        WeightsError: The file cannot be read, its checksum differs, or the card is too long for a header.
    """
    _, content = read_file(path)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length].decode("utf-8"))
    header["__metadata__"] = {**header.get("__metadata__", {}), CARD_KEY: card.to_json()}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % _ALIGNED)
    if len(text) > MAX_HEADER:
        raise WeightsError(f"{one_line(path)}: the card is too long for a weight's header")
    return len(text).to_bytes(8, "little") + text + bytes(content[8 + length :])


def _stamp(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_ino, info.st_size, info.st_mtime_ns
