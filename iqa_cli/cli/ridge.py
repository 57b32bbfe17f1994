"""`iqa ridge`: a kernel ridge on frozen features beside the network of a finished weight."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iqa_cli.cli.completing import complete_packaged
from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import command_line, interruptible, limit_threads
from iqa_cli.cli.options import (
    DatabaseOption,
    Device,
    DeviceOption,
    OpinionRange,
    PrecisionName,
    Quiet,
    RootOption,
    Threads,
    WeightArgument,
)
from iqa_cli.cli.weight_target import InPlace, WeightOutput, WeightTarget
from iqa_cli.errors import UsageError
from iqa_cli.text import count, one_line, printable

if TYPE_CHECKING:
    from iqa_cli.datasets.record import Database, ImageRecord

_HELP = """\b
Give a finished weight a kernel ridge on frozen features beside its network.

\b
Examples:
  iqa ridge ./mine.safetensors --data biq2021 --root BIQ2021/ -o new.safetensors
  iqa ridge ./mine.safetensors --root BIQ2021/ --synthetic synth/ --in-place
  iqa ridge ./other.safetensors --root BIQ2021/ --trunk lite0 -o new.safetensors

\b
A score is then the network's and the ridge's in their shares. The ridge reads
features that never met an opinion: the maps of an MFE-Net's distortion branch,
or of a VCRNet or QFM-IQM those of a frozen EfficientNet-Lite (--trunk), which
adds 6 MiB to the file; with --reduce 2 it sees crops at half their side, which
takes a quarter of its time. It is fitted to the pictures of the part train, each
seen as scoring sees it. --synthetic adds a folder of iqa data synth: what the
ridge itself says of a photograph, times the pseudo-MOS, is what its distorted
copies should get; without it a ridge knows little of distortions that
photographs do not have. The part calib chooses the share by SRCC and
calibrates, as iqa calibrate does; where none is better than no ridge by more
than 0.001, nothing is written. A ridge that is there is replaced; a training
that starts from such a weight (iqa train --start) leaves it behind.

\b
All these pictures count as met in training. What was measured with the old
scores is left out of the card; iqa eval --record measures again. Without -o
and --in-place nothing is written. Of 7,000 pictures and 5,000 synthetic ones
an MFE-Net took 38 minutes of one core with --precision bf16, a QFM-IQM 11.

\b
Exit codes: 0 done, 2 wrong usage, 3 a picture cannot be read,
4 weight or data not available, 130 interrupted.
"""


def ridge(
    context: typer.Context,
    weight: WeightArgument,
    dataset: DatabaseOption = "biq2021",
    root: RootOption = None,
    split_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parts as iqa data split has written them.")
    ] = None,
    scale: OpinionRange = None,
    synthetic: Annotated[Path | None, typer.Option(metavar="DIR", help="A folder of iqa data synth.")] = None,
    synthetic_weight: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="Of its pictures beside the others.")
    ] = 0.1,
    trunk: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_packaged,
            help="lite0, lite1 or lite2, for a network without frozen maps.",
        ),
    ] = None,
    reduce: Annotated[
        int, typer.Option(min=1, max=4, help="The trunk sees crops at 1/REDUCE of their side.")
    ] = 1,
    landmarks: Annotated[int, typer.Option(min=1, max=16384, help="Crops that stand for all.")] = 2048,
    components: Annotated[int, typer.Option(min=1, max=384, help="Directions it is fitted in.")] = 48,
    share: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Of the ridge in a score; else chosen.")
    ] = None,
    precision: Annotated[
        PrecisionName, typer.Option(help="Of looking at what is fitted; auto is fp32.")
    ] = PrecisionName.auto,
    seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
    output: WeightOutput = None,
    in_place: InPlace = False,
    device: DeviceOption = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    from iqa_cli.cli.eval_seen import seen_of
    from iqa_cli.cli.run_progress import run_progress
    from iqa_cli.networks.kernel_ridge import RidgeConfig
    from iqa_cli.training.config import PACKAGED
    from iqa_cli.training.devices import dtype_of
    from iqa_cli.training.efficientnet import architecture_of
    from iqa_cli.training.sources import read_one_database
    from iqa_cli.weights import find_weights, read_card

    # Whatever can be wrong is found before minutes go into looking.
    path = find_weights(weight)
    card = read_card(path)
    target = WeightTarget(path, output, in_place)
    if share == 0:
        raise UsageError("--share 0 leaves nothing of a ridge", hint="without --share it is chosen")
    if trunk is not None and trunk not in PACKAGED:
        raise UsageError(f"--trunk: one of {', '.join(PACKAGED)}, not {one_line(trunk)!r}")
    if reduce > 1 and trunk is None:
        raise UsageError("--reduce is of a trunk (--trunk NAME)")
    database = read_one_database(dataset, root, scale, split_file)
    fit, choose = _parts(database)
    distorted, notes = _synthetic(synthetic)
    database.check_pictures([*fit, *choose])
    architecture = architecture_of(trunk) if trunk else ""
    shape = RidgeConfig(landmarks, components, 0.0 if share is None else share, architecture, reduce)
    seen = seen_of(path, card, env)

    from iqa_cli.training.changed import further_hashes, write_changed
    from iqa_cli.training.ridge import Plan, add_ridge

    limit_threads(threads)
    kind = "fp32" if precision is PrecisionName.auto else precision.value
    plan = Plan(shape, share is None, trunk, synthetic_weight, dtype_of(kind), seed)
    with interruptible(env, "interrupted; nothing was written"), run_progress(env) as progress:
        found = add_ridge(
            path,
            database,
            fit,
            choose,
            distorted,
            plan,
            seen=seen,
            notes=notes,
            command=command_line(context),
            device=device.value,
            log=progress.note,
            progress=partial(progress.update, "looking"),
        )
        further = []
        if target.path is not None and found.share > 0 and seen is not None:
            further = further_hashes(found.pictures, seen, partial(progress.update, "hashing"))
            further += [photo for photo in found.hashes if not seen.met(photo)]
    for tried, srcc in found.shares.items():
        typer.echo(f"share {tried}  SRCC {srcc:.4f}")
    if found.share == 0:
        env.note("no share is better than none by more than 0.001: nothing was written (--share S takes one)")
        return
    write = partial(write_changed, found.network, found.card, further, path, seen)
    target.write(write, "given a ridge")
    where = f"{database.name}, part {one_line(choose[0].split or 'all')}"
    typer.echo(
        f"{target.name_of(found.card)} on {where}: {count(len(choose), 'picture')}, share {found.share:g}, "
        f"SRCC {found.settled.srcc:.4f}"
    )
    target.tell(env, dropped=bool(card.results))


def _parts(database: Database) -> tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]]:
    """The pictures that are fitted, and those that choose and calibrate."""
    parts = {record.split for record in database.records}
    if not {"train", "calib"} <= parts:
        raise UsageError(
            f"{database.name} has no parts train and calib",
            hint="--split-file FILE: iqa data split NAME --parts train=0.9,calib=0.1 makes one",
        )
    return database.part("train"), database.part("calib")


def _synthetic(folder: Path | None) -> tuple[tuple[ImageRecord, ...], tuple[str, ...]]:
    """The part train of a synthetic database, or all of one without parts; and who has labelled it."""
    if folder is None:
        return (), ()
    from iqa_cli.card import UNRATED
    from iqa_cli.datasets.registry import read_database
    from iqa_cli.datasets.synth_folder import made_by

    database = read_database("csv", folder, (0.0, 1.0))
    records = database.part("train" if any(record.split for record in database.records) else "all")
    database.check_pictures(records)
    made = made_by(folder)
    if made is None:
        return records, ()
    note = f"csv: {UNRATED}; they and their opinions were made by"
    return records, (f"{note} {printable(made)}",)


ridge.__doc__ = _HELP
