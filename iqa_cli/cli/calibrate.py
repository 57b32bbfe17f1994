"""`iqa calibrate`: what the scores of a finished weight mean, fitted to labelled pictures anew."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.long_run import command_line, interruptible, limit_threads, pairs
from iqa_cli.cli.options import (
    DatabaseOption,
    Device,
    DeviceOption,
    OpinionRange,
    Quiet,
    RootOption,
    TextFormat,
    Threads,
    WeightArgument,
)
from iqa_cli.cli.weight_target import InPlace, WeightOutput, WeightTarget
from iqa_cli.errors import UsageError
from iqa_cli.text import count, one_line

if TYPE_CHECKING:
    from iqa_cli.card import Card
    from iqa_cli.datasets.record import Database
    from iqa_cli.images.policy import SizePolicy
    from iqa_cli.training.recalibrate import Recalibrated

_HELP = """\b
Fit what the scores of a weight mean to labelled pictures.

\b
Examples:
  iqa calibrate mfenet --data biq2021 --root BIQ2021/
  iqa calibrate mfenet --root BIQ2021/ --interval-only -o weights/mine.safetensors
  iqa calibrate ./mine.safetensors --data csv --root my-photos/ --range 1 5 \\
    --in-place
  iqa calibrate ./old.safetensors --root BIQ2021/ --policy centre_sigma=0.45 \\
    -o new.safetensors

\b
Fitted are the share of the glance at the whole, the calibration map from
outputs to points (a logistic or, where it is better on left-out folds of
groups, an isotonic one), and the interval of a score: low and high of iqa
score, between which the opinion of 90 % of pictures like these lies. The
network stays as it is. --interval-only leaves share and map, and with them
every score, as they are. --policy first changes what is looked at: a field of
the size policy (input in iqa models show NAME --format json).

\b
Take pictures that the weight was not fitted to: without --split the part
calib, and all pictures of a database without parts. They count as met in
training from then on. With opinions of another database the scale of the
scores becomes that of its opinions. An interval needs pictures in 20 groups,
a curve 50 pictures.

\b
Without -o and --in-place nothing is written. What was measured with the old
scores is left out of the card; iqa eval --record measures again.

\b
Exit codes: 0 done, 2 wrong usage, 3 a picture cannot be read,
4 weight or data not available, 130 interrupted.
"""


def calibrate(
    context: typer.Context,
    weight: WeightArgument,
    dataset: DatabaseOption = "biq2021",
    root: RootOption = None,
    split: Annotated[
        str | None, typer.Option(metavar="PART", help="Part of it; see above for the default.")
    ] = None,
    split_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parts as iqa data split has written them.")
    ] = None,
    scale: OpinionRange = None,
    interval_only: Annotated[
        bool, typer.Option("--interval-only", help="Fit the interval alone; no score changes.")
    ] = False,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="KEY=VALUE", help="Look otherwise: a field of the size policy."),
    ] = None,
    output: WeightOutput = None,
    in_place: InPlace = False,
    form: Annotated[
        TextFormat, typer.Option("--format", help="Lines for a reader, or JSON.")
    ] = TextFormat.text,
    device: DeviceOption = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    from iqa_cli.cli.eval_seen import seen_of
    from iqa_cli.cli.run_progress import run_progress
    from iqa_cli.training.sources import read_one_database
    from iqa_cli.weights import find_weights, read_card

    # Whatever can be wrong is found before minutes go into scoring.
    path = find_weights(weight)
    card = read_card(path)
    target = WeightTarget(path, output, in_place)
    look = _policy(card, pairs(policy, "--policy"))
    if policy and interval_only:
        raise UsageError("--interval-only changes no score, --policy all of them: give one of the two")
    database = read_one_database(dataset, root, scale, split_file)
    part = split or _usual_part(database)
    records = database.part(part)
    database.check_pictures(records)
    if interval_only:
        _check_scale(card, database)
    seen = seen_of(path, card, env)

    from iqa_cli.training.recalibrate import recalibrate, write_recalibrated

    limit_threads(threads)
    with interruptible(env, "interrupted; nothing was written"), run_progress(env) as progress:
        found = recalibrate(
            path,
            database,
            part,
            records,
            seen,
            command=command_line(context),
            policy=look,
            interval_only=interval_only,
            device=device.value,
            log=progress.note,
            progress=partial(progress.update, "looking"),
        )
    target.write(partial(write_recalibrated, found, seen), "calibrated")
    _print(env, found, card, target, form)


def _policy(card: Card, changes: dict[str, Any]) -> SizePolicy:
    """The size policy of a card with some of its fields changed."""
    from iqa_cli.images.policy import SizePolicy

    try:
        return SizePolicy.from_dict({**card.policy().to_dict(), **changes})
    except (TypeError, ValueError) as error:
        raise UsageError(f"--policy: {one_line(str(error))}") from None


def _usual_part(database: Database) -> str:
    """Never one that figures are reported on, and never one that is fitted."""
    parts = {record.split for record in database.records if record.split}
    if "calib" in parts or not parts:
        return "calib" if parts else "all"
    raise UsageError(
        f"{database.name} has no part calib",
        hint=f"--split PART, one that the weight was not fitted to, of {', '.join(sorted(parts))}",
    )


def _check_scale(card: Card, database: Database) -> None:
    from iqa_cli.training.settle import scale_of

    if card.output["scale"] != scale_of(database.name):
        raise UsageError(
            f"--interval-only: the scores of {one_line(card.name)} are '{one_line(card.output['scale'])}', "
            f"and the opinions of {database.name} on another scale",
            hint="without it the scores are brought to that scale",
        )


def _print(
    env: Environment, found: Recalibrated, before: Card, target: WeightTarget, form: TextFormat
) -> None:
    from iqa_cli.cli.data_print import print_json, print_lines

    facts = _facts(found, target.path)
    if form is TextFormat.json:
        print_json(env, facts)
    else:
        print_lines(env, list(_lines(facts)))
    for remark in found.remarks[len(found.settled.remarks) :]:
        env.note(remark)
    target.tell(env, dropped=len(found.card.results) < len(before.results))


def _facts(found: Recalibrated, target: Path | None) -> dict[str, Any]:
    entry, output = found.card.training[-1], found.card.output
    return {
        "weight": found.card.name,
        "dataset": entry["dataset"],
        "split": entry["part"],
        "split_hash": entry["split_hash"],
        "images": entry["images"],
        "native_weight": found.settled.policy.native_weight,
        "glance_weight": found.settled.policy.glance_weight,
        "calibration": output["calibration"],
        "interval": output.get("interval"),
        **found.settled.figures(),
        "file": None if target is None else str(target),
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    where = f"{facts['dataset']}, part {one_line(facts['split'])}"
    yield f"{facts['weight']} on {where}: {count(facts['images'], 'picture')}, SRCC {facts['srcc']:.4f}"
    yield f"shares       native crops {facts['native_weight']:g}, glance {facts['glance_weight']:g}"
    rmse = facts.get("calibration_rmse", {})
    compared = ", ".join(f"{name} {value:.2f}" for name, value in rmse.items())
    behind = f"; RMSE on left-out folds: {compared}" if compared else ""
    yield f"calibration  {facts['calibration']['kind']}{behind}"
    interval = facts["interval"]
    if interval is not None:
        measured = interval["cross_validated"]
        yield (
            f"interval     {100 * interval['coverage']:g} %, by {count(interval['groups'], 'group')}; "
            f"left-out folds: {100 * measured['coverage']:.1f} % inside, {measured['width']:.1f} points wide"
        )


calibrate.__doc__ = _HELP
