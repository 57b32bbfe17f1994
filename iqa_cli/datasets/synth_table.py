"""The table of a synthetic database, its record, and what there is to say about it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iqa_cli.datasets.synth_check import LevelOrder, check_levels
from iqa_cli.datasets.synth_folder import LABELS, SynthFolder
from iqa_cli.datasets.synth_map import shipped_map
from iqa_cli.datasets.synth_sources import Source
from iqa_cli.datasets.synth_task import Settings
from iqa_cli.evaluation.full_reference import DECIMALS, METRICS

COLUMNS = ("image", "mos", "ref", "group", "distortion", "level", "split", *METRICS)
#: Of these, what there is of pictures that nothing has measured.
BARE_COLUMNS = tuple(name for name in COLUMNS if name not in ("mos", *METRICS))


@dataclass(frozen=True)
class Summary:
    """What a run has made.

    Attributes:
        pictures: Rows of the table, references included.
        photographs: Sources that are in it.
        skipped: Name of a source that could not be used -> why.
        splits: Part -> pictures; "" for none.
        mos_by_level: Level (0 for the references) -> lowest, mean and highest pseudo-MOS; empty where nothing
            was measured.
        order: Column ("mos" or a metric) -> type or "all" -> order of the levels.
    """

    pictures: int
    photographs: int
    skipped: dict[str, str]
    splits: dict[str, int]
    mos_by_level: dict[int, tuple[float, float, float]]
    order: dict[str, dict[str, LevelOrder]]


def finish(
    place: SynthFolder,
    sources: Sequence[Source],
    settings: Settings,
    entries: Mapping[tuple[str, str | None], dict[str, Any]],
    skipped: Mapping[str, str],
) -> Summary:
    """Write `labels.csv` and complete `synth.json`.

    Args:
        place: The folder.
        sources: Photographs of which everything is there.
        settings: What was made of each.
        entries: (key of the photograph, type or None) -> line of the journal.
        skipped: Name of a photograph that could not be used -> why.

    Raises:
        DatasetError: The disk is full, or the like.
    """
    rows = _rows(sources, settings, entries)
    place.write(LABELS, _table(rows, COLUMNS if settings.measured else BARE_COLUMNS))
    groups: dict[int, NDArray[np.float64]] = {}
    if settings.measured:
        levels, scores = np.array([row["level"] or 0 for row in rows]), np.array([row["mos"] for row in rows])
        groups = {int(level): scores[levels == level] for level in np.unique(levels)}
    summary = Summary(
        pictures=len(rows),
        photographs=len(sources),
        skipped=dict(skipped),
        splits=dict(Counter(row["split"] for row in rows)),
        mos_by_level={k: (float(v.min()), float(v.mean()), float(v.max())) for k, v in groups.items()},
        order=_order(rows) if settings.measured else {},
    )
    place.write_record(
        complete=not skipped,
        pictures=summary.pictures,
        photographs={
            source.key: {
                "name": source.name,
                "split": source.split,
                "sha256": entries[source.key, None]["sha256"],
            }
            for source in sources
        },
        skipped=summary.skipped,
        splits=summary.splits,
        level_order={
            column: {kind: entry.to_dict() for kind, entry in found.items()}
            for column, found in summary.order.items()
        },
    )
    return summary


def _rows(
    sources: Sequence[Source],
    settings: Settings,
    entries: Mapping[tuple[str, str | None], dict[str, Any]],
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for source in sources:
        reference = entries[source.key, None]["rows"][0]["image"]
        origin = {"ref": reference, "group": reference, "split": source.split}
        for kind in (None, *settings.types):
            rows += [
                {"image": row["image"], "distortion": kind, "level": row["level"], **origin, **row["metrics"]}
                for row in entries[source.key, kind]["rows"]
            ]
    if not settings.measured:
        return rows
    maps, _ = shipped_map()
    scores = maps({name: [row[name] for row in rows] for name in METRICS})
    return [{**row, "mos": score} for row, score in zip(rows, scores.tolist(), strict=True)]


def _order(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, LevelOrder]]:
    columns = {"mos": np.array([row["mos"] for row in rows])}
    for name, metric in METRICS.items():
        columns[name] = metric.sign * np.array([row[name] for row in rows])
    refs, kinds, levels = ([row[key] for row in rows] for key in ("ref", "distortion", "level"))
    return check_levels(refs, kinds, levels, columns)


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shown = {key: f"{value:.{DECIMALS}f}" for key, value in row.items() if key in METRICS}
        writer.writerow({**{k: "" if v is None else v for k, v in row.items()}, **shown})
    return stream.getvalue()
