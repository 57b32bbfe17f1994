"""`iqa eval`: measure a weight against opinion scores."""

from __future__ import annotations

import shlex
import warnings
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.interrupt import second_interrupt_exits
from iqa_cli.cli.output import Output
from iqa_cli.cli.progress import Progress
from iqa_cli.cli.score import Device
from iqa_cli.cli.text import count
from iqa_cli.errors import DatasetError, ImageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iqa_cli.datasets.record import Database, ImageRecord
    from iqa_cli.evaluation.part import Column
    from iqa_cli.scoring.scorer import Scorer
    from iqa_cli.seen import Seen

_HELP = """\b
Measure a weight against human opinion scores.

\b
Examples:
  iqa eval --dataset biq2021 --root BIQ2021/
  iqa eval --dataset csv --root my-photos/ --range 1 5 --format json
  iqa eval --root BIQ2021/ --split val --model ./mine.safetensors --record

\b
SRCC and KRCC are of the scores as iqa score prints them, PLCC of the same
and after the 4-parameter logistic fitted on this very part, RMSE after it,
in points. Signs are kept. The 95 % interval of the SRCC resamples groups of
near-duplicates, not pictures. A picture that is missing or cannot be scored
ends the run: figures on fewer pictures would flatter. A subset of which no
correlation is defined is a row of '-' (null in JSON).

\b
Without --split the part val is measured, else test, else all pictures.
The column seen counts pictures that the weight was trained on, by the hash
of their pixels and whatever their names; '-' where the weight keeps none.

\b
A csv database is a folder with labels.csv: columns image and mos (or dmos,
lower is better), optional ref, group, distortion, level, split, subset.

\b
Exit codes: 0 measured, 2 wrong usage, 3 a picture cannot be scored,
4 weight or data not available, 130 interrupted.
"""


class ReportFormat(str, Enum):
    """How the figures are printed."""

    table = "table"
    json = "json"


def evaluate(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Option("--dataset", "--data", metavar="NAME", help="Database: iqa data list.")
    ] = "biq2021",
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Its folder; else that of the config file, or $IQA_DATA/NAME."),
    ] = None,
    split_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parts as iqa data split has written them.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="PART", help="Part to measure on; all for everything. Default: see above."),
    ] = None,
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--range", metavar="LOW HIGH", help="Scale of the scores of a csv; else their extremes."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Weight: a name or a .safetensors file.")
    ] = "mfenet",
    record: Annotated[
        bool, typer.Option("--record", help="Write the figures into the weight's card.")
    ] = False,
    report: Annotated[ReportFormat, typer.Option("--format", help="table or json.")] = ReportFormat.table,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.auto,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    exploration: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="D-, L- and P-test over undistorted photographs, no opinions needed."
        ),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Distortions of --exploration: names or all. Default: 4."),
    ] = None,
    stability: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="How far scores move under changes that nobody sees."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most N pictures of --exploration or --stability."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on stderr.")] = False,
) -> None:
    env = context.obj if isinstance(context.obj, Environment) else Environment.of_process()
    env.quiet |= quiet
    if exploration is not None and stability is not None:
        raise UsageError("--exploration and --stability exclude each other")
    computing: dict[str, Any] = {"form": report.value, "device": device.value, "threads": threads}
    if exploration is not None:
        from iqa_cli.cli.eval_exploration import explore

        return explore(env, exploration, models=[model], types=types, limit=limit, **computing)
    if stability is not None:
        from iqa_cli.cli.eval_stability import stability as measure_stability

        return measure_stability(env, stability, models=[model], limit=limit, **computing)
    from iqa_cli.cli.eval_record import prepare, record_result
    from iqa_cli.cli.eval_report import as_json, as_table
    from iqa_cli.cli.eval_seen import seen_of, tell
    from iqa_cli.datasets.registry import read_database
    from iqa_cli.weights import find_weights, read_card

    # Whatever can be wrong is found before minutes go into scoring, and before torch is imported.
    path = find_weights(model)
    card = read_card(path)
    database = read_database(dataset, root, scale)
    if split_file is not None:
        from iqa_cli.datasets.splitfile import read_split

        database = read_split(split_file, database)
    part = split or database.measuring_part()
    records = database.part(part)
    _check(database, records, part)
    place = prepare(path, _command(dataset, root, split_file, part, scale, model, device)) if record else None
    seen = seen_of(path, card, env)
    if scale is None and dataset == "csv":
        env.note(
            f"the scale of the opinions is taken to be {database.low:g} to {database.high:g}, "
            "their extremes; the RMSE depends on it, and --range sets it"
        )

    from iqa_cli.evaluation.measure import measure
    from iqa_cli.evaluation.part import part_of
    from iqa_cli.scoring.scorer import load

    with second_interrupt_exits(), warnings.catch_warnings():
        if not env.debug:
            warnings.simplefilter("ignore")
        scorer = load(path, device=device.value, threads=threads)
        opinions = part_of(dataset, part, records)
        measured = measure(opinions, _score(env, scorer, records, seen), by=("subset",))
        whole, subsets = measured.whole, measured.rows.get("subset", [])
    head = {"model": model, "dataset": dataset, "split": part, "split_hash": opinions.split_hash}
    shown = as_json if report is ReportFormat.json else as_table
    try:
        Output(env, None).write(shown(head, whole, subsets).encode())
        tell(whole, subsets, env)
    finally:
        # Also when the reader of stdout has gone: the figures were asked to be kept.
        if place is not None:
            record_result(place, head, whole, subsets, env)


def _check(database: Database, records: Sequence[ImageRecord], part: str) -> None:
    """Whether figures can come out at all, and every picture is there."""
    if len(records) < 3 or len({record.mos for record in records}) < 2:
        what = "of which all have one opinion" if len(records) > 2 else "a correlation needs at least 3"
        raise DatasetError(f"{database.name}, part {part}: {count(len(records), 'picture')}, {what}")
    database.check_pictures(records)


def _score(env: Environment, scorer: Scorer, records: Sequence[ImageRecord], seen: Seen | None) -> Column:
    """Score and hash the pictures, in the order of the records."""
    import numpy as np

    from iqa_cli.evaluation.part import Column
    from iqa_cli.seen import hash_file

    progress = Progress(env, len(records))
    progress.begin()
    scores: list[float] = []
    met: list[bool] = []
    near: list[bool] = []
    predictions = scorer.score_many((record.name, record.path) for record in records)
    try:
        for record, prediction in zip(records, predictions, strict=True):
            if prediction.score is None:
                raise _refused(record, prediction.error)
            if seen is not None:
                # A second decoding, one picture at a time: training hashed the whole of it at full size.
                try:
                    found = hash_file(record.path)
                except ImageError as error:
                    raise _refused(record, error.message) from None
                met.append(seen.met(found))
                near.append(not met[-1] and seen.near(found))
            scores.append(prediction.score)
            progress.advance()
            progress.show()
    except KeyboardInterrupt:
        progress.erase()
        env.note(
            f"interrupted; {len(scores):,} of {count(len(records), 'picture')} scored, nothing is measured"
        )
        raise
    finally:
        progress.erase()
    flags = (None, None) if seen is None else (np.array(met), np.array(near))
    return Column("model", np.array(scores), "weight", *flags)


def _refused(record: ImageRecord, reason: str | None) -> ImageError:
    return ImageError(f"{record.name}: {reason}", hint="every picture of the part is needed")


def _command(
    dataset: str,
    root: Path | None,
    split_file: Path | None,
    part: str,
    scale: tuple[float, float] | None,
    model: str,
    device: Device,
) -> str:
    """What gives the same figures again, the part named also where it was the default."""
    words = ["iqa", "eval", "--dataset", dataset]
    words += [] if root is None else ["--root", str(root)]
    words += [] if split_file is None else ["--split-file", str(split_file)]
    words += ["--split", part]
    words += [] if scale is None else ["--range", *(f"{bound:.15g}" for bound in scale)]
    words += ["--model", model]
    words += [] if device is Device.auto else ["--device", device.value]
    return shlex.join(words)


evaluate.__doc__ = _HELP
