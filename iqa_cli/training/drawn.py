"""What is seen to before the first of several splits is trained: every one of them can be, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iqa_cli.datasets.record import Database, ImageRecord
from iqa_cli.datasets.splits import split
from iqa_cli.errors import UsageError
from iqa_cli.text import one_line
from iqa_cli.training.description import check_enough
from iqa_cli.training.job import Job

#: Fewer pictures than these have no correlation.
MIN_TO_MEASURE = 3


def check_draws(job: Job, databases: Sequence[Database], pools: Sequence[Sequence[ImageRecord]]) -> None:
    """See that all splits of a run leave enough to fit, to choose on and to measure on.

    Args:
        job: What is wanted.
        databases: As read.
        pools: Of each the pictures that are divided.

    Raises:
        UsageError: One does not.
        DatasetError: There are too few groups.
    """
    for number in range(job.run.splits):
        seed = job.config.seed + number
        for place, (database, pool) in enumerate(zip(databases, pools, strict=True)):
            parts = split(pool, job.run.drawn_shares, seed)
            test = parts["test"]
            if len(test) < MIN_TO_MEASURE or len({record.mos for record in test}) < 2:
                raise UsageError(
                    f"{database.name}: split {number} (seed {seed}) has {len(test)} of {len(pool)} pictures "
                    "to measure on, which are too few",
                    hint=f"{MIN_TO_MEASURE} with different opinions at least: a larger --test-share",
                )
            if place == 0:  # the one that gives the scale
                check_enough(job.config, parts["train"], parts["calib"])


def check_no_more(folder: Path, splits: int, result: str) -> None:
    """See that a folder holds no more measured splits than are wanted; they would be lost from its tables.

    Args:
        folder: Of the run.
        splits: Number that is wanted.
        result: Name of the file that a measured split has in its folder.

    Raises:
        UsageError: It does.
    """
    numbers = [path.parent.name.removeprefix("split") for path in folder.glob(f"split*/{result}")]
    measured = 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)
    if measured > splits:
        raise UsageError(
            f"--splits {splits}: {one_line(folder)} holds {measured} splits already",
            hint=f"--splits {measured} shows them all; or name another folder with -o/--output",
        )
