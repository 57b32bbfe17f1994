"""Parts are drawn fairly, never part a group, and are the same in every process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqa_cli.datasets.record import ImageRecord, split_hash
from iqa_cli.datasets.splits import hold_out, split
from iqa_cli.errors import DatasetError, UsageError


def records(sizes: list[int]) -> list[ImageRecord]:
    """One group for each size, of so many pictures."""
    return [
        ImageRecord(
            Path(f"g{group}-{i}.jpg"), f"g{group}-{i}.jpg", 0.5, 0.5, group=f"g{group}", split="train"
        )
        for group, size in enumerate(sizes)
        for i in range(size)
    ]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=30, max_size=60),
    share=st.floats(0.15, 0.85),
    seed=st.integers(0, 1000),
)
def test_a_share_is_held_out_in_whole_groups(sizes: list[int], share: float, seed: int) -> None:
    given_records = records(sizes)
    kept, held = hold_out(given_records, share, seed)
    assert sorted([*kept, *held], key=lambda r: r.name) == sorted(given_records, key=lambda r: r.name)
    assert {r.group for r in kept}.isdisjoint(r.group for r in held)
    assert abs(len(held) - share * len(given_records)) <= max(sizes) / 2
    assert list(held) == sorted(held, key=lambda r: r.name)
    # Only the seed decides, not the order in which a folder was listed.
    assert hold_out(reversed(given_records), share, seed) == (kept, held)


def test_another_seed_draws_others_and_every_group_has_its_chance() -> None:
    given_records = records([1] * 40)
    drawn = [frozenset(r.name for r in hold_out(given_records, 0.25, seed)[1]) for seed in range(60)]
    assert len(set(drawn)) > 50
    assert frozenset.union(*drawn) == {r.name for r in given_records}


def test_parts_carry_their_names_and_cover_everything() -> None:
    given_records = records([3, 1, 2] * 20)
    parts = split(given_records, {"train": 0.7, "calib": 0.1, "val": 0.2}, seed=5)
    assert list(parts) == ["train", "calib", "val"]
    assert [len(part) for part in parts.values()] == pytest.approx([84, 12, 24], abs=3)
    assert all(record.split == name for name, part in parts.items() for record in part)
    together = sorted(record.name for part in parts.values() for record in part)
    assert together == sorted(record.name for record in given_records)
    groups = [{record.group for record in part} for part in parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 60
    assert split(given_records, {"all": 1.0}, seed=0)["all"][0].split == "all"


def test_the_draw_is_the_same_in_another_process() -> None:
    code = """
from tests.datasets.test_splits import records
from iqa_cli.datasets.record import split_hash
from iqa_cli.datasets.splits import split
parts = split(set(records([1, 4, 2] * 15)), {"a": 0.5, "b": 0.5}, 3)
print(split_hash(r for part in parts.values() for r in part))
"""
    expected = split(records([1, 4, 2] * 15), {"a": 0.5, "b": 0.5}, 3)
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.strip() == split_hash(r for part in expected.values() for r in part)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 1.5, float("nan"), float("inf")])
def test_a_senseless_share_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="above 0 and below 1"):
        hold_out(records([1] * 10), share, 0)
    with pytest.raises(UsageError):
        split(records([1] * 10), {"a": share, "b": 1 - share}, 0)


def test_what_cannot_be_parted_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"sum to 0\.9"):
        split(records([1] * 10), {"a": 0.5, "b": 0.4}, 0)
    with pytest.raises(UsageError, match="sum to 0"):
        split(records([1] * 10), {}, 0)
    with pytest.raises(UsageError, match="seed"):
        hold_out(records([1] * 10), 0.5, -1)
    with pytest.raises(DatasetError, match="20 pictures in whole groups, of which there are 1"):
        hold_out(records([20]), 0.5, 0)
    with pytest.raises(DatasetError, match="0 pictures"):
        hold_out([], 0.5, 0)
