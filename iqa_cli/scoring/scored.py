"""What one weight says of one picture, and who may know it already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from iqa_cli.errors import IqaError

if TYPE_CHECKING:
    from iqa_cli.images.decode import Source


@dataclass(frozen=True, slots=True)
class Scored:
    """All that a `Prediction` says of one model beside its name; the fields are explained there."""

    score: float
    spread: float
    raw: float
    crops: int
    width: int | None = None
    height: int | None = None
    distortion: str | None = None
    distortion_level: int | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """A picture as a `Memory` has found it.

    Attributes:
        source: What to decode, where something is still unknown: as given, or its bytes that have been read.
        known: Lane -> what its network has said of this content before.
        key: What the memory needs to keep the rest; None where it can keep nothing (an array).
    """

    source: Source
    known: Mapping[int, Scored] = field(default_factory=dict)
    key: object = None


def reason_in_row(failure: Exception) -> str:
    """One line for the `error` of a record."""
    if isinstance(failure, IqaError):
        return failure.message
    if isinstance(failure, MemoryError):
        return "there is not enough memory for this picture"
    lines = str(failure).split("\n")
    return f"{type(failure).__name__}: {lines[0]}" if lines[0] else type(failure).__name__


class Memory(Protocol):
    """Knows pictures that have been scored before (`iqa_cli.scoring.store`)."""

    def look(self, source: Source) -> Looked:
        """What is known of a picture; called from decoding threads.

        Raises:
            ImageError: It cannot be read.
        """
        ...

    def keep(self, looked: Looked, scored: Sequence[Scored | Exception]) -> None:
        """Keep what each lane's network has said; called from the thread that iterates, before the record is
        given to anybody."""
        ...
