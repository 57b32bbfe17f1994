"""A process that scores a folder with a store, to be killed: prints path and score of each record.

python -m tests.scoring.storechild STORE FOLDER [--reversed]
"""

from __future__ import annotations

import sys
from pathlib import Path

from iqa_cli.scoring.store import Store
from tests.scoring.fakescorers import FakeScorer, group_of, keys_for


def main(place: str, folder: str, *options: str) -> None:
    """Score, print, and say on stderr how many crops the network has looked at."""
    scorer = FakeScorer()
    group = group_of(scorer)
    paths = sorted(map(str, Path(folder).glob("*.bmp")), reverse="--reversed" in options)
    with Store(place) as store:
        memory = store.memory(keys_for(group, Path(place).parent))
        for record in group.score_many(paths, memory=memory):
            print(record.path, record.score, sep="\t", flush=True)
    print(scorer.looked, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
