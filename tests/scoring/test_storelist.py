"""What a store lists, filters and counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iqa_cli.scoring import hashing
from iqa_cli.scoring.store import StoreError
from iqa_cli.scoring.storelist import StoreReader, Wanted
from tests.scoring.fakescorers import FakeScorer, group_of
from tests.scoring.storing import plain_score, scored


@pytest.fixture
def listed(tmp_path: Path, pictures: list[str]) -> Iterator[StoreReader]:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    scored(tmp_path, [*pictures, str(tmp_path / "broken.png")], FakeScorer("one"), FakeScorer("two", 0.5))
    scored(tmp_path, pictures[:2], FakeScorer("one"), mode="native")
    with StoreReader(tmp_path / "s.db") as store:
        yield store


def test_a_listing_has_the_records_of_the_run(listed: StoreReader, pictures: list[str]) -> None:
    for name, factor in (("one", 1.0), ("two", 0.5)):
        rows = list(listed.rows(Wanted(models=(name,), settings="default")))
        assert [row.prediction.path for row in rows] == sorted(row.prediction.path for row in rows)
        mine = [row.prediction for row in rows if "broken" not in row.prediction.path]
        assert mine == list(group_of(FakeScorer(name, factor)).score_many(pictures))
    hashes = {row.prediction.path: row.sha256 for row in listed.rows(Wanted())}
    assert hashes[pictures[2]] == hashing.sha256_of(pictures[2])


def test_filters_orders_and_counts(listed: StoreReader, pictures: list[str]) -> None:
    def names(**wanted: Any) -> list[str]:
        rows = listed.rows(Wanted(**{"models": ("one",), "settings": "default", **wanted}))
        return [Path(row.prediction.path).stem for row in rows]

    assert names(order="best", limit=3) == ["00011", "00010", "00009"]
    assert names(order="worst", limit=3) == ["00000", "00001", "00002"]
    assert names(order="best")[-1] == "broken"
    assert names(below=plain_score(pictures[2])) == ["00000", "00001"]
    assert names(above=plain_score(pictures[10])) == ["00010", "00011"]
    assert names(failed=True) == ["broken"]
    assert names(pattern="*/0000[45].bmp") == ["00004", "00005"]
    assert len(list(listed.rows(Wanted()))) == 12 + 12 + 2 + 2
    assert len(list(listed.rows(Wanted(settings="native")))) == 2
    with pytest.raises(StoreError, match="no scores of 'three'"):
        list(listed.rows(Wanted(models=("three",))))
    counts = [(one.model, one.settings, one.scored, one.failed) for one in listed.summary()]
    assert counts == [("one", "default", 12, 1), ("one", "native", 2, 0), ("two", "default", 12, 1)]


def test_the_order_by_score_of_one_scorer_needs_no_sorting(listed: StoreReader) -> None:
    """So the worst ten of a million come at once."""
    sql, values = listed._query(Wanted(models=("two",), order="worst", limit=10))
    plan = [row[3] for row in listed._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any("scores_by_score" in step for step in plan)
    assert not any(step == "USE TEMP B-TREE FOR ORDER BY" for step in plan)
