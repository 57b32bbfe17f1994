"""The pool of `iqa gmad`: which models take part, which pictures, and the scores of all models for them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_lineup import Lineup, line_up
from iqa_cli.cli.eval_scores import Means, from_files, score_tasks
from iqa_cli.cli.eval_tasks import Task
from iqa_cli.cli.gmad_unseen import hold_out, weights_to_ask
from iqa_cli.errors import ImageError, UsageError
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.evaluation.correlation import Floats
    from iqa_cli.evaluation.scorefile import ScoreFile
    from iqa_cli.gmad.compete import Settings
    from iqa_cli.gmad.pool import Pool

_FILES = (".csv", ".json", ".jsonl", ".ndjson", ".txt")


@dataclass(frozen=True)
class PoolOptions:
    """What the pool is made of; empty and None where it was not given."""

    models: tuple[str, ...]
    folders: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    split: str | None = None
    split_files: tuple[Path, ...] = ()
    scale: tuple[float, float] | None = None
    lower_is_better: tuple[str, ...] = ()
    held_out: bool = False
    unseen_by: tuple[str, ...] = ()
    allow_missing: bool = False
    device: str = "auto"
    threads: int | None = None
    store: str | None = None


@dataclass(frozen=True)
class Models:
    """The models as `iqa eval` has scorers, and their names in the order in which they were given."""

    lineup: Lineup
    names: tuple[str, ...]


def find_models(entries: Sequence[str], lower_is_better: Sequence[str]) -> Models:
    """Find models by what is given for them: a weight (name or file), a baseline, a file of scores.

    Raises:
        UsageError: There are fewer than two, or one is given twice.
        IqaError: One is not there or cannot be read.
    """
    from iqa_cli.baselines import BASELINES

    if len(entries) < 2:
        raise UsageError("two models compete: name them with --a and --b, or --model twice or more")
    for place, entry in enumerate(entries):
        if any(_same(entry, other) for other in entries[:place]):
            raise UsageError(f"{one_line(entry)} is given twice: a model cannot compete with itself")
    kinds = [_kind(entry, list(BASELINES)) for entry in entries]
    by_kind = {
        kind: [entry for entry, its in zip(entries, kinds, strict=True) if its == kind]
        for kind in ("weight", "baseline", "file")
    }
    lineup = line_up(by_kind["weight"], by_kind["baseline"], by_kind["file"], lower_is_better)
    left = {
        "weight": [weight.card.name for weight in lineup.weights],
        "baseline": [known.name for known in lineup.baselines],
        "file": [file.name for file in lineup.files],
    }
    return Models(lineup, tuple(left[kind].pop(0) for kind in kinds))


def read_pool(models: Models, options: PoolOptions, settings: Settings, env: Environment) -> tuple[Pool, int]:
    """Gather the pictures and their scores; each is decoded once for all weights.

    Args:
        models: Who competes.
        options: What the pool is made of.
        settings: How pairs are mined: a pool that is too small for them is refused unscored.
        env: Where the command stands.

    Returns:
        The pictures of which every model has a score, and how many others there were.

    Raises:
        IqaError: There is no picture, or too few, or one has no score, and `allow_missing` is not given. Of a
            folder a picture that cannot be scored is left out and counted.
    """
    from iqa_cli.gmad.compete import check_enough, check_levels

    lineup = models.lineup
    asked = weights_to_ask(lineup, options.held_out, options.unseen_by, env)
    tasks, source, lenient = _tasks(lineup, options, env)
    missing = options.allow_missing or lenient
    for task in tasks if lineup.need_pictures and not missing else ():
        task.database.check_pictures(task.records)
    files = from_files(tasks, lineup, options.allow_missing, env)
    for file in lineup.files:
        further = len(file.file) - sum(len(task.part) for task in tasks)
        if further > 0:
            env.note(f"{one_line(file.file.source)}: {further:,} of its rows are of no picture of the pool")
    with warnings.catch_warnings():
        if not env.debug:
            warnings.simplefilter("ignore")
        notes: dict[str, Any] = {}
        if asked.weights:
            tasks, files, notes["held_out"] = hold_out(tasks, files, asked, lineup, missing, env)
        number = sum(len(task.records) for task in tasks)
        if lineup.files:
            # Scores that were read may be equal, and a level wider by that.
            check_enough(settings.pairs, number, "the pool has")
        else:
            check_levels(settings, number)
        pool, failed = _scored(tasks, source, files, models, options, missing, env)
    if options.datasets and _is_synthetic(options):
        env.note("the opinions of csv are a pseudo-MOS of metrics (synth.json): nobody has given them")
        notes["pseudo_mos"] = True
    return replace(pool, notes=notes), failed


def _scored(
    tasks: Sequence[Task],
    source: str,
    files: Sequence[dict[str, Floats]],
    models: Models,
    options: PoolOptions,
    missing: bool,
    env: Environment,
) -> tuple[Pool, int]:
    import numpy as np

    from iqa_cli.gmad.pool import pool_of

    lineup = models.lineup
    means = Means(options.device, options.threads, options.store)
    columns = score_tasks(tasks, files, lineup, missing, means, env)
    scores = {
        name: np.concatenate(
            [next(column.scores for column in of if column.scorer == name) for of in columns]
        )
        for name in models.names
    }
    pool = pool_of(source, [record for task in tasks for record in task.records], scores)
    whole = np.all([np.isfinite(values) for values in scores.values()], axis=0)
    if not whole.any():
        raise ImageError("the pool is empty: there is no picture that every model has a score of")
    return (pool if whole.all() else pool.only(whole)), int((~whole).sum())


def _tasks(lineup: Lineup, options: PoolOptions, env: Environment) -> tuple[list[Task], str, bool]:
    """The pictures, where they come from in a few words, and whether some of them may be unreadable."""
    if options.datasets:
        if options.folders:
            raise UsageError("a pool is a --dataset or folders, not both")
        tasks = _of_databases(options)
        return tasks, "; ".join(task.title for task in tasks), False
    for given, option in (
        (options.roots, "--root"),
        (options.split, "--split"),
        (options.split_files, "--split-file"),
        (options.scale, "--range"),
    ):
        if given:
            raise UsageError(f"{option} says something of a database: --dataset names one")
    if options.folders:
        from iqa_cli.cli.inputs import gather

        inputs = gather(list(options.folders), env, recursive=True)
        names = list(inputs.paths)
        for line in inputs.notes():
            env.note(line)
        where = ", ".join(map(one_line, options.folders[:3])) + (", ..." if len(options.folders) > 3 else "")
        return [_task("pool", names, Path(), options.folders)], where, True
    if not lineup.files:
        raise UsageError(
            "there is no pool: give a folder of pictures, a --dataset, or models as files of scores",
            hint="for example: iqa gmad --a mfenet --b vcrnet photos/ -o OUT",
        )
    first = lineup.files[0].file
    return [_task(one_line(first.source), first.names, _base(first))], one_line(first.source), False


def _of_databases(options: PoolOptions) -> list[Task]:
    from iqa_cli.evaluation.part import part_of
    from iqa_cli.training.sources import given_roots, read_databases

    names = options.datasets
    roots = given_roots(names, options.roots)
    tasks = []
    for database in read_databases(names, roots, options.scale, options.split_files):
        part = options.split or database.measuring_part()
        records = database.part(part)
        tasks.append(Task(database, records, part_of(database.name, part, records)))
    return tasks


def _task(source: str, names: Sequence[str], base: Path, folders: Sequence[str] = ()) -> Task:
    """Pictures without opinions, as a part of a database that has none; of folders that have a table of them,
    with their references."""
    from iqa_cli.datasets.record import Database, ImageRecord
    from iqa_cli.evaluation.part import part_of
    from iqa_cli.gmad.labelled import with_references

    unknown = float("nan")
    records = tuple(ImageRecord(base / name, name, unknown, unknown, group=name) for name in names)
    for folder in folders:
        records = with_references(records, Path(folder))
    database = Database(source, records, 0.0, 100.0)
    return Task(database, records, part_of(source, "all", records))


def _is_synthetic(options: PoolOptions) -> bool:
    """Whether the csv is a database of `iqa data synth`."""
    from iqa_cli.datasets.roots import find_root
    from iqa_cli.datasets.synth_folder import made_by
    from iqa_cli.training.sources import given_roots

    if "csv" not in options.datasets:
        return False
    roots = given_roots(options.datasets, options.roots)
    return made_by(find_root("csv", roots.get("csv"))) is not None


def _base(file: ScoreFile) -> Path:
    """Where the names of a file of scores begin: here, or beside the file."""
    some = file.names[:20]
    beside = Path(file.source).parent
    here = any(_is_file(Path(name)) for name in some)
    return beside if not here and any(_is_file(beside / name) for name in some) else Path()


def _kind(entry: str, baselines: Sequence[str]) -> str:
    name, equals, file = entry.partition("=")
    if (equals and name and file) or Path(entry).suffix.lower() in _FILES:
        return "file"
    return "baseline" if entry in baselines else "weight"


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    files = [Path(entry.rpartition("=")[2]) for entry in (one, other)]
    try:
        return all(map(_is_file, files)) and files[0].samefile(files[1])
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
