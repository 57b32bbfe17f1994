"""`iqa eval --exploration`: the D-, L- and P-test over a folder of undistorted photographs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.context import Environment
from iqa_cli.cli.eval_columns import aligned, csv_text, interval, markdown, number, page
from iqa_cli.cli.eval_folder import Scored, find, tell_left_out
from iqa_cli.cli.eval_seen import seen_of
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.output import Output
from iqa_cli.cli.progress import counted
from iqa_cli.errors import UsageError
from iqa_cli.text import count, printable

if TYPE_CHECKING:
    from iqa_cli.evaluation.exploration import Explored
    from iqa_cli.exploring import Design, Exploration, Other
    from iqa_cli.seen import Seen

_HEADER = ("", "n", "D", "95 % interval", "L", "95 % interval", "KRCC", "P", "95 % interval", "seen")
_FIGURES = ("d", "l_srcc", "l_krcc", "p")
_NAMES = {"d": "D", "l_srcc": "L", "p": "P"}
_ALPHA = 0.05
_ALL = "all"


def explore(
    env: Environment,
    folder: Path,
    *,
    models: Sequence[str],
    others: Mapping[str, Other] | None = None,
    types: str | None = None,
    part: str | None = None,
    limit: int | None = None,
    size: int = 384,
    seed: int = 0,
    allow_missing: bool = False,
    form: str = "table",
    device: str = "auto",
    threads: int | None = None,
) -> None:
    """Distort, score, test, print.

    Args:
        env: The world.
        folder: Photographs, as `iqa data synth --from` takes them.
        models: Weights; may be empty where there are `others`.
        others: Further scorers by name; see `iqa_cli.exploring.Other`.
        types: Distortions as "jpeg,webp", "all" for all 27, None for the four of the paper.
        part: Only the photographs of this part of `sources.csv`.
        limit: At most so many of them, spread evenly over the folder.
        size: Side of the pictures; 0 for the photographs' own size.
        seed: Of everything random.
        allow_missing: Leave out photographs that cannot be scored.
        form: "table", "json", "csv" or "markdown".
        device, threads: As of `iqa_cli.load`.

    Raises:
        IqaError: Wrong usage, no photographs, a photograph or weight that cannot be used; one line.
    """
    scored = find(folder, models, others, part=part, limit=limit)
    sources = scored.sources
    seen = {card.name: seen_of(path, card, env) for path, card in scored.weights}
    from iqa_cli.evaluation.exploration import explore as tests
    from iqa_cli.evaluation.full_reference import MIN_SIDE
    from iqa_cli.exploring import Design, score_ladders

    if 0 < size < MIN_SIDE:
        raise UsageError(f"a side of {size} pixels is too small to be distorted", hint=f"from {MIN_SIDE}")
    design = Design(_types(types), size=size, seed=seed)
    env.note(
        f"{count(len(sources), 'photograph')}, {count(len(design.types), 'type')} of distortion at "
        f"{count(len(design.levels), 'level')}: {count(len(sources) * design.pictures, 'picture')}"
    )
    with computing(env):
        group = None
        if scored.weights:
            from iqa_cli.scoring.scorer import load_many

            group = load_many(scored.paths, device=device, threads=threads)
        with counted(env, len(sources) * design.pictures) as advance:
            explored = score_ladders(
                sources, design, group, scored.others, allow_missing=allow_missing, advance=advance
            )
        met = _met(explored, seen)
        figures = {name: tests(ladders) for name, ladders in explored.ladders.items()}
    tell_left_out(explored.failures, env)
    show = {"table": _table, "markdown": _markdown, "csv": _csv, "json": _json}[form]
    Output(env, None).write(show(scored, design, figures, met, explored))


def _types(text: str | None) -> tuple[str, ...]:
    from iqa_cli.cli.data_synth import parse_types
    from iqa_cli.exploring import PAPER_TYPES
    from iqa_cli.images.distortions import DISTORTIONS, TYPES

    return TYPES if text == _ALL else parse_types(text, tuple(DISTORTIONS), PAPER_TYPES)


_Figures = Mapping[str, "tuple[Explored, list[Explored]]"]
_Met = Mapping[str, "tuple[int | None, int | None]"]


def _met(explored: Exploration, seen: Mapping[str, Seen | None]) -> _Met:
    """Scorer -> how many photographs it has met in training, and how many more resemble one."""
    from iqa_cli.seen import hash_file

    known = {name: hashes for name, hashes in seen.items() if hashes is not None}
    hashes = [hash_file(source.path) for source in explored.sources] if known else []
    met: dict[str, tuple[int | None, int | None]] = {}
    for name in explored.ladders:
        if name not in seen:  # what has not been trained here has met nothing that is known
            met[name] = (None, None)
        elif name in known:
            exact = [known[name].met(found) for found in hashes]
            near = [known[name].near(found) for found in hashes]
            met[name] = (sum(exact), sum(b and not a for a, b in zip(exact, near, strict=True)))
        else:
            met[name] = (None, None)
    return met


def _title(scored: Scored, design: Design, explored: Exploration) -> str:
    side = f"{design.size} pixels a side" if design.size else "full size"
    return (
        f"{scored.title}: {count(len(explored.sources), 'photograph')}, "
        f"{count(len(design.types), 'type')} at {count(len(design.levels), 'level')}, {side}, "
        f"seed {design.seed}"
    )


def _cells(figures: _Figures, met: _Met) -> list[tuple[str, ...]]:
    cells: list[tuple[str, ...]] = [_HEADER]
    for name, (whole, by_type) in figures.items():
        for row in (whole, *by_type):
            exact = met[name][0]
            cells.append(
                (
                    printable(name) if row is whole else f"  {row.row}",
                    f"{row.n_pictures:,}",
                    number(row.d, 3),
                    interval(row.d_ci, 3),
                    number(row.l_srcc, 3),
                    interval(row.l_srcc_ci, 3),
                    number(row.l_krcc, 3),
                    number(row.p, 3),
                    interval(row.p_ci, 3),
                    "-" if exact is None or row is not whole else str(exact),
                )
            )
    return cells


def _notes(figures: _Figures, met: _Met, explored: Exploration) -> list[str]:
    """What must stand beside the figures wherever they are shown."""
    total = len(explored.sources)
    from iqa_cli.evaluation.exploration import differences

    lines = []
    for name in figures:
        exact, near = met[name]
        if exact or near:
            also = f", {near:,} more resemble one that was" if near else ""
            lines.append(
                f"{name}: {exact or 0:,} of {total:,} photographs were met in training{also}: "
                "these figures flatter"
            )
    made = differences({name: row for name, (row, _) in figures.items()})
    for entry in made:
        if entry.p_holm < _ALPHA:
            better, worse = entry.first, entry.second
            size, bounds = entry.difference, entry.interval
            if size < 0:
                better, worse, size, bounds = worse, better, -size, (-bounds[1], -bounds[0])
            lines.append(
                f"{_NAMES[entry.figure]}: {better} is better than {worse} by {number(size, 3)} "
                f"({interval(bounds, 3)}), p {entry.p_holm:.2g} after Holm"
            )
    if made and not any(entry.p_holm < _ALPHA for entry in made):
        lines.append("no difference between them is significant")
    if explored.failures:
        lines.append(f"{count(len(explored.failures), 'photograph')} left out")
    return lines


def _table(scored: Scored, design: Design, figures: _Figures, met: _Met, explored: Exploration) -> bytes:
    title = _title(scored, design, explored)
    return page(title, aligned(_cells(figures, met)), _notes(figures, met, explored))


def _markdown(scored: Scored, design: Design, figures: _Figures, met: _Met, explored: Exploration) -> bytes:
    title = _title(scored, design, explored)
    notes = [line for note in _notes(figures, met, explored) for line in ("", note)]
    return page(title, ["", *markdown(_cells(figures, met))], notes)


def _csv(scored: Scored, design: Design, figures: _Figures, met: _Met, explored: Exploration) -> bytes:
    keys = ["model", "type", "photographs", "pictures"]
    for name in _FIGURES:
        keys += [name, f"{name}_low", f"{name}_high"]
    keys += ["threshold", "pairs", "seen", "seen_near"]
    rows: list[list[object]] = []
    for name, (whole, by_type) in figures.items():
        for row in (whole, *by_type):
            cells: list[object] = [name, row.row, row.n_photographs, row.n_pictures]
            for figure in _FIGURES:
                cells += [getattr(row, figure), *(getattr(row, f"{figure}_ci") or (None, None))]
            rows.append([*cells, row.threshold, row.n_pairs, *met[name]])
    return csv_text(keys, rows).encode("utf-8", "surrogateescape")


def _json(scored: Scored, design: Design, figures: _Figures, met: _Met, explored: Exploration) -> bytes:
    from iqa_cli.evaluation.exploration import differences

    models = []
    for name, (whole, by_type) in figures.items():
        seen, near = met[name]
        rows = [_values(row) for row in by_type]
        models.append({"model": name, **_values(whole), "seen": seen, "seen_near": near, "types": rows})
    document = {
        "exploration": str(scored.folder),
        "part": scored.part,
        **asdict(design),
        "photographs": len(explored.sources),
        "left_out": explored.failures,
        "models": models,
        "differences": [
            {**asdict(entry), "interval": list(entry.interval)}
            for entry in differences({name: row for name, (row, _) in figures.items()})
        ],
    }
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def _values(row: Explored) -> dict[str, Any]:
    values: dict[str, Any] = {"row": row.row, "pictures": row.n_pictures}
    for figure in _FIGURES:
        bounds = getattr(row, f"{figure}_ci")
        values |= {figure: getattr(row, figure), f"{figure}_ci": None if bounds is None else list(bounds)}
    return {**values, "threshold": row.threshold, "pairs": row.n_pairs}
