"""What the intervals of scores cover: in a simulated world with a known answer, or on rows of `iqa score`.

    python -m benchmarks.interval_coverage [--draws 300]
    python -m benchmarks.interval_coverage --rows calib.jsonl val.jsonl --root ../shared/data/biq2021

With --rows an interval is fitted to the pictures of the first file, which `iqa score --format jsonl` has
written, and measured on those of the second; the map stays that of the weight.

The world is that of tests/evaluation/test_conformal.py: skewed errors, three times as large in the middle of
the scale as at its ends and twice as large where crops disagree; four pictures in five of a group have its
error in common. For each design an interval of 90 % is fitted to a draw and measured on 5,000 pictures of
other groups. Printed as a Markdown table: the mean coverage over draws and its deviation from draw to draw,
what the card says of itself (left-out folds), coverage where errors are large and where they are small, mean
width, and the width of an interval that is right on the whole but the same for all pictures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from iqa_cli.datasets.record import ImageRecord
from iqa_cli.datasets.registry import read_database
from iqa_cli.evaluation.conformal import Known, fit_interval
from iqa_cli.evaluation.correlation import Floats
from iqa_cli.evaluation.covering import covering
from iqa_cli.evaluation.folds import Ints
from tests.evaluation.test_conformal import draw_world, given

#: Groups, pictures of each.
DESIGNS = ((20, 1), (50, 1), (50, 4), (200, 1), (620, 1))


def main() -> None:
    """Simulate or read rows, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--rows", nargs=2, type=Path, metavar=("FIT", "MEASURE"))
    parser.add_argument("--root", type=Path, help="folder of BIQ2021")
    options = parser.parse_args()
    if options.rows is None:
        simulate(options.draws)
    else:
        fit, test = options.rows
        measure_rows(fit, test, options.root)


def measure_rows(fit: Path, test: Path, root: Path) -> None:
    """Fit to one file of rows, and print what the interval covers on another, by subset."""
    records = {record.name: record for record in read_database("biq2021", root).records}
    known, opinions, groups, _ = _columns(fit, records)
    found = fit_interval(given(known), opinions, groups)
    if found is None:
        raise SystemExit("too few groups")
    print(json.dumps(found.to_dict()))
    new, opinions, groups, subsets = _columns(test, records)
    low, high = found.bounds(new.score, new.features)
    for name in ("all", *sorted(set(subsets))):
        kept = np.array([name in ("all", subset) for subset in subsets])
        told = covering(low[kept], high[kept], opinions[kept], groups[kept])
        if told is not None and told.covered_ci is not None:
            share = f"{told.covered:.3f} ({told.covered_ci[0]:.3f} to {told.covered_ci[1]:.3f})"
            print(f"{name}: {kept.sum()} pictures, covered {share}, width {told.width:.1f}")


def _columns(path: Path, records: dict[str, ImageRecord]) -> tuple[Known, Floats, Ints, list[str]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = [records[Path(row["path"]).name] for row in rows]
    features = {
        "spread": np.array([row["spread"] for row in rows]),
        "crops": np.array([float(row["crops"]) for row in rows]),
        "side": np.sqrt([float(row["width"] * row["height"]) for row in rows]),
    }
    groups = np.unique([record.group for record in found], return_inverse=True)[1]
    known = Known(np.array([row["score"] for row in rows]), features)
    return known, np.array([100 * r.mos for r in found]), groups, [str(r.subset) for r in found]


def simulate(draws: int) -> None:
    """Fit to draws of the world, and print a row for each design."""
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
