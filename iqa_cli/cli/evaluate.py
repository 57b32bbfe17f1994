"""`iqa eval`: measure a weight against opinion scores."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.progress import Progress
from iqa_cli.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iqa_cli.datasets.record import ImageRecord


class ReportFormat(str, Enum):
    """How the figures are printed."""

    table = "table"
    json = "json"


def evaluate(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(metavar="NAME", help="biq2021 or csv.")] = "biq2021",
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Its folder; else $IQA_DATA/NAME.")] = None,
    split: Annotated[
        str, typer.Option(metavar="PART", help="The part to measure on; all for everything.")
    ] = "all",
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Weight: a name or a .safetensors file.")
    ] = "mfenet",
    report: Annotated[ReportFormat, typer.Option("--format", help="table or json.")] = ReportFormat.table,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    env: Environment = context.obj
    from iqa_cli.datasets.registry import read_database

    database = read_database(dataset, root)
    records = database.part(split)
    predictions = _score(env, records, model, device, threads)
    # Opinions on the scale of the scores, so that the error is in points.
    opinions = [100 * record.mos for record in records]
    rows = [_measure("all", predictions, opinions, records)]
    subsets = sorted({r.subset for r in records if r.subset})
    for subset in subsets if len(subsets) > 1 else []:
        kept = [i for i, r in enumerate(records) if r.subset == subset]
        parts = ([values[i] for i in kept] for values in (predictions, opinions, records))
        rows.append(_measure(subset, *parts))  # type: ignore[arg-type]
    head = {"model": model, "dataset": dataset, "split": split, "n_total": len(records)}
    if report is ReportFormat.json:
        text = json.dumps({**head, **rows[0], "subsets": rows[1:]}, indent=1, allow_nan=False) + "\n"
    else:
        text = _table(head, rows)
    env.stdout.write(text.encode())
    env.stdout.flush()


evaluate.__doc__ = """\b
Measure a weight against human opinion scores.

\b
Examples:
  iqa eval --dataset biq2021 --root ../shared/data/biq2021 --split val
  iqa eval --dataset csv --root my-photos/ --format json

\b
SRCC and KRCC are of the scores as iqa score prints them, PLCC of the same and
after the 4-parameter logistic fitted on this very part, RMSE after it, in
points. Signs are kept. The 95 % interval of the SRCC resamples groups of
near-duplicates, not pictures. A picture that cannot be scored ends the run:
figures on fewer pictures would flatter.
"""


def _score(
    env: Environment, records: Sequence[ImageRecord], model: str, device: str, threads: int | None
) -> list[float]:
    from iqa_cli.scoring.scorer import load

    scorer = load(model, device=device, threads=threads)
    progress = Progress(env, len(records))
    progress.begin()
    scores = []
    try:
        for prediction in scorer.score_many((r.name, r.path) for r in records):
            if prediction.score is None:
                raise ImageError(
                    f"{prediction.path}: {prediction.error}", hint="every picture of the part is needed"
                )
            scores.append(prediction.score)
            progress.advance()
            progress.show()
    finally:
        progress.erase()
    return scores


def _measure(
    name: str, predictions: Sequence[float], opinions: Sequence[float], records: Sequence[ImageRecord]
) -> dict[str, Any]:
    from iqa_cli.evaluation.correlation import agreement, srcc_interval

    try:
        found = agreement(predictions, opinions)
        interval = srcc_interval(predictions, opinions, [r.group for r in records])
    except ValueError as error:
        raise DatasetError(f"{name}: {error}") from None
    values = asdict(found)
    return {"subset": name, "n_used": values.pop("n"), **values, "srcc_ci": list(interval)}


def _table(head: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Fixed columns that read well on a terminal and in a pipe."""
    lines = [f"{head['model']} on {head['dataset']}, part {head['split']}"]
    lines.append(
        f"{'':8} {'n':>6} {'SRCC':>7} {'95 % interval':>16} {'KRCC':>7} {'PLCC':>7} {'fitted':>7} {'RMSE':>6}"
    )
    for row in rows:
        low, high = row["srcc_ci"]
        fitted = "-" if row["plcc_fitted"] is None else f"{row['plcc_fitted']:.4f}"
        error = "-" if row["rmse"] is None else f"{row['rmse']:.2f}"
        lines.append(
            f"{row['subset']:8} {row['n_used']:6} {row['srcc']:7.4f} {f'{low:.3f} to {high:.3f}':>16}"
            f" {row['krcc']:7.4f} {row['plcc']:7.4f} {fitted:>7} {error:>6}"
        )
    return "\n".join(lines) + "\n"
