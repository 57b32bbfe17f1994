"""Mining: every pair is the best there is, found by trying all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from iqa_cli.evaluation.gmad import Found, mine

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def possible(
    defender: Floats, tolerance: float, apart: Codes | None, same: Codes | None
) -> NDArray[np.bool_]:
    """[n, n] which pairs may be formed."""
    allowed = np.abs(defender[:, None] - defender[None]) <= tolerance
    if apart is not None:
        allowed &= apart[:, None] != apart[None]
    if same is not None:
        allowed &= same[:, None] == same[None]
    return allowed & ~np.eye(len(defender), dtype=bool)


def check_greedy(attacker: Floats, allowed: NDArray[np.bool_], found: list[Found], count: int) -> None:
    """Each pair is the best of those left, by brute force, and the list ends only where it has to."""
    differences = attacker[:, None] - attacker[None]
    left = allowed.copy()
    for pair in found:
        assert left[pair.first, pair.second]
        best = differences[left].max()
        assert pair.attacker_difference == best == differences[pair.first, pair.second]
        left[[pair.first, pair.second]] = left[:, [pair.first, pair.second]] = False
    assert len(found) == count or not (differences[left] > 0).any()


@st.composite
def pools(draw: st.DrawFn) -> tuple[Floats, Floats, float, Codes, Codes, Codes]:
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Few different values make ties; tenths make differences that are rounded.
    steps = draw(st.sampled_from([3, 12, 1000]))
    defender, attacker = (rng.integers(0, steps, n) / 10 for _ in range(2))
    tolerance = draw(st.sampled_from([0.0, 0.1, 0.3, 1.1, 20.0, 1e9]))
    apart, same, duplicates = (rng.integers(0, draw(st.sampled_from([1, 2, 6, 40])), n) for _ in range(3))
    return defender, attacker, tolerance, apart, same, duplicates


@given(pools(), st.integers(1, 25), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_pair_is_the_best_of_all_that_are_left(
    pool: tuple[Floats, Floats, float, Codes, Codes, Codes], count: int, far: bool, near: bool, refused: bool
) -> None:
    defender, attacker, tolerance, apart, same, duplicates = pool
    keep_apart, keep_same = apart if far else None, same if near else None
    found = mine(
        defender,
        attacker,
        count,
        tolerance,
        apart=keep_apart,
        same=keep_same,
        # Joined to the contents, a relation that is finer than these changes nothing, a coarser one does.
        refuse=(lambda i, j: bool(duplicates[i] == duplicates[j])) if refused and not far else None,
    )
    allowed = possible(defender, tolerance, keep_apart, keep_same)
    if refused and not far:
        allowed &= duplicates[:, None] != duplicates[None]
    check_greedy(attacker, allowed, found, count)


def test_a_pool_of_some_size_with_narrow_windows() -> None:
    rng = np.random.default_rng(3)
    defender, attacker = rng.normal(size=1500), rng.normal(size=1500)
    contents = rng.integers(0, 200, 1500)
    found = mine(defender, attacker, 30, 0.02, apart=contents)
    check_greedy(attacker, possible(defender, 0.02, contents, None), found, 30)
    assert len(found) == 30


def test_what_the_pair_says() -> None:
    # The defender sees 0 and 1 alike, the attacker prefers 1; 2 is too far away for the defender.
    found = mine(np.array([50.0, 50.5, 80.0]), np.array([10.0, 90.0, 0.0]), 5, 1.0)
    assert found == [Found(1, 0, 80.0, 0.5)]


def test_no_pair_where_the_attacker_sees_no_difference_either() -> None:
    assert mine(np.arange(5.0), np.full(5, 7.0), 3, 10.0) == []
    assert mine(np.zeros(1), np.zeros(1), 3, 1.0) == []
    assert mine(np.zeros(4), np.arange(4.0), 3, 0.0, apart=np.zeros(4, np.int64)) == []


def test_what_cannot_be_mined_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        mine(np.array([1.0, np.nan]), np.zeros(2), 1, 1.0)
    with pytest.raises(ValueError, match="tolerance"):
        mine(np.zeros(2), np.zeros(2), 1, float("nan"))
    with pytest.raises(ValueError, match="numbers of pictures"):
        mine(np.zeros(3), np.zeros(2), 1, 1.0)
