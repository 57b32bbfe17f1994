"""Fit the scale of the pseudo-MOS to a set of pictures made by `iqa data synth`.

    iqa data synth --from PRISTINE --part train --limit 24 --out SET
    python benchmarks/pseudo_mos_map.py SET > iqa_cli/datasets/synth_map.json

The columns of the metrics are read, those of the distorted pictures alone; the column mos is not. The set
must have every type at every level the same number of times, or the ranks would be those of another mixture.
No picture of a part that is reported on may be in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from iqa_cli.datasets.synth_map import PseudoMos
from iqa_cli.datasets.table import read_table
from iqa_cli.evaluation.full_reference import METRICS


def main() -> None:
    """Print the file `synth_map.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", type=Path, help="folder of the synthetic database")
    options = parser.parse_args()
    record = json.loads((options.set / "synth.json").read_text(encoding="utf-8"))
    if not record["complete"]:
        sys.exit("the database is not complete")
    _, rows = read_table(options.set / "labels.csv")
    distorted = [row for row in rows if row.cells["distortion"]]
    kinds = Counter((row.cells["distortion"], row.cells["level"]) for row in distorted)
    splits = sorted({row.cells["split"] for row in distorted})
    if len(set(kinds.values())) != 1:
        sys.exit("the types and levels are not in the set equally often")
    maps = PseudoMos.fit({name: np.array([row.number(name) for row in distorted]) for name in METRICS})
    result = {
        "what": "Scale of the pseudo-MOS of iqa data synth: ours, by rank in a set of pictures, not people.",
        "commands": [record["command"], "python benchmarks/pseudo_mos_map.py SET"],
        "set": {
            "pictures": len(distorted),
            "photographs": record["sources"],
            "splits": splits,
            "settings": record["settings"],
            "made_with": record["made_with"],
        },
        "map": maps.to_dict(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
