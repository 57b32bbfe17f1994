"""One piece of work of `iqa data synth`: a photograph with one distortion at every level, written and
measured.

Run in the process itself or in several. A piece depends on its photograph, the settings and nothing else, so
that the same pictures come out whoever makes them and in whatever order.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from iqa_cli.datasets.synth_sources import Source, prepare
from iqa_cli.errors import ImageError, IqaError
from iqa_cli.evaluation.full_reference import IDENTICAL, Reference, single_thread
from iqa_cli.images.distortions import distort
from iqa_cli.replacing import replacing, unwritable
from iqa_cli.text import one_line

#: Lossless, so that a picture is the one that was measured: ending -> what Pillow is told.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "compress_level": 6},
    "webp": {"format": "WEBP", "lossless": True, "quality": 60, "method": 4},
}
#: Name of the copy of the photograph itself, without its ending.
REFERENCE = "reference"


@dataclass(frozen=True)
class Settings:
    """What the pictures depend on, besides the photographs.

    Attributes:
        seed: Seed of everything random.
        size: Side in pixels, see `synth_sources.prepare`; 0 for the photographs' own.
        image_format: Key of `FORMATS`.
        types: Distortions.
        levels: Levels of each, growing.
        measured: Whether metrics compare each with its reference, for the labels.
    """

    seed: int
    size: int
    image_format: str
    types: tuple[str, ...]
    levels: tuple[int, ...]
    measured: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}
        if self.measured:  # what databases of before it could be switched off say too
            del values["measured"]
        return values


@dataclass(frozen=True)
class Task:
    """A photograph and one type; no type stands for the copy of the photograph itself."""

    source: Source
    kind: str | None

    def pictures(self, settings: Settings) -> int:
        """Number of pictures that come of it."""
        return 1 if self.kind is None else len(settings.levels)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: Which.
        sha256: Of the photograph's file.
        rows: A plain record for each picture: image (below `images/`), level (None of the reference), bytes,
            metrics.
        skipped: Why the photograph cannot be used; the run goes on without it.
        stop: Why the run cannot go on, and a hint.
    """

    task: Task
    sha256: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    skipped: str | None = None
    stop: tuple[str, str | None] | None = None


def perform(task: Task, settings: Settings, folder: Path) -> Outcome:
    """Make, write and measure the pictures of a task; expected failures are told in what is returned.

    Args:
        task: What to make.
        settings: How.
        folder: The database; a picture appears under its name in `images/` only when it is whole.
    """
    try:
        with single_thread():
            image, sha256, reference = _photograph(task.source, settings)
            return Outcome(task, sha256, tuple(_rows(task, settings, folder, image, reference)))
    except ImageError as error:
        return Outcome(task, skipped=error.message)
    except MemoryError:
        return Outcome(task, skipped="not enough memory")
    except IqaError as error:
        return Outcome(task, stop=(error.message, error.hint))
    except OSError as error:
        return Outcome(
            task,
            stop=(
                unwritable(f"'{one_line(folder)}'", error),
                "nothing is lost: the same command goes on where this one ended",
            ),
        )


def generator(seed: int, source: Source, kind: str) -> np.random.Generator:
    """The source of randomness of one type on one photograph. It is the same for each level, so that a random
    place or pattern stays where it is while the level grows."""
    text = f"{seed}\0{kind}\0".encode() + os.fsencode(source.name)
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16], "big"))


def start_worker() -> None:
    """Prepare a process of its own: Ctrl-C is for the process that started it, with which it ends."""
    import multiprocessing
    import signal
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


_last: tuple[Source, int, bool, NDArray[np.uint8], str, Reference | None] | None = None


def _photograph(source: Source, settings: Settings) -> tuple[NDArray[np.uint8], str, Reference | None]:
    """Decode, unless it is the photograph of the task before."""
    global _last
    wanted = (source, settings.size, settings.measured)
    if _last is None or _last[:3] != wanted:
        image, sha256 = prepare(source, settings.size)
        _last = (*wanted, image, sha256, Reference(image) if settings.measured else None)
    return _last[3:]


def _rows(
    task: Task, settings: Settings, folder: Path, image: NDArray[np.uint8], reference: Reference | None
) -> list[dict[str, Any]]:
    ending = settings.image_format
    if task.kind is None:
        name = f"{task.source.key}/{REFERENCE}.{ending}"
        size = _write(folder / "images" / name, image, ending)
        return [{"image": name, "level": None, "bytes": size, "metrics": IDENTICAL if reference else {}}]
    rows = []
    for level in settings.levels:
        made = distort(image, task.kind, level, generator(settings.seed, task.source, task.kind))
        metrics = reference.compare(made) if reference else {}
        name = f"{task.source.key}/{task.kind}_{level}.{ending}"
        size = _write(folder / "images" / name, made, ending)
        rows.append({"image": name, "level": level, "bytes": size, "metrics": metrics})
    return rows


def _write(path: Path, image: NDArray[np.uint8], ending: str) -> int:
    """Write a picture, which is whole when it has its name; its size in bytes."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, **FORMATS[ending])
    data = stream.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hundred thousand of them: what a loss of power leaves empty is made again, by its size in the journal.
    with replacing(path, durable=False) as file:
        file.write(data)
    return len(data)
