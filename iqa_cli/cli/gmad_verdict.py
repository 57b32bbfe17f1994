"""The verdict of a competition as a table, JSON or CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from iqa_cli.cli.eval_columns import csv_text
from iqa_cli.gmad.conclusions import conclusions
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.evaluation.competition import Attack, Estimate
    from iqa_cli.gmad.verdict import Observer, Verdict


def as_table(found: Verdict) -> str:
    """For people: models, attacks, observers, and the conclusion in words."""
    blocks = [
        _columns(
            ("model", "aggressiveness", "95 %", "resistance", "95 %"),
            [
                (one_line(one.model), *_cells(one.aggressiveness), *_cells(one.resistance))
                for one in found.outcome.standings
            ],
        ),
        _columns(
            (
                "attacker",
                "defender",
                "pairs",
                "votes",
                "for",
                "even",
                "against",
                "margin",
                "95 %",
                "falsified",
            ),
            [_attack_cells(attack) for attack in found.outcome.attacks],
        ),
        _columns(
            ("observer", "votes", "catch", "agreement", "left", "s/vote", "left out because"),
            [_observer_cells(observer) for observer in found.observers],
        ),
        "".join(f"{line}\n" for line in conclusions(found)),
    ]
    return "\n".join(blocks)


def as_json(found: Verdict) -> str:
    """All there is; what is not defined is null."""
    document = {
        "models": [
            {
                "model": one.model,
                **_values("aggressiveness", one.aggressiveness),
                **_values("resistance", one.resistance),
            }
            for one in found.outcome.standings
        ],
        "differences": [
            {
                "models": list(one.models),
                **_values("aggressiveness", one.aggressiveness),
                **_values("resistance", one.resistance),
            }
            for one in found.outcome.differences
        ],
        "attacks": [_attack(attack) for attack in found.outcome.attacks],
        "observers": [
            {
                "name": one.name,
                "votes": one.screened.votes,
                "catch_right": one.screened.catch_right,
                "catch_total": one.screened.catch_total,
                "agreement": one.screened.agreement,
                "left_share": one.left,
                "median_seconds": one.seconds,
                "left_out": one.screened.reason,
            }
            for one in found.observers
        ],
        "pairs": [
            {"id": tally.pair.id, "first": tally.first, "none": tally.even, "second": tally.second}
            for tally in found.tallies
        ],
        "votes": found.votes,
        "skipped": found.skipped,
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def as_csv(found: Verdict) -> str:
    """A row for each model (aggressiveness, resistance) and each attack (success, margin)."""
    rows: list[list[object]] = []
    for one in found.outcome.standings:
        for figure, estimate in (("aggressiveness", one.aggressiveness), ("resistance", one.resistance)):
            rows.append([figure, one.model, "", *_bare(estimate), ""])
    for attack in found.outcome.attacks:
        for figure, estimate in (("success", attack.success), ("margin", attack.margin)):
            rows.append([figure, attack.attacker, attack.defender, *_bare(estimate), attack.votes])
    return csv_text(["figure", "model", "against", "value", "low", "high", "votes"], rows)


def _attack(attack: Attack) -> dict[str, Any]:
    return {
        "attacker": attack.attacker,
        "defender": attack.defender,
        "pairs": attack.pairs,
        "votes": attack.votes,
        "for": attack.won,
        "none": attack.even,
        "against": attack.lost,
        **_values("success", attack.success),
        **_values("margin", attack.margin),
        "falsified": attack.falsified,
    }


def _values(name: str, estimate: Estimate | None) -> dict[str, Any]:
    interval = None if estimate is None or estimate.interval is None else list(estimate.interval)
    return {name: None if estimate is None else estimate.value, f"{name}_ci": interval}


def _bare(estimate: Estimate | None) -> tuple[object, object, object]:
    if estimate is None:
        return None, None, None
    return (estimate.value, *(estimate.interval or (None, None)))


def _cells(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return "-", "-"
    shown = f"{round(estimate.value, 2) + 0.0:.2f}"
    if estimate.interval is None:
        return shown, "-"
    low, high = (round(bound, 2) + 0.0 for bound in estimate.interval)
    return shown, f"{low:.2f} to {high:.2f}"


def _attack_cells(attack: Attack) -> tuple[str, ...]:
    counts = (attack.pairs, attack.votes, attack.won, attack.even, attack.lost)
    falsified = "-" if attack.falsified is None else one_line(attack.falsified)
    names = one_line(attack.attacker), one_line(attack.defender)
    return (*names, *map(str, counts), *_cells(attack.margin), falsified)


def _observer_cells(observer: Observer) -> tuple[str, ...]:
    screened = observer.screened
    return (
        one_line(observer.name),
        str(screened.votes),
        f"{screened.catch_right}/{screened.catch_total}" if screened.catch_total else "-",
        "-" if screened.agreement is None else f"{round(screened.agreement, 2) + 0.0:.2f}",
        "-" if observer.left is None else f"{100 * observer.left:.0f} %",
        "-" if observer.seconds is None else f"{observer.seconds:.1f}",
        screened.reason or "-",
    )


def _columns(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as they need to be: the first to the left, numbers to the right."""
    from rich.cells import cell_len

    lines = [head, *rows]
    widths = [max(cell_len(line[at]) for line in lines) for at in range(len(head))]
    to_left = [
        at == 0 or head[at] in ("defender", "falsified", "left out because") for at in range(len(head))
    ]
    text = []
    for line in lines:
        cells = []
        for cell, width, left in zip(line, widths, to_left, strict=True):
            room = " " * (width - cell_len(cell))
            cells.append(f"{cell}{room}" if left else f"{room}{cell}")
        text.append("  ".join(cells).rstrip())
    return "".join(f"{line}\n" for line in text)
