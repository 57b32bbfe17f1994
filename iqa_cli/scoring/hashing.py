"""A picture's file read once, for its hash and for decoding; and what tells an unchanged file from another
without reading it."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from iqa_cli.images.decode import Source, open_file

# What is larger is not held in memory beside the decoded picture, but read for its hash in pieces and again
# by the decoder: the second time out of the memory of the system.
MOST_HELD = 64 * 2**20
_PIECE = 2**20
_SIGNED = 2**63 - 1


class Stamp(NamedTuple):
    """What the system says of a file; with any change of its content, one of these changes."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino & _SIGNED)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file that was read.

    Attributes:
        source: What to decode: its bytes, or the path of one too large to hold.
        sha256: Of its bytes.
        stamp: Of the file while it was read; None where it changed meanwhile, so that the hash may be that of
            no version of it.
        read_at: When reading began, in nanoseconds since 1970.
    """

    source: Source
    sha256: bytes
    stamp: Stamp | None = None
    read_at: int = 0

    @classmethod
    def of_bytes(cls, content: bytes) -> Hashed:
        """The content of a file that is in memory."""
        return cls(content, hashlib.sha256(content).digest())

    @property
    def still_there(self) -> bool:
        """Whether what a decoder has seen is what was hashed: a file that is not held may have changed
        between."""
        if isinstance(self.source, bytes):
            return True
        try:
            return self.stamp == Stamp.of(os.stat(self.source))  # type: ignore[arg-type]  # noqa: PTH116
        except OSError:
            return False


def read_hashed(path: str | os.PathLike[str]) -> Hashed:
    """Read a file and hash it.

    Raises:
        ImageError: It is missing, a folder, a pipe, may not be read, ...
        OSError: Reading fails half-way.
    """
    with open_file(path) as stream:
        before, read_at = Stamp.of(os.fstat(stream.fileno())), time.time_ns()
        source: Source = path
        if before.size <= MOST_HELD:
            # A file that grows meanwhile is taken for what it was; its stamp tells.
            source = stream.read(before.size)
            digest = hashlib.sha256(source)
        else:
            digest = _in_pieces(stream)
        after = Stamp.of(os.fstat(stream.fileno()))
    return Hashed(source, digest.digest(), before if before == after else None, read_at)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, in hex, as `sha256sum` prints it.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as stream:  # noqa: PTH123 - of any kind of path
        return _in_pieces(stream).hexdigest()


def _in_pieces(stream: BinaryIO) -> hashlib._Hash:
    digest = hashlib.sha256()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    return digest
