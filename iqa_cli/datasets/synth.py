"""Synthetic databases: every photograph with every distortion at every level, measured and labelled, or the
pictures alone.

The labels are a pseudo-MOS made of full-reference metrics (`iqa_cli.datasets.synth_map`), which no person has
given. The folder is read as a database of `iqa_cli.datasets.csvfile`: `labels.csv` beside `images/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from iqa_cli import __version__
from iqa_cli.datasets.synth_folder import SynthFolder
from iqa_cli.datasets.synth_map import shipped_map
from iqa_cli.datasets.synth_sources import Source, list_hash
from iqa_cli.datasets.synth_table import Summary, finish
from iqa_cli.datasets.synth_task import Outcome, Settings, Task, perform, start_worker
from iqa_cli.errors import DatasetError, IqaError, UsageError
from iqa_cli.evaluation.full_reference import library_version
from iqa_cli.text import one_line

WHAT = (
    "A synthetic database made by iqa data synth. mos is a pseudo-MOS of 0 to 1, higher is better, computed "
    "from full-reference metrics; no person has rated these pictures."
)
_WHAT_BARE = "Pictures made by iqa data synth. Nothing has measured or rated them."
_PACKAGES = ("torch", "numpy", "opencv-python", "pillow")


class Stopped(IqaError):
    """A piece of work found that the run cannot go on."""

    exit_code = DatasetError.exit_code


@dataclass
class Watcher:
    """Who is told of a run's progress.

    Attributes:
        total: Called once with the number of pictures and of those that are there already.
        advance: Called with the number of pictures made.
        note: Takes a line.
    """

    total: Callable[[int, int], None] = field(default=lambda total, done: None)
    advance: Callable[[int], None] = field(default=lambda number: None)
    note: Callable[[str], None] = field(default=lambda line: None)


def synthesise(
    sources: Sequence[Source],
    settings: Settings,
    folder: Path,
    workers: int,
    watcher: Watcher,
    command: str = "",
) -> Summary:
    """Make a synthetic database, or go on with one.

    Args:
        sources: Undistorted photographs.
        settings: What is made of each.
        folder: Gets `labels.csv`, `images/`, `synth.json` and the journal `progress.jsonl`.
        workers: Processes; 1 works in this one. The result does not depend on it.
        watcher: Is told of the progress.
        command: For the record.

    Raises:
        UsageError: The folder holds something else or is in use.
        DatasetError: The folder cannot be written to, a photograph has changed since the run began, none can
            be
            read, or a process died.
        MetricsError: The metrics are not installed.
        KeyboardInterrupt: With a line for the user; what is finished stays.
    """
    with SynthFolder(folder, _record(sources, settings, command)) as place:
        entries = place.done()
        hashes = {entry["key"]: entry["sha256"] for entry in entries.values()}
        todo = [
            task
            for source in sources
            for task in (Task(source, kind) for kind in (None, *settings.types))
            if (source.key, task.kind) not in entries
        ]
        total = len(sources) * (1 + len(settings.types) * len(settings.levels))
        count = total - sum(task.pictures(settings) for task in todo)
        watcher.total(total, count)
        skipped: dict[str, str] = {}
        outcomes = _outcomes(todo, settings, folder, workers, skipped)
        try:
            for outcome in outcomes:
                source = outcome.task.source
                if outcome.stop is not None:
                    raise Stopped(outcome.stop[0], hint=outcome.stop[1])
                if outcome.skipped is not None:
                    if source.name not in skipped:
                        watcher.note(f"{one_line(source.name)}: {outcome.skipped}")
                    skipped.setdefault(source.name, outcome.skipped)
                    continue
                if hashes.setdefault(source.key, outcome.sha256) != outcome.sha256:
                    raise DatasetError(
                        f"{one_line(source.name)} is not the photograph any more that the run began with",
                        hint="give --out a new or empty folder",
                    )
                entries[source.key, outcome.task.kind] = place.note(outcome)
                count += outcome.task.pictures(settings)
                watcher.advance(outcome.task.pictures(settings))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted after {count:,} of {total:,} pictures; the same command goes on"
            ) from None
        finally:
            outcomes.close()  # the processes end before anything else is done
        kept = [source for source in sources if source.name not in skipped]
        if not kept:
            raise DatasetError(f"none of {len(sources)} photographs can be used")
        return finish(place, kept, settings, entries, skipped)


def _outcomes(
    todo: Sequence[Task], settings: Settings, folder: Path, workers: int, skipped: dict[str, str]
) -> Generator[Outcome, None, None]:
    """What becomes of each task, as it comes; those of a photograph that turned out useless are left out."""
    wanted = (task for task in todo if task.source.name not in skipped)
    if workers == 1 or len(todo) < 2:
        for task in wanted:
            yield perform(task, settings, folder)
        return
    import multiprocessing

    with _pool(workers, multiprocessing.get_context("spawn")) as pool:
        waiting: set[Future[Outcome]] = set()
        more = True
        while more or waiting:
            while more and len(waiting) < 3 * workers:
                following = next(wanted, None)
                more = following is not None
                if following is not None:
                    waiting.add(pool.submit(perform, following, settings, folder))
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                yield future.result()


@contextmanager
def _pool(workers: int, context: Any) -> Iterator[ProcessPoolExecutor]:
    """Processes that end in good order: what they have begun is completed, the rest dropped."""
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
    try:
        yield pool
    except BrokenProcessPool:
        raise DatasetError(
            "one of the processes died, perhaps for lack of memory",
            hint="give fewer --workers or a smaller --size; the same command goes on where this one ended",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _record(sources: Sequence[Source], settings: Settings, command: str) -> dict[str, Any]:
    """What `synth.json` says from the start."""
    record = {
        "format": 1,
        "what": WHAT if settings.measured else _WHAT_BARE,
        "command": command,
        "settings": settings.to_dict(),
        "sources": {"photographs": len(sources), "hash": list_hash(sources)},
        "made_with": {
            "iqa": __version__,
            **({"piq": library_version()} if settings.measured else {}),
            **{name: _version(name) for name in _PACKAGES},
        },
    }
    if not settings.measured:
        return record
    maps, origin = shipped_map()
    return {
        **record,
        "scale": {"hash": origin["hash"]},
        "scale_origin": {key: value for key, value in origin.items() if key != "hash"},
        "scale_map": maps.to_dict(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # such as OpenCV under one of its other names
        return "unknown"


def default_workers() -> int:
    """The CPUs that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def check_place(origin: Path, folder: Path) -> None:
    """See that the photographs and the database do not lie in one another: the run after this one would take
    distorted pictures for photographs.

    Raises:
        UsageError: They do.
    """
    one, other = origin.resolve(), folder.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise UsageError(
            f"--out '{one_line(folder)}' and --from '{one_line(origin)}' lie in one another",
            hint="give --out a folder outside of that of the photographs",
        )
