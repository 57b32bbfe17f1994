"""How often the intervals of a gMAD verdict hold the truth, on simulated people and models of known rank.

    python -m benchmarks.gmad_coverage [--competitions 200]

Three models, of which the first sees most of what people see, the last nothing. People differ (a tendency to
side with attackers), pairs differ, and every vote has noise of its own of deviation 1; a tenth of the votes
are missing. Printed by design: the share of 95 % intervals with the truth inside and their mean width, for
the margin of each attack, and for aggressiveness and resistance of each model; then the share of differences
of two models whose interval leaves 0 out, and how many of these have the wrong sign.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from iqa_cli.evaluation.competition import Estimate, outcome
from tests.evaluation.simulated_votes import simulated, truth

#: What people see of the differences that the model of the row sees and that of the column does not.
LATENT = np.array([[0.0, 0.5, 1.0], [0.3, 0.0, 0.7], [0.0, 0.0, 0.0]])
#: People, pairs of each attack, deviation of people, deviation of pairs.
DESIGNS = ((5, 10, 0.3, 0.5), (5, 20, 0.3, 0.5), (10, 10, 0.3, 0.5), (20, 20, 0.3, 0.5), (1, 20, 0.0, 0.5))


def main() -> None:
    """Print a line for each design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--competitions", type=int, default=200)
    number = parser.parse_args().competitions
    print("people  pairs        margin  aggressiveness      resistance   differences told, wrong")
    for people, pairs, of_people, of_pairs in DESIGNS:
        known = truth(LATENT, of_people=of_people, of_pairs=of_pairs)
        inside: dict[str, list[bool]] = defaultdict(list)
        width: dict[str, list[float]] = defaultdict(list)
        told = wrong = compared = 0

        def note(
            kind: str,
            found: Estimate | None,
            value: float,
            inside: dict[str, list[bool]] = inside,
            width: dict[str, list[float]] = width,
        ) -> None:
            assert found is not None
            if found is not None and found.interval is not None:
                low, high = found.interval
                inside[kind].append(low <= value <= high)
                width[kind].append(high - low)

        for seed in range(number):
            rng = np.random.default_rng(seed)
            votes = simulated(rng, LATENT, people=people, pairs=pairs, of_people=of_people, of_pairs=of_pairs)
            found = outcome(votes, resamples=1000, seed=seed)
            for attack in found.attacks:
                note("margin", attack.margin, known.margin[int(attack.attacker[1]), int(attack.defender[1])])
            for one in found.standings:
                note("aggressiveness", one.aggressiveness, known.aggressiveness[int(one.model[1])])
                note("resistance", one.resistance, known.resistance[int(one.model[1])])
            for two in found.differences:
                i, j = (int(name[1]) for name in two.models)
                for estimate, points in (
                    (two.aggressiveness, known.aggressiveness),
                    (two.resistance, known.resistance),
                ):
                    compared += 1
                    low, high = estimate.interval or (0.0, 0.0)
                    if low > 0 or high < 0:
                        told += 1
                        wrong += bool((estimate.value > 0) != (points[i] > points[j]))
        cells = "".join(
            f"{100 * np.mean(inside[kind]):>8.1f} % {np.mean(width[kind]):>5.2f}"
            for kind in ("margin", "aggressiveness", "resistance")
        )
        print(f"{people:>6}{pairs:>7}{cells}{100 * told / compared:>16.0f} %{wrong:>5}", flush=True)


if __name__ == "__main__":
    main()
