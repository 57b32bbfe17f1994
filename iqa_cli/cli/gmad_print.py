"""The pairs of a competition as a table, JSON and CSV, and what opinions say of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from iqa_cli.spreadsheet import name_cell, text_cell

if TYPE_CHECKING:
    from iqa_cli.gmad.opinions import Row
    from iqa_cli.gmad.session import Competition, Pair

HEADING: tuple[str, ...] = (
    *("defender", "attacker", "level", "rank", "attacker diff", "defender diff", "MOS diff"),
    "pictures",
)
RIGHT = HEADING[3:7]
VERDICT_HEADING = (
    "defender",
    "attacker",
    "pairs",
    "agreed",
    "ties",
    "share",
    "95 %",
    "mean diff",
    "falsified",
)
VERDICT_RIGHT = VERDICT_HEADING[2:8]


def table_rows(competition: Competition) -> list[list[str]]:
    """Cells of `HEADING`; a missing one is "-"."""
    from iqa_cli.gmad.opinions import opinion_difference

    rows = []
    for pair in competition.mined:
        opinion = opinion_difference(pair)
        rows.append(
            [
                pair.defender,
                pair.attacker,
                pair.level,
                str(pair.rank),
                f"{pair.attacker_difference:.2f}",
                f"{pair.defender_difference:.2f}",
                "-" if opinion is None else f"{opinion:.1f}",
                f"{pair.first.name} > {pair.second.name}",
            ]
        )
    return rows


def verdict_rows(rows: Sequence[Row], unit: str) -> list[list[str]]:
    """Cells of `VERDICT_HEADING`; differences in a unit."""
    cells = []
    for row in rows:
        found = row.agreement
        known = found.share is not None
        cells.append(
            [
                row.defender,
                row.attacker,
                str(found.pairs),
                str(found.agreed),
                str(found.ties),
                f"{100 * (found.share or 0):.0f} %" if known else "-",
                f"{100 * (found.low or 0):.0f} to {100 * (found.high or 0):.0f} %" if known else "-",
                "-" if found.difference is None else f"{found.difference:+.1f} {unit}",
                fallen(row),
            ]
        )
    return cells


def question(competition: Competition) -> str:
    """What is asked of the opinions that are known, with a word where they are none of people."""
    if competition.settings.get("pseudo_mos"):
        return "Does the pseudo-MOS, which is of metrics and not of people, see what the attacker sees?"
    return "Do opinions (MOS) see what the attacker sees?"


def fallen(row: Row) -> str:
    """The model that is falsified, by its name."""
    names = {"defender": row.defender, "attacker": row.attacker}
    return names.get(row.agreement.verdict, row.agreement.verdict)


def as_json(
    competition: Competition, opinions: Sequence[Row], proxy: Sequence[Row], votes: Mapping[str, float]
) -> str:
    """`gmad.json` with the verdicts of opinions and of the proxy, and the votes of the proxy by the ids of
    pairs; one object, in ASCII."""
    from iqa_cli.gmad.opinions import PROXY
    from iqa_cli.gmad.session import competition_document

    content = competition_document(competition)
    content["opinions"] = [_verdict(row) for row in opinions]
    content["proxy"] = (
        {"text": PROXY, "rows": [_verdict(row) for row in proxy], "votes": dict(votes)} if proxy else None
    )
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def as_csv(competition: Competition, votes: Mapping[str, float]) -> str:
    """A row for each pair; a missing cell is empty."""
    columns = ["id", "defender", "attacker", "level", "rank", "attacker_difference", "defender_difference"]
    for side in ("first", "second"):
        columns += [side, f"{side}_path", f"{side}_mos", f"{side}_reference"]
        columns += [f"{side}.{model}" for model in competition.models]
    columns += ["proxy_votes"] if votes else []
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(pair, votes) for pair in competition.mined)
    return text.getvalue()


def _cells(pair: Pair, votes: Mapping[str, float]) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "id": pair.id,
        "defender": text_cell(pair.defender),
        "attacker": text_cell(pair.attacker),
        "level": pair.level,
        "rank": pair.rank,
        "attacker_difference": round(pair.attacker_difference, 6),
        "defender_difference": round(pair.defender_difference, 6),
    }
    if votes:
        cells["proxy_votes"] = votes.get(pair.id)
    for side, picture in (("first", pair.first), ("second", pair.second)):
        cells |= {side: name_cell(picture.name), f"{side}_path": name_cell(picture.path)}
        cells |= {
            f"{side}_mos": picture.mos,
            f"{side}_reference": picture.reference and name_cell(picture.reference),
        }
        cells |= {f"{side}.{model}": round(value, 6) for model, value in picture.scores.items()}
    return cells


def _verdict(row: Row) -> dict[str, Any]:
    known = {"defender": row.defender, "attacker": row.attacker}
    return known | asdict(row.agreement) | {"falsified": fallen(row)}
