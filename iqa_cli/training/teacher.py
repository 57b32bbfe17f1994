"""Distillation from scores: finished weights score unlabelled pictures, which are then learnt from as well.

Published for QFM-IQM is that a teacher's scores of unlabelled pictures enlarge the training set. Our choice:
that any network learns so, from one teacher or the mean of several; that their scores are made once, over
whole pictures by the teacher's own size policy, and calibrated, so that they are a hundredth of what `iqa
score` prints; that the crops of a picture share its score, as they share an opinion.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.datasets.synth_sources import find_sources
from iqa_cli.errors import IqaError, UsageError
from iqa_cli.finding import find_weights
from iqa_cli.scoring.device import exact_arithmetic
from iqa_cli.text import one_line
from iqa_cli.training.checkpoint import write_text
from iqa_cli.training.devices import Machine
from iqa_cli.training.mixture import Part
from iqa_cli.training.runlog import Log, Progress
from iqa_cli.training.team import team_of
from iqa_cli.training.validate import predict_raw
from iqa_cli.training.warmstart import WarmStart, what_it_hands_on
from iqa_cli.weights import load_network, read_card

#: What the teachers have said, in the folder of the run.
FILE = "teacher.json"
#: What the unlabelled pictures are called in the record of a run and on the card.
NAME = "unlabelled"
#: Pictures after which what is known is written, so that a kill costs no more than these.
_CHUNK = 256


@dataclass(frozen=True)
class Lesson:
    """Unlabelled pictures and the teachers that are to score them.

    Attributes:
        teachers: The finished weights, with their history for the card.
        records: The pictures, in the order of their names; without opinions.
    """

    teachers: tuple[WarmStart, ...]
    records: tuple[ImageRecord, ...]

    @property
    def pictures(self) -> list[Path]:
        """Files of the pictures."""
        return [record.path for record in self.records]

    @property
    def part(self) -> Part:
        """The pictures as part of a training, before they are scored."""
        return Part(NAME, "taught", self.records)

    @property
    def entry(self) -> dict[str, Any]:
        """What the card says of the pictures."""
        names = ", ".join(teacher.path.name for teacher in self.teachers)
        whose = f"the teacher {names}" if len(self.teachers) == 1 else f"the teachers {names}, their mean"
        return {
            "dataset": NAME,
            "part": "fit",
            "images": len(self.records),
            "split_hash": split_hash(self.records),
            "use": f"the network's weights, through the scores of {whose}",
        }


def read_lesson(teachers: Sequence[str], folder: Path) -> Lesson:
    """The teachers and the pictures.

    Args:
        teachers: Names or files of finished weights.
        folder: Of pictures, sub-folders included, or with `sources.csv` beside `images/`.

    Raises:
        WeightsError: There is no such weight, or it is damaged.
        DatasetError: There is no such folder, or no picture in it.
        UsageError: There is but one picture, or a weight is there twice.
    """
    paths = [find_weights(name) for name in teachers]
    known = tuple(what_it_hands_on(p, read_card(p), "teacher of unlabelled pictures") for p in paths)
    if len({teacher.point["sha256"] for teacher in known}) < len(known):
        raise UsageError("--teacher names a weight twice")
    sources = find_sources(folder)
    if len(sources) < 2:
        raise UsageError(f"--unlabelled: one picture in {one_line(folder)} is too few to learn from")
    unknown = float("nan")
    records = tuple(ImageRecord(s.path, s.name, unknown, unknown, s.name) for s in sources)
    return Lesson(known, records)


def taught_part(
    lesson: Lesson, folder: Path, machine: Machine, log: Log, progress: Progress | None = None
) -> Part:
    """The pictures with the means of the teachers' scores as their opinions, made now or read from an earlier
    run.

    Of several processes of `accelerate launch`, the main one makes them and the others wait.

    Args:
        lesson: Teachers and pictures.
        folder: Of the run; keeps the scores.
        machine: Where the teachers compute.
        log: Takes a line.
        progress: Told how far it is.

    Raises:
        ImageError: A picture cannot be read.
        WeightsError: The weight is damaged, or the scores cannot be written.
        IqaError: A teacher gives no number, or the same for all pictures.
    """
    team = team_of(machine)
    if team.is_main:
        for teacher in lesson.teachers:
            _score(lesson, teacher, folder, machine, log, progress)
    team.wait()
    said = _read(lesson, folder)
    for teacher in lesson.teachers:
        if len(set(said[teacher.point["sha256"]].values())) < 2:
            raise IqaError(f"the teacher {one_line(teacher.path)} says the same of all unlabelled pictures")
    # In an order that the command does not change, so that the sums are the same to the last bit.
    scores = [said[digest] for digest in sorted(teacher.point["sha256"] for teacher in lesson.teachers)]
    means = {r.name: sum(of_one[r.name] for of_one in scores) / len(scores) for r in lesson.records}
    return replace(
        lesson.part, fit=tuple(replace(r, mos=means[r.name], raw=means[r.name]) for r in lesson.records)
    )


def _score(
    lesson: Lesson, teacher: WarmStart, folder: Path, machine: Machine, log: Log, progress: Progress | None
) -> None:
    """Have a teacher score the pictures that it has not scored yet."""
    said = _read(lesson, folder)
    scores = said[teacher.point["sha256"]]
    left = [record for record in lesson.records if record.name not in scores]
    if not left:
        log(f"{folder / FILE}: the scores of {teacher.path.name} are there already")
        return
    total = len(lesson.records)
    log(f"{teacher.path.name} scores {len(left)} unlabelled pictures")
    card, network = load_network(teacher.path)
    network, policy = network.to(machine.device), card.policy()

    def tell(done: int, _: int) -> None:
        if progress is not None:
            progress.update("scoring", len(scores) + done, total)

    for start in range(0, len(left), _CHUNK):
        chunk = left[start : start + _CHUNK]
        with exact_arithmetic(machine.device):
            raw = predict_raw(network, [r.path for r in chunk], policy, progress=tell)
        if not np.isfinite(raw).all():
            raise IqaError(
                f"the teacher {one_line(teacher.path)} gives no number for "
                f"{one_line(chunk[int(np.isfinite(raw).argmin())].path)}"
            )
        points = np.asarray(card.calibration(raw), dtype=np.float64)
        scores.update(zip((r.name for r in chunk), (points / 100).tolist(), strict=True))
        write_text(folder / FILE, json.dumps({"teachers": said}, indent=0, allow_nan=False) + "\n")


def _read(lesson: Lesson, folder: Path) -> dict[str, dict[str, float]]:
    """What these teachers have said of these pictures, by their checksums; nothing where no such file can be
    read."""
    names = {record.name for record in lesson.records}
    said: dict[str, dict[str, float]] = {teacher.point["sha256"]: {} for teacher in lesson.teachers}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if "teachers" not in content:  # as it was when there could be but one
            content = {"teachers": {content["teacher"]: content["scores"]}}
        found = {
            digest: {n: float(s) for n, s in scores.items() if n in names and 0 <= float(s) <= 1}
            for digest, scores in content["teachers"].items()
            if digest in said
        }
        said.update(found)
    return said
