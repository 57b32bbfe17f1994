"""Distillation from scores: a finished weight scores unlabelled pictures, which are then learnt from as well.

Published for QFM-IQM is that a teacher's scores of unlabelled pictures enlarge the training set. Our choice:
that they are made once, over whole pictures by the teacher's own size policy, and calibrated, so that they
are a hundredth of what `iqa score` prints; the crops of a picture share its score, as they share an opinion.
"""

from __future__ import annotations

import json
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

#: What the teacher has said, in the folder of the run.
FILE = "teacher.json"
#: What the unlabelled pictures are called in the record of a run and on the card.
NAME = "unlabelled"
#: Pictures after which what is known is written, so that a kill costs no more than these.
_CHUNK = 256


@dataclass(frozen=True)
class Lesson:
    """Unlabelled pictures and the teacher that is to score them.

    Attributes:
        teacher: The finished weight, with its history for the card.
        records: The pictures, in the order of their names; without opinions.
    """

    teacher: WarmStart
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
        return {
            "dataset": NAME,
            "part": "fit",
            "images": len(self.records),
            "split_hash": split_hash(self.records),
            "use": f"the network's weights, through the scores of the teacher {self.teacher.path.name}",
        }


def read_lesson(teacher: str, folder: Path) -> Lesson:
    """The teacher and the pictures.

    Args:
        teacher: Name or file of a finished weight.
        folder: Of pictures, sub-folders included, or with `sources.csv` beside `images/`.

    Raises:
        WeightsError: There is no such weight, or it is damaged.
        DatasetError: There is no such folder, or no picture in it.
        UsageError: There is but one picture.
    """
    path = find_weights(teacher)
    sources = find_sources(folder)
    if len(sources) < 2:
        raise UsageError(f"--unlabelled: one picture in {one_line(folder)} is too few to learn from")
    unknown = float("nan")
    records = tuple(ImageRecord(s.path, s.name, unknown, unknown, s.name) for s in sources)
    return Lesson(what_it_hands_on(path, read_card(path), "teacher of unlabelled pictures"), records)


def taught_part(
    lesson: Lesson, folder: Path, machine: Machine, log: Log, progress: Progress | None = None
) -> Part:
    """The pictures with the teacher's scores as their opinions, made now or read from an earlier run.

    Of several processes of `accelerate launch`, the main one makes them and the others wait.

    Args:
        lesson: Teacher and pictures.
        folder: Of the run; keeps the scores.
        machine: Where the teacher computes.
        log: Takes a line.
        progress: Told how far it is.

    Raises:
        ImageError: A picture cannot be read.
        WeightsError: The weight is damaged, or the scores cannot be written.
        IqaError: The teacher gives no number, or the same for all pictures.
    """
    team = team_of(machine)
    if team.is_main:
        _score(lesson, folder, machine, log, progress)
    team.wait()
    scores = _read(lesson, folder)
    records = tuple(replace(r, mos=scores[r.name], raw=scores[r.name]) for r in lesson.records)
    if len(set(scores.values())) < 2:
        raise IqaError(
            f"the teacher {one_line(lesson.teacher.path)} says the same of all unlabelled pictures"
        )
    return replace(lesson.part, fit=records)


def _score(lesson: Lesson, folder: Path, machine: Machine, log: Log, progress: Progress | None) -> None:
    """Score the pictures that are not scored yet."""
    scores = _read(lesson, folder)
    left = [record for record in lesson.records if record.name not in scores]
    if not left:
        log(f"{folder / FILE}: the teacher's scores are there already")
        return
    total = len(lesson.records)
    log(f"{lesson.teacher.path.name} scores {len(left)} unlabelled pictures")
    card, network = load_network(lesson.teacher.path)
    network, policy = network.to(machine.device), card.policy()

    def tell(done: int, _: int) -> None:
        if progress is not None:
            progress.update("scoring", len(scores) + done, total)

    for start in range(0, len(left), _CHUNK):
        chunk = left[start : start + _CHUNK]
        with exact_arithmetic(machine.device):
            raw = predict_raw(network, [r.path for r in chunk], policy, progress=tell)["pooled"]
        if not np.isfinite(raw).all():
            raise IqaError(
                f"the teacher {one_line(lesson.teacher.path)} gives no number for "
                f"{one_line(chunk[int(np.isfinite(raw).argmin())].path)}"
            )
        points = np.asarray(card.calibration(raw), dtype=np.float64)
        scores.update(zip((r.name for r in chunk), (points / 100).tolist(), strict=True))
        content = {"teacher": lesson.teacher.point["sha256"], "scores": scores}
        write_text(folder / FILE, json.dumps(content, indent=0, allow_nan=False) + "\n")


def _read(lesson: Lesson, folder: Path) -> dict[str, float]:
    """What this teacher has said of these pictures; nothing where no such file can be read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["teacher"] != lesson.teacher.point["sha256"]:
            return {}
        names = {record.name for record in lesson.records}
        return {n: float(s) for n, s in content["scores"].items() if n in names and 0 <= float(s) <= 1}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
