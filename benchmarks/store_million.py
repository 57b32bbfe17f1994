"""A store with a million scores: seconds to fill, to ask, to list and to export it; prints a Markdown table.

    python -m benchmarks.store_million [--rows 1000000] [--files 20000] [--no-exports]

The scores are made up, so that no network is needed; the first of them are put in at once, the last 20,000 as
`iqa score --store` does it, one after the other; all else is what `iqa score --store` and `iqa store` do.
Seconds are those of the processor, so that other work on the machine counts less. `--files` pictures of 24x24
pixels are scored twice by a network that takes the mean: the second run opens none of them.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from iqa_cli.cli.app import run
from iqa_cli.cli.context import Environment
from iqa_cli.scoring.hashing import Hashed, Stamp
from iqa_cli.scoring.scored import Scored
from iqa_cli.scoring.store import _BY_CONTENT, _BY_STAMP, Store
from iqa_cli.scoring.storekey import ScorerKey
from tests.scoring.fakescorers import FakeScorer, group_of, keys_for, write_pictures

KEY = ScorerKey("mfenet", "0" * 64, "{}", "default")
LONG_AGO = 1_600_000_000 * 10**9


def memory() -> int:
    """MiB that the process has now."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


@contextmanager
def row(what: str, number: int = 1) -> Iterator[None]:
    """Measure what is done within, and print its line."""
    started, before = time.process_time(), memory()
    yield
    seconds = time.process_time() - started
    each = f"{1e6 * seconds / number:.0f}" if number > 1 else ""
    print(f"| {what} | {seconds:.2f} | {each} | {memory() - before:+d} |", flush=True)


def picture(number: int) -> tuple[str, Hashed]:
    """Path and content of a made-up picture."""
    path = f"/photos/{number // 1000:04}/IMG_{number:07}.jpg"
    stamp = Stamp(3_000_000 + number, LONG_AGO, LONG_AGO, number)
    return path, Hashed(b"", hashlib.sha256(str(number).encode()).digest(), stamp, LONG_AGO * 2)


def made_up(number: int) -> Scored:
    """The score of a picture."""
    score = min(100.0, max(0.0, random.Random(number).gauss(60, 15)))
    return Scored(score, 4.2, score / 100, 18, 4000, 3000, "jpeg", 2, score - 15, score + 10)


def fill(store: Store, scorer: int, rows: int) -> None:
    """Put many in at once, past the store's own way."""
    execute = store._writer.executemany
    store._writer.execute("BEGIN")
    shas = ((number + 1, picture(number)[1].sha256) for number in range(rows))
    execute("INSERT INTO pictures (id, sha256) VALUES (?, ?)", shas)
    files = ((number + 1, *picture(number)) for number in range(rows))
    columns = ((path, i, *(hashed.stamp or ()), hashed.read_at) for i, path, hashed in files)
    execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", columns)
    scores = ((number + 1, scorer, *astuple(made_up(number)), None) for number in range(rows))
    names = ", ".join(entry.name for entry in fields(Scored))
    marks = ", ".join("?" for _ in range(len(fields(Scored)) + 3))
    execute(f"INSERT INTO scores (picture, scorer, {names}, error) VALUES ({marks})", scores)
    store._writer.execute("COMMIT")


def put(store: Store, scorer: int, numbers: range) -> None:
    """Put one after the other, a transaction each."""
    for number in numbers:
        path, hashed = picture(number)
        store.put(path, hashed, [(scorer, made_up(number))])


def iqa(*arguments: str) -> bytes:
    """`iqa ARGUMENTS` in this process; returns what it prints."""
    env = Environment(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO())
    if run(list(arguments), env):
        raise SystemExit(env.stderr.getvalue())  # type: ignore[attr-defined]
    return env.stdout.getvalue()  # type: ignore[attr-defined]


def ask(store: Store, scorer: int, rows: int, number: int) -> None:
    """Find pictures at random, as a run does before it opens a file and after it has hashed one."""
    lanes = {scorer: 0}
    chosen = [picture(random.Random(9).randrange(rows)) for _ in range(number)]
    with row(f"finding {number:,} unchanged files", number):
        assert all(store.known(_BY_STAMP, (path, *hashed.stamp), lanes) for path, hashed in chosen)  # type: ignore[misc]
    with row(f"finding {number:,} contents", number):
        assert all(store.known(_BY_CONTENT, (hashed.sha256,), lanes) for _, hashed in chosen)


def runs(folder: Path, files: int) -> None:
    """A first run over pictures, and one over the same ones unchanged."""
    paths: list[Any] = write_pictures(folder / "pictures", range(files))
    time.sleep(2.5)  # until their times are no longer those of this moment
    group = group_of(FakeScorer())

    def once() -> None:
        with Store(folder / "runs.db") as store:
            kept = store.memory(keys_for(group, folder))
            assert all(record.score is not None for record in group.score_many(paths, memory=kept))

    steps: list[tuple[str, Callable[[], None]]] = [
        (f"first run over {files:,} pictures (24x24, mean as network)", once),
        (f"second run over {files:,} unchanged pictures", once),
    ]
    for what, step in steps:
        with row(what, files):
            step()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--no-exports", action="store_true")
    options = parser.parse_args()
    rows = options.rows
    print("| what | processor, s | each, µs | memory, MiB |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = str(folder / "s.db")
        with Store(place) as store:
            (scorer,) = store.memory([KEY])._lanes
            last = min(20_000, rows // 2)
            fill(store, scorer, rows - last)
            with row(f"keeping {last:,} beside {rows - last:,}", last):
                put(store, scorer, range(rows - last, rows))
            ask(store, scorer, rows, min(rows, 20_000))
        iqa("store", place, "--top", "1")  # imports
        for what in (
            ("--bottom", "10"),
            ("--model", "mfenet", "--below", "20"),
            ("--match", "*/0123/*"),
            ("--failed",),
            ("--summary",),
        ):
            with row(f"`iqa store {' '.join(what)}`"):
                iqa("store", place, *what)
        for kind in () if options.no_exports else ("csv", "jsonl", "parquet"):
            target = folder / f"out.{kind}"
            with row(f"`iqa store -o out.{kind}`", rows):
                iqa("store", place, "-o", str(target))
            print(f"| size of out.{kind}: {target.stat().st_size / 2**20:.0f} MiB | | | |")
            target.unlink()
        print(f"| size of the store: {Path(place).stat().st_size / 2**20:.0f} MiB | | | |")
        runs(folder, options.files)


if __name__ == "__main__":
    main()
