"""One training from its starts to the finished weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.finding import find_weights
from iqa_cli.networks.registry import build
from iqa_cli.training.beginning import beginning
from iqa_cli.training.checkpoint import claim_folder, write_text
from iqa_cli.training.configfile import config_text
from iqa_cli.training.crops import check_pictures
from iqa_cli.training.description import check_enough, describe_run
from iqa_cli.training.devices import Machine
from iqa_cli.training.finish import finish
from iqa_cli.training.job import Job
from iqa_cli.training.launch import is_main_process, process_count
from iqa_cli.training.loop import LATER, train
from iqa_cli.training.met import remarks_on_choice
from iqa_cli.training.mixture import Part
from iqa_cli.training.parts import Source
from iqa_cli.training.provenance import licence
from iqa_cli.training.runlog import Log, Progress
from iqa_cli.training.soft import SCALE, read_soft
from iqa_cli.training.starts import file_sha256
from iqa_cli.training.teacher import read_lesson, taught_part
from iqa_cli.training.warmstart import load_warm_starts, told_once

#: The resolved options and settings of a run, in its folder; `iqa train --config` takes them.
CONFIG_NAME = "config.toml"


def train_weight(
    job: Job, sources: Sequence[Source], folder: Path, log: Log, progress: Progress | None = None
) -> Path:
    """Train a network, or resume the run in `folder`, and write its weight there.

    Args:
        job: What is wanted.
        sources: Databases and their parts; the first gives the scale of the scores.
        folder: Of the run.
        log: Takes a line now and then.
        progress: Told how far it is.

    Returns:
        The weight's file; of several processes of `accelerate launch`, the main one writes it.

    Raises:
        IqaError: Of the kind that `iqa_cli.training.loop.train` says; or a start cannot be used.
        KeyboardInterrupt: After the checkpoint has been saved.
    """
    for source in sources:
        check_pictures([r.path for r in source.fit], f"{source.database.name}, the part to fit")
        check_pictures([r.path for r in source.choose], f"{source.database.name}, the part to choose on")
    run, config = job.run, job.config
    torch.manual_seed(config.seed)
    network: Any = build(config.network, config.network_config)
    starts = beginning(config.network)
    warm = load_warm_starts(network, run.start, starts.replaced(run))
    anchor, *others = sources
    fit: Sequence[ImageRecord] = anchor.fit
    further = [Part(other.database.name, other.kind, other.fit, other.choose) for other in others]
    parts = [(source.fit, source.choose) for source in sources]
    before = [*warm, *starts.handed_on(run)]
    points = [*(known.point for known in before), *starts.load(run, network, parts, job.seen)]
    lesson = None
    if run.unlabelled is not None:
        lesson = read_lesson(run.teacher, Path(run.unlabelled))
        before += lesson.teachers
        points += [teacher.point for teacher in lesson.teachers]
        further.append(lesson.part)
    if run.soft is not None:
        names = [record.name for record in anchor.database.records]
        soft = read_soft(
            Path(run.soft), run.soft_range or SCALE, config.soft_share, anchor.database.name, fit, names
        )
        fit = soft.records
        points.append(soft.point)
        log(soft.line)
    dry = [f"stopped early, after {job.max_steps} steps at the latest (--max-steps)"] if job.max_steps else []
    notes = [*dry, *job.notes]
    for point in points:
        if "not_hashed" in point:
            notes.append(f"start of {point['branch']}: {point['not_hashed']}")
            log(notes[-1])
    origin = {"dataset": anchor.database.name, "starts": start_hashes(job)}
    # Before the folder is claimed: with other options the same command may follow.
    check_enough(config, fit, anchor.choose)
    if is_main_process():
        # The loop claims the folder for itself too; what a run was asked to do is to be read from its start.
        record = describe_run(config, network, fit, anchor.choose, origin, further)
        claim_folder(folder, record, log, LATER)
        write_text(folder / CONFIG_NAME, config_text(run, config, network.config.to_dict()))
        for line in remarks_on_choice(run, sources):
            notes.append(line)
            log(line)
    if lesson is not None:
        further[-1] = taught_part(lesson, job.lessons or folder, job.machine, log, progress)
    state = train(
        config,
        network,
        fit,
        anchor.choose,
        job.policy,
        folder,
        log,
        job.max_steps,
        origin,
        further=further,
        machine=job.machine,
        progress=progress,
        tensorboard=job.tensorboard,
    )
    path = folder / f"{job.name}.safetensors"
    if not is_main_process():
        return path
    pristine = {path for paths in job.seen.values() for path in paths}
    unlabelled = lesson.pictures if lesson else []
    facts = {
        "command": job.command,
        "preset": run.preset,
        "device": device_text(job.machine),
        "starting_points": told_once(points),
        "licence": licence(
            [source.database.name for source in sources], points, sorted(pristine), len(unlabelled)
        ),
        "notes": notes,
        "training": [lesson.entry] if lesson else [],
    }
    hashes = [pair for known in before for pair in known.hashes]
    pictures = sorted({*pristine, *unlabelled})
    # What the mean of several weights says is on the scale of none of them.
    own = warm[0].calibration if len(warm) == 1 else None
    finish(config, network, state, sources, job.policy, path, facts, pictures, hashes, log, own)
    return path


def device_text(machine: Machine) -> str:
    """Where a run computes, for its card: "cpu, 2 threads", "NVIDIA H200, 4 processes"."""
    if machine.device.type == "cuda":
        name, each = torch.cuda.get_device_name(machine.device), ""
    else:
        threads = torch.get_num_threads()
        name, each = machine.device.type, f", {threads} thread{'s' if threads > 1 else ''}"
    processes = process_count()
    return f"{name}{each}" + (f", {processes} processes" if processes > 1 else "")


def start_hashes(job: Job) -> dict[str, str | None]:
    """Option -> SHA-256 of the file that it names, or None; of several, in an order of its own."""
    run = job.run
    soft = None
    if run.soft is not None:
        low, high = run.soft_range or SCALE
        soft = f"{file_sha256(Path(run.soft))}, {low:g} to {high:g}"
    return {
        **beginning(job.config.network).identities(run),
        "--start": _hashes(run.start),
        "--teacher": _hashes(run.teacher),
        "--soft": soft,
    }


def _hashes(names: Sequence[str]) -> str | None:
    return " ".join(sorted(file_sha256(find_weights(name)) for name in names)) or None
