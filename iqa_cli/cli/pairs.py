"""`iqa pairs`: the pairs of pictures that QFM-IQM's semantic noise matching makes."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iqa_cli.cli.context import Environment
from iqa_cli.cli.data_print import print_table, progress_on
from iqa_cli.cli.interrupt import computing
from iqa_cli.cli.long_run import limit_threads
from iqa_cli.cli.options import (
    DatabaseOption,
    Device,
    DeviceOption,
    OpinionRange,
    Quiet,
    RootOption,
    Threads,
    WeightArgument,
)
from iqa_cli.cli.output import check_place, write
from iqa_cli.errors import ExitCode, ImageError, UsageError
from iqa_cli.spreadsheet import name_cell
from iqa_cli.text import count, one_line, printable

if TYPE_CHECKING:
    from iqa_cli.training.matching import Pair

_HELP = """\b
Show which pictures QFM-IQM matches: similar score, different content.

\b
Examples:
  iqa pairs qfm-iqm --data biq2021 --root BIQ2021/ --part val
  iqa pairs qfm-iqm --data koniq10k -o pairs.jpg --count 40
  iqa pairs ./mine.safetensors --data csv --root my-photos/ -o pairs.csv

\b
For each picture of the part, the partner is the other one of the part whose
feature has the lowest cosine similarity, among those whose score differs by
less than the weight's tolerance. Features are of whole pictures as scoring
looks at them; training matches single crops with those of its last steps.

\b
-o takes a sheet (.jpg, .png, .webp), .csv or .json; without it a table is
printed. Table and sheet show --count pairs, spread evenly from the lowest
score to the highest; CSV and JSON have all pictures unless --count is given.
Scores are as the database prints them. A picture without a partner has none.

\b
Exit codes: 0 done, 2 wrong usage, 3 a picture cannot be read,
4 weight or data not available, 130 interrupted.
"""

_SHEETS = (".jpg", ".jpeg", ".png", ".webp")
_COLUMNS = ("image", "partner", "score", "partner_score", "similarity")
_SHOWN = 24


def pairs(
    context: typer.Context,
    weight: WeightArgument,
    dataset: DatabaseOption = "biq2021",
    root: RootOption = None,
    part: Annotated[
        str | None, typer.Option(metavar="PART", help="Part of it; val, else test, else all by default.")
    ] = None,
    scale: OpinionRange = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Sheet (.jpg, .png, .webp), .csv or .json."),
    ] = None,
    number: Annotated[int | None, typer.Option("--count", min=1, max=1000, help="Pairs shown.")] = None,
    columns: Annotated[int, typer.Option(min=1, max=20, help="Pairs in a row of the sheet.")] = 4,
    device: DeviceOption = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    env: Environment = context.obj
    env.quiet |= quiet
    kind = "table" if output is None else output.suffix.lower()
    if kind not in ("table", ".csv", ".json", *_SHEETS):
        raise UsageError(f"'{one_line(str(output))}': pairs are a .jpg, .png, .webp, .csv or .json file")
    if output is not None:
        check_place(str(output))
    from iqa_cli.datasets.contact import spread_evenly
    from iqa_cli.datasets.registry import read_database
    from iqa_cli.weights import find_weights, read_card

    # Whatever can be wrong is found before minutes go into features.
    path = find_weights(weight)
    card = read_card(path)
    if card.network != "qfm-iqm":
        raise UsageError(
            f"{printable(weight)} is a {printable(card.network)}: only a qfm-iqm matches pictures"
        )
    database = read_database(dataset, root, scale)
    part = part or database.measuring_part()
    records = database.part(part)
    database.check_pictures(records)

    from iqa_cli.scoring.device import choose_device, exact_arithmetic
    from iqa_cli.training.matching import find_pairs, picture_features
    from iqa_cli.weights import load_network

    with computing(env):
        limit_threads(threads)
        where = choose_device(device.value)
        network: Any = load_network(path)[1].to(where)
        with progress_on(env, len(records)) as advance, exact_arithmetic(where):
            features = picture_features(network, records, card.policy(), done=advance)
        found = find_pairs(records, features, network.config.tolerance)
        ranked = sorted(found, key=lambda pair: (pair.picture.mos, pair.picture.name))
        if number is not None or kind in ("table", *_SHEETS):
            ranked = [ranked[place] for place in spread_evenly(len(ranked), number or _SHOWN)]
        if kind == "table":
            _print(env, ranked)
        elif kind in _SHEETS and output is not None:
            title = (
                f"{dataset}, part {part}: matched by {weight}, tolerance {network.config.tolerance:g} of 1"
            )
            _draw(env, ranked, output, title, columns)
        else:
            _write(env, ranked, str(output), as_json=kind == ".json")
    alone = sum(pair.partner is None for pair in found)
    env.note(f"{count(len(records), 'picture')} matched, {alone:,} of them have no partner")


def _row(pair: Pair) -> tuple[str, str | None, float, float | None, float | None]:
    partner = pair.partner
    similarity = None if pair.similarity is None else round(pair.similarity, 4)
    if partner is None:
        return pair.picture.name, None, pair.picture.raw, None, None
    return pair.picture.name, partner.name, pair.picture.raw, partner.raw, similarity


def _print(env: Environment, ranked: Sequence[Pair]) -> None:
    """The table; a missing cell is "-"."""
    texts = [
        [name, partner or "-", f"{score:.4g}", *("-" if v is None else f"{v:.4g}" for v in rest)]
        for name, partner, score, *rest in map(_row, ranked)
    ]
    print_table(env, _COLUMNS, texts, right=_COLUMNS[2:])


def _write(env: Environment, ranked: Sequence[Pair], place: str, *, as_json: bool) -> None:
    """CSV (a missing cell is empty) or JSON (it is null)."""
    rows = [_row(pair) for pair in ranked]
    text = io.StringIO()
    if as_json:
        json.dump([dict(zip(_COLUMNS, row, strict=True)) for row in rows], text, indent=2, allow_nan=False)
        text.write("\n")
    else:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([[name_cell(c) if isinstance(c, str) else c for c in row] for row in rows])
    write(env, place, text.getvalue().encode("utf-8", "surrogateescape"))


def _draw(env: Environment, ranked: Sequence[Pair], place: Path, title: str, columns: int) -> None:
    """The sheet: each picture with its partner at its right; a picture without one stands there twice."""
    from iqa_cli.datasets.contact import Tile, contact_sheet, save_sheet

    tiles = []
    for pair in ranked:
        name, partner, score, partner_score, similarity = _row(pair)
        tiles.append(Tile(pair.picture.path, (name, f"score {score:.4g}", "")))
        if pair.partner is None:
            tiles.append(Tile(pair.picture.path, ("no partner", "", "")))
        else:
            lines = (str(partner), f"score {partner_score:.4g}", f"similarity {similarity:.3f}")
            tiles.append(Tile(pair.partner.path, lines))
    with progress_on(env, len(tiles)) as advance:
        across = 2 * min(columns, len(ranked))
        sheet, failed = contact_sheet(tiles, across, None, title, os.cpu_count() or 1, advance)
    save_sheet(sheet, place)
    for path, reason in failed:
        env.error(ImageError(f"{one_line(path)}: {reason}"))
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


pairs.__doc__ = _HELP
