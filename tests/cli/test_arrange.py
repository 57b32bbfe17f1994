"""The rows that wait: sorted, or the best or worst few, of which no more than these few are kept."""

from __future__ import annotations

import random

import pytest

from iqa_cli.cli.arrange import Pending, Sort, shown_score
from iqa_cli.prediction import Prediction


def some_rows(number: int) -> list[Prediction]:
    """With ties to two decimals, and failures."""
    chance = random.Random(number)
    scores = [chance.choice([None, chance.randrange(8) + 0.001 * chance.randrange(4)]) for _ in range(number)]
    names = [f"{chance.randrange(10**6):06}.jpg" for _ in scores]
    return [Prediction(name, score, None, "m") for name, score in zip(names, scores, strict=True)]


@pytest.mark.parametrize("number", [0, 1, 5, 200])
def test_the_few_are_those_of_the_whole_sorted(number: int) -> None:
    rows = some_rows(number)
    scored = [row for row in rows if row.score is not None]
    best, worst = sorted(scored, key=lambda row: -shown_score(row)), sorted(scored, key=shown_score)
    for few in (1, 4, 1000):
        for options, wanted in (({"top": few}, best[:few]), ({"bottom": few}, worst[:few])):
            pending, by_path = Pending(**options), Pending(sort=Sort.path, **options)
            for row in rows:
                pending.add(row)
                by_path.add(row)
                assert len(pending._chosen) <= few
                assert not pending._all
            assert pending.rows() == wanted
            assert by_path.rows() == sorted(wanted, key=lambda row: row.path)
