"""What `iqa eval` measures on: a part of each database, its pictures, and which of them a weight has met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import Lineup
from iqa_cli.cli.progress import counted
from iqa_cli.errors import DatasetError, ImageError, UsageError, WeightsError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from iqa_cli.datasets.record import Database, ImageRecord
    from iqa_cli.evaluation.part import Part

    Flags = NDArray[np.bool_]

DEFAULT_DATASET = "biq2021"
#: A correlation of fewer pictures says nothing at all.
_LEAST = 3


@dataclass(frozen=True)
class Task:
    """A part of a database that is measured on.

    Attributes:
        database: As read, with the parts of its split file.
        records: The pictures.
        part: The same as columns.
        met, near: Weight -> [n] whether it was trained on exactly these pixels, and on others that resemble
            them; only weights of which that is known.
        dropped: Pictures left out because a weight has met them.
        failures: Picture -> why it could not be hashed; no weight scores it.
    """

    database: Database
    records: tuple[ImageRecord, ...]
    part: Part
    met: Mapping[str, Flags] = field(default_factory=dict)
    near: Mapping[str, Flags] = field(default_factory=dict)
    dropped: int = 0
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Database and part in words."""
        return f"{self.part.dataset}, part {self.part.name}"


def read_tasks(
    datasets: Sequence[str],
    roots: Sequence[str],
    splits: Sequence[str],
    scale: tuple[float, float] | None,
    split_files: Sequence[Path],
) -> list[Task]:
    """Read the databases and choose a part of each.

    Args:
        datasets: Names; `DEFAULT_DATASET` where there is none.
        roots: As `iqa_cli.training.sources.given_roots` takes them.
        splits: The part of all of them, or NAME=PART of one; else that of `Database.measuring_part`.
        scale: Of a csv.
        split_files: At most one for each database.

    Raises:
        UsageError: Names, folders or split files that do not go together.
        DatasetError: One is not there, damaged, has no such part, or no part that can be measured on.
    """
    from iqa_cli.evaluation.part import part_of
    from iqa_cli.training.sources import given_roots, read_databases

    names = list(datasets) or [DEFAULT_DATASET]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--dataset {one_line(name)} is given twice")
    parts = _given_parts(names, splits)
    databases = read_databases(names, given_roots(names, roots), scale, split_files)
    tasks = []
    for database in databases:
        part = parts.get(database.name) or database.measuring_part()
        records = database.part(part)
        _check(f"{database.name}, part {one_line(part)}", [record.mos for record in records])
        tasks.append(Task(database, records, part_of(database.name, part, records)))
    return tasks


def tell_scale(tasks: Sequence[Task], scale: tuple[float, float] | None, env: Environment) -> None:
    """Say which scale was taken where none was given."""
    for database in (task.database for task in tasks):
        if scale is None and database.name == "csv":
            env.note(
                f"the scale of the opinions is taken to be {database.low:g} to {database.high:g}, "
                "their extremes; RMSE and coverage depend on it, and --range sets it"
            )


def meet(task: Task, lineup: Lineup, allow_missing: bool, env: Environment) -> Task:
    """Look which pictures the weights have met in training.

    A decoding of its own, one picture at a time: training hashed the whole of it at full size. It also finds
    pictures that are damaged before the networks are loaded.

    Raises:
        ImageError: A picture cannot be read, and `allow_missing` is not given.
    """
    import numpy as np

    from iqa_cli.seen import hash_file

    known = {weight.card.name: weight.seen for weight in lineup.weights if weight.seen is not None}
    if not known:
        return task
    met = {name: np.zeros(len(task.records), dtype=bool) for name in known}
    near = {name: np.zeros(len(task.records), dtype=bool) for name in known}
    failures: dict[str, str] = {}
    with counted(env, len(task.records), "compared with those of the training") as advance:
        for index, record in enumerate(task.records):
            try:
                found = hash_file(record.path)
            except ImageError as error:
                if not allow_missing:
                    raise refused(record, error.message) from None
                failures[record.name] = error.message
            else:
                for name, seen in known.items():
                    met[name][index] = seen.met(found)
                    near[name][index] = not met[name][index] and seen.near(found)
            advance()
    return replace(task, met=met, near=near, failures=failures)


def hold_out(task: Task, lineup: Lineup, env: Environment) -> Task:
    """The pictures that no weight has met: neither these pixels nor others that resemble them.

    Raises:
        DatasetError: So few are left that nothing can be measured.
    """
    import numpy as np

    known = [*task.met.values(), *task.near.values()]
    kept = ~np.any(known, axis=0) if known else np.ones(len(task.records), dtype=bool)
    left = [record.mos for record, keep in zip(task.records, kept, strict=True) if keep]
    dropped = len(kept) - len(left)
    others = [known.name for known in lineup.baselines if known.fitted] + [f.name for f in lineup.files]
    if others:
        env.note(
            f"not held out: what {', '.join(map(one_line, others))} learned from, which is not known here"
        )
    env.note(f"{task.title}: {dropped:,} of {count(len(kept), 'picture')} left out as met in training")
    _check(f"{task.title}: of {count(len(kept), 'picture')} {dropped:,} were met in training", left)
    return replace(
        task,
        records=tuple(record for record, keep in zip(task.records, kept, strict=True) if keep),
        part=task.part.only(kept),
        met={name: flags[kept] for name, flags in task.met.items()},
        near={name: flags[kept] for name, flags in task.near.items()},
        dropped=dropped,
    )


def check_held_out(lineup: Lineup) -> None:
    """Whether anything can be held out.

    Raises:
        UsageError: No weight takes part.
        WeightsError: What a weight has met is not known.
    """
    if not lineup.weights:
        raise UsageError("--held-out leaves out what a weight has met in training, and there is no weight")
    for weight in lineup.weights:
        if weight.seen is None:
            raise WeightsError(
                f"--held-out: what {one_line(weight.card.name)} has met in training is not known",
                hint="its card keeps no hashes, or their file is missing",
            )


def refused(record: ImageRecord, reason: str | None) -> ImageError:
    """A picture without which there are no figures."""
    return ImageError(
        f"{one_line(record.name)}: {reason}",
        hint="every picture of the part is needed; --allow-missing leaves it out and says so",
    )


def _given_parts(names: Sequence[str], splits: Sequence[str]) -> dict[str, str]:
    """Database -> its part, of the values of `--split`: one for each goes before one for all."""
    parts: dict[str, str] = {}
    of_all: str | None = None
    for entry in splits:
        name, equals, part = entry.partition("=")
        if not (equals and part and name in names):
            name, part = "", entry
        if (name in parts) if name else (of_all is not None):
            raise UsageError(f"--split {one_line(entry)}: a second part{f' of {name}' if name else ''}")
        if name:
            parts[name] = part
        else:
            of_all = part
    return parts if of_all is None else {name: parts.get(name, of_all) for name in names}


def _check(where: str, opinions: Sequence[float]) -> None:
    """Whether figures can come out at all."""
    if len(opinions) < _LEAST or len(set(opinions)) < 2:
        few = f"a correlation needs at least {_LEAST}"
        what = few if len(opinions) < _LEAST else "of which all have one opinion"
        raise DatasetError(f"{where}: {count(len(opinions), 'picture')}, {what}")
