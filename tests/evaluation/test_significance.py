"""Tests of significance against the literature and against what is known of the scorers."""

from __future__ import annotations

import numpy as np
import pytest

from iqa_cli.evaluation.dependent import holm, meng_rosenthal_rubin, steiger
from iqa_cli.evaluation.part import Column, Part
from iqa_cli.evaluation.significance import Comparison, compare, contest


def part_of_groups(opinions: np.ndarray, groups: int) -> Part:
    n = len(opinions)
    return Part("made", "all", "", tuple(map(str, range(n))), opinions, np.arange(n) % groups)


def scorer(name: str, part: Part, noise: float, seed: int) -> Column:
    return Column(name, part.opinions + np.random.default_rng(seed).normal(0, noise, len(part)))


@pytest.fixture
def part() -> Part:
    return part_of_groups(np.random.default_rng(0).uniform(0, 100, 400), 100)


def test_meng_rosenthal_and_rubin_as_in_their_paper() -> None:
    # Meng, Rosenthal and Rubin 1992, their example: Z = 1.68, one-sided p = .047.
    z, p = meng_rosenthal_rubin(0.63, -0.03, -0.19, 15)
    assert z == pytest.approx(1.68, abs=0.005)
    assert p / 2 == pytest.approx(0.047, abs=0.0005)


def test_both_tests_as_the_program_depcor_prints_them() -> None:
    # Silver, Hittner and May, Applied Psychological Measurement 30, 2006; second-hand, in the tests of the
    # R package cocor (Diedenhofen and Musch, PLoS ONE 10, 2015).
    assert meng_rosenthal_rubin(0.3, 0.4, 0.5, 100) == pytest.approx((-1.0707, 0.2843), abs=5e-5)
    assert steiger(0.3, 0.4, 0.5, 100) == pytest.approx((-1.0718, 0.2838), abs=5e-5)


def test_holm_as_computed_by_hand() -> None:
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_better_scorer_is_found_and_alone_is_bold(part: Part) -> None:
    columns = [scorer("good", part, 10, 1), scorer("poor", part, 60, 2), scorer("worse", part, 120, 3)]
    made = compare(part, columns)
    assert [(entry.first, entry.second) for entry in made] == [
        ("good", "poor"),
        ("good", "worse"),
        ("poor", "worse"),
    ]
    for entry in made:
        assert entry.difference is not None
        assert entry.interval is not None
        assert 0 < entry.interval[0] < entry.difference < entry.interval[1]
        assert entry.significant()
        assert (entry.n, entry.n_groups, entry.method) == (400, 100, "bootstrap")
    assert contest(part, columns).winners == {"good"}
    assert contest(part, columns, what="rmse").winners == {"good"}


def test_nobody_is_bold_where_nobody_is_worse(part: Part) -> None:
    columns = [scorer("one", part, 30, 1), scorer("two", part, 30, 2)]
    assert contest(part, columns).winners == set()
    assert contest(part, columns[:1]).winners == set()
    assert contest(part, [*columns, scorer("poor", part, 150, 3)]).winners == {"one", "two"}


def test_who_was_trained_on_the_part_or_has_no_figure_does_not_compete(part: Part) -> None:
    met = np.zeros(400, dtype=bool)
    met[3] = True
    learnt = Column("learnt", part.opinions, met=met)
    constant = Column("constant", np.ones(400))
    empty = Column("empty", np.full(400, np.nan))
    columns = [scorer("good", part, 10, 1), scorer("poor", part, 90, 2), learnt, constant, empty]
    made = contest(part, columns)
    assert made.winners == {"good"}
    # What is bold, and the p that is told of it, are of the same family of tests.
    of_pair = {(pair.first, pair.second): pair for pair in made.comparisons}
    assert len(of_pair) == 10
    assert of_pair["good", "poor"].p_holm == of_pair["good", "poor"].p
    assert "learnt has met pictures of the part in training" in str(of_pair["poor", "learnt"].why_not)
    assert "empty has no scores" in str(of_pair["good", "empty"].why_not)
    assert "the same" in str(of_pair["good", "constant"].why_not)
    by_pair = {(entry.first, entry.second): entry for entry in compare(part, columns)}
    assert "the same" in str(by_pair["good", "constant"].why_not)
    assert "there are 0" in str(by_pair["good", "empty"].why_not)
    assert by_pair["good", "empty"].p is None
    assert not by_pair["good", "empty"].significant()


def test_a_pair_is_compared_on_the_pictures_that_both_have(part: Part) -> None:
    first, second = scorer("first", part, 20, 1), scorer("second", part, 30, 2)
    gaps = Column("first", np.where(np.arange(400) % 3 == 0, np.nan, first.scores))
    kept = np.isfinite(gaps.scores)
    [found] = compare(part, [gaps, second])
    [expected] = compare(part.only(kept), [first.only(kept), second.only(kept)])
    assert found == expected


def test_the_other_way_round_is_the_same_with_the_other_sign(part: Part) -> None:
    a, b = scorer("a", part, 20, 1), scorer("b", part, 30, 2)
    for what in ("srcc", "krcc", "plcc", "plcc_fitted", "rmse"):
        [one] = compare(part, [a, b], what=what)
        [two] = compare(part, [b, a], what=what)
        assert one.difference == -two.difference  # type: ignore[operator]
        assert one.p == pytest.approx(two.p)
        assert one.interval == pytest.approx((-two.interval[1], -two.interval[0]))  # type: ignore[index]
        assert (one.p_mrr is None) == (what in ("krcc", "rmse"))


def test_a_scorer_does_not_differ_from_itself_under_another_scale(part: Part) -> None:
    a = scorer("a", part, 20, 1)
    [made] = compare(part, [a, Column("cubed", a.scores**3)])
    assert made == Comparison(
        "a", "cubed", "srcc", 400, 100, 0.0, (0.0, 0.0), 1.0, 1.0, 0.0, 1.0, 1.0, "bootstrap"
    )


def test_above_the_size_of_the_bootstrap_the_answer_is_the_same(
    part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [scorer("a", part, 20, 1), scorer("b", part, 25, 2)]
    for what in ("srcc", "krcc", "plcc", "rmse"):
        [drawn] = compare(part, columns, what=what)
        with monkeypatch.context() as patched:
            patched.setattr("iqa_cli.evaluation.bootstrap.BOOTSTRAP_MAX", 100)
            [analytic] = compare(part, columns, what=what)
        assert (drawn.method, analytic.method) == ("bootstrap", "analytic")
        assert drawn.interval is not None
        width = drawn.interval[1] - drawn.interval[0]
        assert analytic.interval == pytest.approx(drawn.interval, abs=0.12 * width)
        assert analytic.difference == drawn.difference
