"""What follows from the votes, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iqa_cli.evaluation.competition import LEAST_PAIRS
from iqa_cli.text import one_line

if TYPE_CHECKING:
    from iqa_cli.gmad.verdict import Verdict


def conclusions(found: Verdict) -> list[str]:
    """What follows, in sentences; also what does not follow. Names are made harmless for a terminal."""
    lines = []
    for attack in found.outcome.attacks:
        attacker, defender = one_line(attack.attacker), one_line(attack.defender)
        votes = f"{attack.won} for it, {attack.lost} against, {attack.even} see no difference"
        if attack.falsified == attack.defender:
            lines.append(
                f"{attacker} falsifies {defender}: people see the differences that {attacker} sees ({votes})."
            )
        elif attack.falsified is not None:
            lines.append(
                f"{attacker} is falsified in its attack on {defender}: people see the opposite ({votes})."
            )
        else:
            why = (
                ""
                if attack.pairs >= LEAST_PAIRS
                else f": {attack.pairs} of {LEAST_PAIRS} pairs that it takes"
            )
            lines.append(f"{attacker} against {defender} is not decided{why} ({votes}).")
    few = any(attack.pairs < LEAST_PAIRS for attack in found.outcome.attacks)
    for difference in () if few else found.outcome.differences:
        for word, estimate in (
            ("aggressive", difference.aggressiveness),
            ("resistant", difference.resistance),
        ):
            if estimate.interval is None or estimate.interval[0] <= 0 <= estimate.interval[1]:
                continue
            names = [one_line(name) for name in difference.models]
            more, less = names if estimate.value > 0 else names[::-1]
            low, high = sorted(abs(bound) for bound in estimate.interval)
            lines.append(
                f"{more} is more {word} than {less} by {abs(estimate.value):.2f} ({low:.2f} to {high:.2f})."
            )
    if any(one.aggressiveness is None for one in found.outcome.standings):
        lines.append("Models are not ranked: some pair of models has votes in one direction only.")
    if found.counted == 1:
        lines.append("One observer: the intervals say how other pairs would go, not other people.")
    return lines
