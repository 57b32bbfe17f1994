"""What the intervals of `iqa eval` cover, and at which level its tests find differences among equals.

    python -m benchmarks.eval_coverage [--simulations 400] [--resamples 500]

Simulations with a known answer, as in tests/evaluation/test_coverage.py: opinions and scores are normal with
a correlation r, and the pictures of a group share half of the variance of both. Prints two Markdown tables,
"-" where there are no intervals; the share of 400 simulations at 95 % has a standard deviation of 1.1 %.
"""

from __future__ import annotations

import argparse
from collections import Counter

from iqa_cli.evaluation.part import Column
from iqa_cli.evaluation.resample import FIGURES
from iqa_cli.evaluation.significance import compare, contest
from tests.evaluation.test_coverage import World, coverage

#: Groups, pictures of each, correlation.
WORLDS = (
    (3, 20, 0.7),
    (4, 20, 0.7),
    (5, 20, 0.7),
    (6, 20, 0.7),
    (10, 10, 0.7),
    (30, 10, 0.7),
    (100, 5, 0.8),
    (15, 1, 0.7),
    (60, 1, 0.7),
    (400, 1, 0.0),
)
TESTED = ((6, 20), (30, 10), (80, 1))
#: Groups, pictures of each and scorers that are all equally good.
EQUALS = (40, 5, 4)


def main() -> None:
    """Simulate and print, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=500)
    chosen = parser.parse_args()
    print(f"| groups | pictures of each | r | {' | '.join(FIGURES)} |")
    print("|" + " --: |" * (3 + len(FIGURES)))
    for groups, members, r in WORLDS:
        shares, _ = coverage(World(groups, members, r), chosen.simulations, chosen.resamples, ("bootstrap",))
        cells = [f"{100 * share:.1f}" if (share := shares[name, "bootstrap"]) else "-" for name in FIGURES]
        print(f"| {groups} | {members} | {r} | {' | '.join(cells)} |", flush=True)
    print("\n| groups | pictures of each | figure | bootstrap | Meng, Rosenthal and Rubin | both |")
    print("| --: | --: | :-- | --: | --: | --: |")
    for groups, members in TESTED:
        world, found = World(groups, members, 0.7), Counter[tuple[str, str]]()
        for _ in range(chosen.simulations):
            part = world.part()
            pair = [Column(name, world.scores(part.opinions)) for name in ("first", "second")]
            for what in ("srcc", "plcc_fitted"):
                [made] = compare(part, pair, what=what, resamples=chosen.resamples)
                found["bootstrap", what] += made.p is not None and made.p < 0.05
                found["mrr", what] += made.p_mrr is not None and made.p_mrr < 0.05
                found["both", what] += made.significant()
        for what in ("srcc", "plcc_fitted"):
            tests = ("bootstrap", "mrr", "both")
            cells = [f"{100 * found[test, what] / chosen.simulations:.1f}" for test in tests]
            print(f"| {groups} | {members} | {what} | {' | '.join(cells)} |", flush=True)
    groups, members, scorers = EQUALS
    world, bold = World(groups, members, 0.7), 0
    for _ in range(chosen.simulations // 2):
        part = world.part()
        columns = [Column(f"s{i}", world.scores(part.opinions)) for i in range(scorers)]
        bold += bool(contest(part, columns, resamples=chosen.resamples).winners)
    share = 100 * bold / (chosen.simulations // 2)
    print(f"\nof {scorers} equal scorers on {groups} groups of {members} some are bold in {share:.1f} %")


if __name__ == "__main__":
    main()
