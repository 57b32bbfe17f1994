"""Runs with a store, and the score without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iqa_cli.prediction import Prediction
from iqa_cli.scoring.store import Store
from tests.scoring.fakescorers import FakeScorer, group_of, keys_for


def scored(
    folder: Path, paths: list[Any], *scorers: FakeScorer, mode: Any = "default", **options: Any
) -> list[Prediction]:
    """The records of one run with the store of the folder."""
    group = group_of(*scorers)
    with Store(folder / "s.db") as store:
        memory = store.memory(keys_for(group, folder, mode=mode), **options)
        return list(group.score_many(paths, mode=mode, memory=memory))


def plain_score(picture: str | Path) -> float:
    """The score without a store."""
    (record,) = group_of(FakeScorer()).score_many([str(picture)])
    assert record.score is not None
    return record.score
