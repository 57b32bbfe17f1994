"""`iqa eval --stability`: how much scores move under changes that leave the quality of a picture as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_columns import aligned, csv_text, markdown, number, page
from iqa_cli.cli.eval_folder import Scored, find, tell_left_out
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.output import Output
from iqa_cli.cli.progress import counted
from iqa_cli.text import count, one_line, printable

if TYPE_CHECKING:
    from iqa_cli.exploring import Other
    from iqa_cli.varying import Stability

_HEADER = ("", "n", "mean", "95 %", "max", "bias", "worst")
_PLACES = 3
#: What stands for a change in a table.
_TITLES = {
    "flip": "mirrored left to right",
    "shift": "moved by one pixel",
    "reencode": "written again as PNG",
    "crop": "2 % cut off",
    "batch-1": "batches of one crop",
    "bf16": "bfloat16 for float32",
    "fp16": "float16 for float32",
}


def stability(
    env: Environment,
    folder: Path,
    *,
    models: Sequence[str],
    others: Mapping[str, Other] | None = None,
    part: str | None = None,
    limit: int | None = None,
    allow_missing: bool = False,
    form: str = "table",
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Change, score, compare, print.

    Args:
        env: The world.
        folder: Pictures of any kind, sub-folders included.
        models: Weights; may be empty where there are `others`.
        others: Further scorers by name; see `iqa_cli.exploring.Other`. They move in units of their own.
        part: Only the pictures of this part of `sources.csv`.
        limit: At most so many of them, spread evenly over the folder.
        allow_missing: Leave out pictures of which not every variant can be scored.
        form: "table", "json", "csv" or "markdown".
        device, threads: As of `iqa_cli.load`.

    Raises:
        IqaError: Wrong usage, no pictures, a picture or weight that cannot be used; one line.
    """
    scored = find(folder, models, others, part=part, limit=limit)
    from iqa_cli.varying import rounds, score_variants

    with computing(env), counted(env, rounds(scored.sources)) as advance:
        found = score_variants(
            scored.sources,
            scored.paths,
            scored.others,
            device=device,
            threads=threads,
            allow_missing=allow_missing,
            advance=advance,
        )
    tell_left_out(found.failures, env)
    show = {"table": _table, "markdown": _markdown, "csv": _csv, "json": _json}[form]
    Output(env, None).write(show(scored, found))


def _title(scored: Scored, found: Stability) -> str:
    left_out = f", {len(found.failures):,} left out" if found.failures else ""
    return f"{scored.title}: {count(found.pictures, 'picture')}{left_out}; points that scores move by"


def _cells(found: Stability) -> list[tuple[str, ...]]:
    cells: list[tuple[str, ...]] = [_HEADER]
    for name, movements in found.movements.items():
        cells.append((printable(name), *("" for _ in _HEADER[1:])))
        for moved in movements:
            figures = (moved.mean, moved.p95, moved.max, moved.bias)
            cells.append(
                (
                    f"  {_TITLES[moved.change]}",
                    f"{moved.n_used:,}",
                    *(number(figure, _PLACES) for figure in figures),
                    one_line(moved.worst) if moved.worst and moved.max and round(moved.max, _PLACES) else "-",
                )
            )
    return cells


def _table(scored: Scored, found: Stability) -> bytes:
    # The name of a picture, which may be long, ends a line and is aligned with nothing.
    cells = _cells(found)
    lines = aligned([row[:-1] for row in cells])
    return page(
        _title(scored, found), [f"{line}  {row[-1]}".rstrip() for line, row in zip(lines, cells, strict=True)]
    )


def _markdown(scored: Scored, found: Stability) -> bytes:
    return page(_title(scored, found), ["", *markdown(_cells(found))])


def _csv(scored: Scored, found: Stability) -> bytes:
    keys = ("model", "change", "n_used", "n_total", "mean", "p95", "max", "bias", "worst")
    rows = [
        [name, *asdict(moved).values()] for name, movements in found.movements.items() for moved in movements
    ]
    return csv_text(keys, rows).encode("utf-8", "surrogateescape")


def _json(scored: Scored, found: Stability) -> bytes:
    document = {
        "stability": str(scored.folder),
        "part": scored.part,
        "pictures": found.pictures,
        "left_out": found.failures,
        "models": [
            {"model": name, "changes": [asdict(moved) for moved in movements]}
            for name, movements in found.movements.items()
        ],
    }
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
