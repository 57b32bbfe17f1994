"""Several databases in one training: their parts, and how the batches are mixed.

Opinions of two databases are on different scales. One database is the anchor of the output scale; each other
one with MOS has its own learnt affine map from the score, and one that has only an order is learnt from by
pairs of its own pictures (the losses: `iqa_cli.training.losses`). Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line

Kind: TypeAlias = Literal["mos", "order"]
PartKind: TypeAlias = Literal["mos", "order", "taught"]
#: Least crops a step of a database: one opinion, or one pair.
_LEAST = {"mos": 1, "order": 2, "taught": 1}


@dataclass(frozen=True)
class Part:
    """A further database of a training.

    Attributes:
        database: Its name.
        kind: "mos" where its opinions are a scale, "order" where only their order counts, "taught" where they
            are a teacher's scores on the anchor's scale, which have a loss of their own.
        fit: Pictures to fit.
        choose: Pictures on which its SRCC is logged; they choose nothing. None for no such line.
    """

    database: str
    kind: PartKind
    fit: Sequence[ImageRecord]
    choose: Sequence[ImageRecord] = ()


def mixed_counts(
    batch: int, sizes: Sequence[int], kinds: Sequence[PartKind], shares: Literal["size", "equal"]
) -> tuple[int, ...]:
    """Crops of each database in a batch.

    Args:
        batch: Crops in it.
        sizes: Pictures of each database.
        kinds: Of each database.
        shares: "size" for shares as of the pictures, "equal" for the same of each; largest remainders are
            rounded up, and each has at least one crop, or two for a pair.

    Raises:
        UsageError: The batch is too small for that.
    """
    least = [_LEAST[kind] for kind in kinds]
    if sum(least) > batch:
        raise UsageError(
            f"a batch of {batch} (of each process) is too small for {len(sizes)} databases",
            hint=f"--set batch=... of at least {sum(least)} for each process",
        )
    weights = np.asarray(sizes if shares == "size" else [1] * len(sizes), dtype=float)
    exact = batch * weights / weights.sum()
    counts = np.maximum(np.floor(exact).astype(int), least)
    while counts.sum() < batch:
        counts[int(np.argmax(exact - counts))] += 1
    while counts.sum() > batch:  # the least of some was more than their share
        excess = np.where(counts > least, counts - exact, -np.inf)
        counts[int(np.argmax(excess))] -= 1
    return tuple(int(c) for c in counts)


def check_parts(anchor: str, further: Sequence[Part]) -> None:
    """See that the databases can be told apart and have what their kind needs.

    Raises:
        UsageError: A name is there twice, or a part has too few pictures or no two different opinions.
    """
    names = [anchor, *(part.database for part in further)]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the database {one_line(name)!r} is given twice")
    for part in further:
        if len({r.mos for r in part.fit}) < 2:
            raise UsageError(
                f"{one_line(part.database)}: {len(part.fit)} pictures to fit, all of the same opinion or none"
            )
        if part.choose and (len(part.choose) < 3 or len({r.mos for r in part.choose}) < 2):
            raise UsageError(
                f"{one_line(part.database)}: {len(part.choose)} pictures to measure on are too few",
                hint="3 or more, with different opinions",
            )
