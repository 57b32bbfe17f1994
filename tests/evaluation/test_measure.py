"""Figures of a part and its rows: those that are not defined cost nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from iqa_cli.evaluation.measure import MAX_ROWS, held_out, measure, natural
from iqa_cli.evaluation.part import Column, Part


def part_and_column(
    sizes: dict[str, int],
    *,
    constant: Sequence[str] = (),
    met: Sequence[str] | None = None,
    groups: int | None = None,
) -> tuple[Part, Column]:
    """Subsets of so many pictures; `constant` ones have one score, `met` ones were trained on, and the
    others resemble what was."""
    rng = np.random.default_rng(sum(sizes.values()))
    labels = [name for name, size in sizes.items() for _ in range(size)]
    n = len(labels)
    opinions = rng.uniform(0, 100, n)
    scores = np.where([label in constant for label in labels], 50.0, opinions + rng.normal(0, 10, n))
    flags = None if met is None else np.array([label in met for label in labels])
    part = Part(
        "made",
        "all",
        "0" * 16,
        tuple(f"{i}.png" for i in range(n)),
        opinions,
        np.arange(n) % (groups or n),
        {"subset": labels},
    )
    return part, Column("scorer", scores, met=flags, near=None if flags is None else ~flags)


def test_a_row_without_a_correlation_is_a_row_with_a_reason() -> None:
    measured = measure(*part_and_column({"big": 40, "flat": 9, "small": 2}, constant=["flat"]))
    rows = measured.rows["subset"]
    assert [(row.row, row.n_used, row.n_total) for row in rows] == [
        ("big", 40, 40),
        ("flat", 9, 9),
        ("small", 2, 2),
    ]
    assert measured.whole.srcc is not None
    assert rows[0].why_not is None
    for name in ("srcc", "krcc", "plcc", "plcc_fitted", "rmse"):
        low, high = getattr(rows[0], f"{name}_ci")
        assert low < getattr(rows[0], name) < high
    for row, reason in ((rows[1], "the same"), (rows[2], "at least 3 pictures")):
        assert (row.srcc, row.srcc_ci, row.krcc, row.plcc, row.plcc_fitted, row.rmse) == (None,) * 6
        assert (row.interval_method, row.fit_converged) == (None, None)
        assert row.why_not is not None
        assert reason in row.why_not


def test_one_value_of_a_kind_makes_no_rows_and_kinds_not_asked_for_none() -> None:
    measured = measure(*part_and_column({"one": 12}))
    assert dict(measured.rows) == {}
    assert measured.whole.n_used == 12
    assert dict(measure(*part_and_column({"one": 12, "two": 12}), by=("level",)).rows) == {}


def test_rows_are_in_natural_order_and_too_many_are_left_out_with_their_number() -> None:
    assert sorted(["10", "9", "blur2", "blur10", ""], key=natural) == ["", "9", "10", "blur2", "blur10"]
    rows = measure(*part_and_column({"10": 5, "2": 5, "1": 5})).rows["subset"]
    assert [row.row for row in rows] == ["1", "2", "10"]
    many = measure(*part_and_column({str(i): 1 for i in range(MAX_ROWS + 1)}), resamples=10)
    assert dict(many.rows) == {}
    assert dict(many.left_out) == {"subset": MAX_ROWS + 1}


def test_pictures_without_a_score_are_in_no_figure_and_counted() -> None:
    part, column = part_and_column({"a": 20, "b": 20}, met=["a"])
    missing = np.arange(40) % 4 == 0
    gaps = measure(part, Column("gaps", np.where(missing, np.nan, column.scores), met=column.met))
    fewer = measure(part.only(~missing), column.only(~missing))
    assert (gaps.whole.n_used, gaps.whole.n_total, gaps.whole.seen) == (30, 40, 15)
    assert gaps.whole.srcc == fewer.whole.srcc
    assert gaps.whole.rmse_ci == fewer.whole.rmse_ci
    assert [(row.n_used, row.n_total) for row in gaps.rows["subset"]] == [(15, 20), (15, 20)]
    nothing = measure(part, Column("nothing", np.full(40, np.nan))).whole
    assert (nothing.n_used, nothing.srcc) == (0, None)
    assert "there are 0" in str(nothing.why_not)


def test_pictures_met_in_training_are_counted_by_row_and_unknown_is_not_none() -> None:
    measured = measure(*part_and_column({"a": 5, "b": 6}, met=["a"]))
    rows = (measured.whole, *measured.rows["subset"])
    assert [(row.seen, row.seen_near) for row in rows] == [(5, 6), (5, 0), (0, 6)]
    unknown = measure(*part_and_column({"a": 5})).whole
    assert (unknown.seen, unknown.seen_near) == (None, None)


def test_what_was_held_out_is_neither_met_nor_alike() -> None:
    part, column = part_and_column({"a": 5, "b": 6, "c": 7}, met=["a"])
    assert column.met is not None
    near = np.array([label == "b" for label in part.kinds["subset"]])
    kept, scores = held_out(part, Column("s", column.scores, met=column.met, near=near))
    assert list(kept.kinds["subset"]) == ["c"] * 7
    assert kept.names == part.names[11:]
    assert np.array_equal(scores.scores, column.scores[11:])
    assert len(held_out(part, Column("s", column.scores, met=column.met))[0]) == 13
    with pytest.raises(ValueError, match="not known"):
        held_out(part, Column("s", column.scores))


@pytest.mark.parametrize("groups", [1, 2])
def test_one_or_two_groups_have_figures_and_no_interval(groups: int) -> None:
    whole = measure(*part_and_column({"one": 10}, groups=groups)).whole
    assert whole.srcc is not None
    assert (whole.srcc_ci, whole.interval_method, whole.n_groups) == (None, None, groups)


def test_outliers_are_those_that_the_curve_misses_by_two_deviations() -> None:
    part, column = part_and_column({"one": 60})
    opinions = part.opinions
    # The fit of as good as exact scores is exact: two pictures off by 3 and by 1 deviations, one unknown.
    x = opinions.copy()
    deviations = np.full(60, 1.0)
    deviations[50] = np.nan
    off = np.zeros(60)
    off[[10, 20]] = 3.0, 1.0
    made = Part("d", "all", "", part.names, opinions + off, part.groups, {}, deviations)
    assert measure(made, Column("s", x)).whole.outlier_ratio == pytest.approx(1 / 59)
    assert measure(part, column).whole.outlier_ratio is None
    unknown = Part("d", "all", "", part.names, opinions, part.groups, {}, np.full(60, np.nan))
    assert measure(unknown, column).whole.outlier_ratio is None


def test_a_column_of_another_length_is_an_error() -> None:
    part, column = part_and_column({"one": 10})
    with pytest.raises(ValueError, match="9 scores for 10 pictures"):
        measure(part, Column("s", column.scores[:9]))


def test_three_groups_leave_the_rmse_without_an_interval_and_five_do_not() -> None:
    rng = np.random.default_rng(1451)
    opinions = rng.uniform(0, 100, 40)
    column = Column("scorer", opinions + rng.normal(0, 30, 40))
    for groups in (3, 5):
        part = Part("made", "all", "0" * 16, tuple(map(str, range(40))), opinions, np.arange(40) % groups)
        whole = measure(part, column, resamples=100).whole
        assert whole.rmse is not None
        assert whole.srcc_ci is not None
        assert (whole.rmse_ci is None) == (groups == 3)
