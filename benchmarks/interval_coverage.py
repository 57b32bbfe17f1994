"""What the intervals of scores cover, in a simulated world with a known answer.

    python -m benchmarks.interval_coverage [--draws 100]

The world is that of tests/evaluation/test_conformal.py: skewed errors, three times as large in the middle of
the scale as at its ends and twice as large where crops disagree; four pictures in five of a group have its
error in common. For each design an interval of 90 % is fitted to a draw and measured on 5,000 pictures of
other groups. Printed as a Markdown table: the mean coverage over draws and its deviation from draw to draw,
what the card says of itself (left-out folds), coverage where errors are large and where they are small, mean
width, and the width of an interval that is right on the whole but the same for all pictures.
"""

from __future__ import annotations

import argparse

import numpy as np

from iqa_cli.evaluation.conformal import fit_interval
from tests.evaluation.test_conformal import draw_world, given

#: Groups, pictures of each.
DESIGNS = ((20, 1), (50, 1), (50, 4), (200, 1), (620, 1))


def main() -> None:
    """Simulate and print, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    headings = (
        "groups",
        "pictures of each",
        "covered",
        "deviation",
        "said",
        "middle",
        "ends",
        "width",
        "constant",
    )
    print(f"| {' | '.join(headings)} |")
    print("|" + " --: |" * len(headings))
    rng = np.random.default_rng(0)
    known, opinions, _ = draw_world(rng, 5000)
    middle = np.abs(known.score - 50) < 10
    errors = opinions - known.score
    constant = float(np.subtract(*np.quantile(errors, (0.95, 0.05))))
    for groups, members in DESIGNS:
        covered, said, width = [], [], []
        for _ in range(draws):
            drawn, labels, codes = draw_world(rng, groups, members, alike=0.8)
            found = fit_interval(given(drawn), labels, codes)
            if found is None:
                raise AssertionError("too few groups")
            low, high = found.bounds(known.score, known.features)
            inside = (low <= opinions) & (opinions <= high)
            covered.append((inside.mean(), inside[middle].mean(), inside[~middle].mean()))
            said.append(found.about["cross_validated"]["coverage"])
            width.append(float(np.mean(high - low)))
        whole, of_middle, of_ends = np.mean(covered, axis=0)
        cells = (whole, np.std([each[0] for each in covered]), np.mean(said), of_middle, of_ends)
        print(
            f"| {groups} | {members} | {' | '.join(f'{100 * cell:.1f} %' for cell in cells)} "
            f"| {np.mean(width):.1f} | {constant:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
