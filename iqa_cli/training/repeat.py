"""The protocol of the field: several random splits, a training for each, figures of the parts held out.

Second-hand: 80/20 by reference, ten splits, the median. Ours: the part that chooses the epoch is a third one,
taken from the 80; the test part is measured once, when the training of its split has ended. Published code of
the method's relatives keeps the best epoch on the test part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iqa_cli.datasets.record import Database, ImageRecord, split_hash
from iqa_cli.datasets.splitfile import write_split
from iqa_cli.datasets.splits import split
from iqa_cli.errors import ImageError
from iqa_cli.evaluation.measure import Figures, measure
from iqa_cli.evaluation.part import Column, part_of
from iqa_cli.networks.registry import config_class
from iqa_cli.scoring.scorer import load
from iqa_cli.text import one_line
from iqa_cli.training.checkpoint import claim_folder, write_text
from iqa_cli.training.configfile import config_text
from iqa_cli.training.crops import check_pictures
from iqa_cli.training.drawn import check_draws, check_no_more
from iqa_cli.training.finish import chosen_epoch
from iqa_cli.training.job import Job
from iqa_cli.training.launch import is_main_process
from iqa_cli.training.loop import LATER
from iqa_cli.training.met import Known, count_met, known_to_starts, tell_copies, tell_met
from iqa_cli.training.parts import Source
from iqa_cli.training.protocol import CONFIG_NAME, start_hashes, train_weight
from iqa_cli.training.runlog import Log, Progress
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.summary import SplitResult, summary_csv, summary_json

#: What is known of a split once its test part has been measured, in its folder.
RESULT = "result.json"


@dataclass(frozen=True)
class _Drawn:
    """One database in one split."""

    database: Database
    parts: dict[str, tuple[ImageRecord, ...]]
    file: Path


def run_splits(
    job: Job, databases: Sequence[Database], folder: Path, log: Log, progress: Progress | None = None
) -> list[SplitResult]:
    """Train and measure on every split, or go on where the run in `folder` ended.

    Split i is drawn and trained with the seed of the settings + i. It has a folder of its own, a run like any
    other with its split files beside it.

    Args:
        job: What is wanted; `job.run.splits` says how many.
        databases: As read; with `job.run.fit`, only that part of each is divided.
        folder: Of the run; gets `splits.json` and `splits.csv`, complete after every split.
        log: Takes a line now and then.
        progress: Told how far it is.

    Returns:
        Of the main process: figures of every split and database.

    Raises:
        IqaError: A training fails, or a picture cannot be scored.
        KeyboardInterrupt: After the checkpoint has been saved.
    """
    pools = [d.part(job.run.fit) if job.run.fit else d.records for d in databases]
    for database, pool in zip(databases, pools, strict=True):
        check_pictures([record.path for record in pool], database.name)
        own = sorted({record.split for record in pool if record.split})
        if own and not job.run.fit:
            log(
                f"{database.name}: its own parts ({one_line(', '.join(own))}) are drawn anew; --fit takes one"
            )
    check_draws(job, databases, pools)
    known = known_to_starts(job.run)
    if is_main_process():
        claim_folder(folder, _record(job, databases, pools), log, LATER)
        check_no_more(folder, job.run.splits, RESULT)
        write_text(folder / CONFIG_NAME, config_text(job.run, job.config, _network(job)))
    results: list[SplitResult] = []
    for number in range(job.run.splits):
        log(f"split {number + 1} of {job.run.splits}")
        place = folder / f"split{number:02d}"
        results += _one_split(job, number, databases, pools, place, known, log, progress)
        if is_main_process():
            write_text(folder / "splits.csv", summary_csv(results))
            write_text(folder / "splits.json", summary_json(job.run.drawn_shares, results))
    return results


def _one_split(
    job: Job,
    number: int,
    databases: Sequence[Database],
    pools: Sequence[Sequence[ImageRecord]],
    folder: Path,
    known: Known,
    log: Log,
    progress: Progress | None,
) -> list[SplitResult]:
    """Train and measure on one split, or read what came of it."""
    seed = job.config.seed + number
    drawn = [_draw(job, d, pool, seed, folder) for d, pool in zip(databases, pools, strict=True)]
    weight = folder / f"{job.name}.safetensors"
    hashes = {entry.database.name: split_hash(sum(entry.parts.values(), ())) for entry in drawn}
    remarks = _remarks(drawn, known) if is_main_process() else []
    for line in remarks:
        log(line)
    measured = _read_result(folder, weight, hashes)
    if measured is not None:
        log(f"{folder}: was measured already")
        return measured
    note = f"split {number} (seed {seed}) of a run of {job.run.splits}; its test part was measured at the end"
    run = replace(
        job.run,
        splits=0,
        fit=None,
        choose_share=None,
        split_file=[str(entry.file) for entry in drawn],
    )
    own = replace(
        job,
        run=run,
        config=replace(job.config, seed=seed),
        notes=(*job.notes, note, *remarks),
        # A teacher says the same of the same pictures whatever the split.
        lessons=folder.parent,
    )
    sources = [
        Source(entry.database, entry.parts["train"], entry.parts["calib"], run.kind_of(entry.database.name))
        for entry in drawn
    ]
    train_weight(own, sources, folder, log, progress)
    if not is_main_process():
        return []
    log("measuring the test part")
    results = []
    for entry in drawn:
        figures = _measure(weight, entry.parts["test"], job, progress)
        sizes = {part: len(records) for part, records in entry.parts.items()}
        seen = count_met(entry.parts["test"], known.values()) if known else None
        results.append(SplitResult(number, seed, entry.database.name, sizes, _plain(figures), seen))
    content = {
        "weight_sha256": file_sha256(weight),
        "split_hash": hashes,
        "chosen_epoch": chosen_epoch(folder),
        "results": [asdict(result) for result in results],
    }
    write_text(folder / RESULT, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return results


def _draw(job: Job, database: Database, pool: Sequence[ImageRecord], seed: int, folder: Path) -> _Drawn:
    """Draw the parts, and write them down so that `--split-file` repeats the training of this split."""
    shares = job.run.drawn_shares
    parts = split(pool, shares, seed)
    names = {record.name for record in pool}
    rest = tuple(record for record in database.records if record.name not in names)
    written = {**parts, **({"unused": rest} if rest else {})}
    file = folder / f"{database.name}.split.json"
    write_split(file, database, written, seed, fractions=shares)
    return _Drawn(database, parts, file)


def _remarks(drawn: Sequence[_Drawn], known: Known) -> list[str]:
    """What is to be said of the pictures that a split measures on, a line each."""
    others = [r for entry in drawn for part in ("train", "calib") for r in entry.parts[part]]
    lines = []
    for entry in drawn:
        name, test = entry.database.name, entry.parts["test"]
        lines += tell_met(name, test, "to measure on", known)
        lines += tell_copies(name, test, "to measure on", others)
    return lines


def _measure(weight: Path, records: Sequence[ImageRecord], job: Job, progress: Progress | None) -> Figures:
    """The figures of a weight on pictures, as `iqa eval` measures them."""
    scorer = load(weight, device=str(job.machine.device))
    predictions = scorer.score_many((record.name, record.path) for record in records)
    scores: list[float] = []
    for record, prediction in zip(records, predictions, strict=True):
        if prediction.score is None:
            raise ImageError(f"{one_line(record.name)}: {prediction.error}")
        scores.append(prediction.score)
        if progress is not None:
            progress.update("measuring", len(scores), len(records))
    part = part_of("", "test", records)
    return measure(part, Column(weight.name, np.array(scores)), by=()).whole


def _plain(figures: Figures) -> dict[str, float | None]:
    names = ("srcc", "krcc", "plcc", "plcc_fitted", "rmse")
    return {name: getattr(figures, name) for name in names}


def _read_result(folder: Path, weight: Path, hashes: dict[str, str]) -> list[SplitResult] | None:
    """The results of a split that has ended, None where it has not, or its weight is not that any more."""
    if not weight.is_file():
        return None
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if content["split_hash"] != hashes or content["weight_sha256"] != file_sha256(weight):
            return None
        return [SplitResult(**values) for values in content["results"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(
    job: Job, databases: Sequence[Database], pools: Iterable[Sequence[ImageRecord]]
) -> dict[str, Any]:
    """What a run over splits is, for `config.json`; how many there are may grow."""
    lines = sorted(
        f"{d.name}\t{r.name}\t{r.group}\t{r.mos!r}"
        for d, pool in zip(databases, pools, strict=True)
        for r in pool
    )
    digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    settings = job.config.to_dict()
    del settings["network_config"]
    return {
        "settings": settings,
        "network": _network(job),
        "data": {"dataset": [d.name for d in databases], "pictures": digest, **job.run.drawn_shares},
        "starts": start_hashes(job),
    }


def _network(job: Job) -> dict[str, Any]:
    """All fields of the network's config."""
    fields: dict[str, Any] = config_class(job.config.network).from_dict(job.config.network_config).to_dict()
    return fields
