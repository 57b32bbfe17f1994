"""Which pictures a weight has met in training: their content hashes, in a small file beside it.

A figure measured on pictures that a weight was trained on says nothing. Names do not tell (databases
overlap, and are renamed), so the pixels are hashed: exactly, and in a form that survives another encoding
or size.

    pixels      first eight bytes of SHA-256 over width, height (uint32, little endian) and the sRGB
                bytes, row by row
    perceptual  difference hash: grey picture reduced to 9 x 8, one bit for each pair of neighbours, set
                where it gets brighter
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from iqa_cli.checksums import write_file
from iqa_cli.errors import WeightsError
from iqa_cli.finding import SEEN_SUFFIX, SUFFIX
from iqa_cli.tensorfile import read_file
from iqa_cli.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR_BITS = 4
_GRID = (9, 8)


class PhotoHash(NamedTuple):
    """The two hashes of a picture, unsigned 64-bit whole numbers."""

    pixels: int
    perceptual: int


@dataclass(frozen=True)
class Seen:
    """The hashes of the pictures seen: two uint64 arrays [n] of equal length, sorted by `pixels`."""

    pixels: NDArray[np.uint64]
    perceptual: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.pixels)

    def met(self, photo: PhotoHash) -> bool:
        """Whether a picture with exactly these pixels was seen."""
        import numpy as np

        value = np.uint64(photo.pixels)
        place = int(np.searchsorted(self.pixels, value))
        return place < len(self.pixels) and bool(self.pixels[place] == value)

    def near(self, photo: PhotoHash, bits: int = NEAR_BITS) -> bool:
        """Whether a picture was seen whose perceptual hash differs in at most `bits` (0 to 64) of 64 bits.

        A re-encoded or resized copy is found so. A flat picture resembles every flat picture: take this for
        a warning.

        Raises:
            ValueError: `bits` is outside of 0 to 64.
        """
        import numpy as np

        if not 0 <= bits <= 64:
            raise ValueError(f"bits should be 0 to 64, not {bits}")
        differing = np.bitwise_xor(self.perceptual, np.uint64(photo.perceptual))
        counts = np.unpackbits(differing.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)
        return bool((counts <= bits).any())


def hash_photo(picture: NDArray[np.uint8]) -> PhotoHash:
    """The hashes of a picture.

    Args:
        picture: uint8 [H, W, 3], sRGB, as displayed; H and W at least 1.

    Raises:
        ValueError: Another shape or type.
    """
    import numpy as np
    from PIL import Image

    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"a picture should be uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    digest = hashlib.sha256(struct.pack("<II", width, height))
    digest.update(picture.data)
    grey = Image.fromarray(picture).convert("L").resize(_GRID, Image.Resampling.BOX)
    levels = np.asarray(grey, dtype=np.int16)
    brighter = np.packbits(levels[:, 1:] > levels[:, :-1])
    return PhotoHash(int.from_bytes(digest.digest()[:8], "little"), int.from_bytes(brighter.tobytes(), "big"))


def hash_file(path: str | os.PathLike[str]) -> PhotoHash:
    """The hashes of a picture on the disk, decoded as training decodes it; one picture is in memory.

    Transparent pixels lie over the light background of the size policy.

    Raises:
        ImageError: It cannot be read.
    """
    from iqa_cli.images.decode import open_photo
    from iqa_cli.images.policy import SizePolicy

    background = SizePolicy().backgrounds[1]
    with open_photo(path, min_side=1) as photo:
        whole = (0, 0, photo.width, photo.height)
        return hash_photo(photo.region(*whole, background if photo.has_alpha else None))


def seen_path(weights: str | os.PathLike[str]) -> Path:
    """Where the seen pictures of a weight are kept: `<name>.seen.safetensors` beside it."""
    path = Path(weights)
    return path.with_name(path.name.removesuffix(SUFFIX) + SEEN_SUFFIX)


def write_seen(path: str | os.PathLike[str], hashes: Iterable[tuple[int, int]]) -> int:
    """Write the hashes, sorted and each pair once, and their line in `SHA256SUMS`.

    Args:
        path: A file that ends in .seen.safetensors, see `seen_path`.
        hashes: Pairs as `hash_photo` gives them.

    Returns:
        The number of different pairs, for the card.

    Raises:
        WeightsError: The name does not end so, or the file cannot be written; an old one is left as it was.
    """
    path = Path(path)
    if not path.name.endswith(SEEN_SUFFIX):
        raise WeightsError(f"{one_line(path)}: the file of seen pictures should end in {SEEN_SUFFIX}")
    content, number = seen_content(hashes)
    write_file(path, content)
    return number


def seen_content(hashes: Iterable[tuple[int, int]]) -> tuple[bytes, int]:
    """The content of the file that `write_seen` writes, and the number of different pairs."""
    import numpy as np
    from safetensors.numpy import save

    table = np.array(
        sorted({(int(pixels), int(perceptual)) for pixels, perceptual in hashes}), dtype=np.uint64
    )
    columns = np.ascontiguousarray(table.reshape(-1, 2).T)
    return save({"pixels": columns[0], "perceptual": columns[1]}, {"iqa_seen": "1"}), len(table)


def read_seen(path: str | os.PathLike[str]) -> Seen:
    """The hashes of a file of seen pictures, its checksum compared.

    Raises:
        WeightsError: The file is missing, damaged or of another kind; or the checksum differs.
    """
    import numpy as np

    path = Path(path)
    header, content = read_file(path)
    columns = []
    for name in ("pixels", "perceptual"):
        info = header.tensors.get(name)
        if info is None or info.dtype != "U64" or len(info.shape) != 1:
            raise WeightsError(f"{one_line(path)}: is no file of seen pictures (it lacks '{name}')")
        columns.append(
            np.frombuffer(content, dtype="<u8", count=info.shape[0], offset=info.start).astype(np.uint64)
        )
    pixels, perceptual = columns
    if len(pixels) != len(perceptual) or (pixels[1:] < pixels[:-1]).any():
        raise WeightsError(f"{one_line(path)}: is damaged (its hashes are not sorted pairs)")
    return Seen(pixels, perceptual)
