"""The common scale of models, the levels of a defender, and what opinions say of pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from iqa_cli.evaluation.gmad_scale import agreement, at_level, fitted, ranks


def test_ranks_do_not_depend_on_the_units_of_a_model() -> None:
    scores = np.array([3.0, -1.0, 3.0, 10.0])
    np.testing.assert_allclose(ranks(scores), [50, 12.5, 50, 87.5])
    np.testing.assert_array_equal(ranks(scores), ranks(np.exp(5 * scores)))


def test_the_fit_brings_models_to_the_scale_of_the_opinions() -> None:
    rng = np.random.default_rng(1)
    quality = rng.uniform(-3, 3, 400)
    opinions = 100 / (1 + np.exp(-quality)) + rng.normal(0, 2, 400)
    opinions[::7] = np.nan
    mapped = fitted(1e3 * quality + 7, opinions)
    assert mapped is not None
    assert np.abs(mapped - 100 / (1 + np.exp(-quality))).max() < 3
    # A model against which opinions run is not turned round in silence.
    assert fitted(-quality, opinions) is None
    assert fitted(np.zeros(400), opinions) is None
    assert fitted(quality, np.full(400, np.nan)) is None


def test_a_level_is_a_share_of_the_pool_by_the_defender() -> None:
    scores = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 0.0, 7.0, 6.0])
    assert sorted(scores[at_level(scores, 0, 25)]) == [0, 1]
    assert sorted(scores[at_level(scores, 75, 100)]) == [6, 7]
    assert len(at_level(np.zeros(8), 0, 25)) == 0  # all are in the middle


def test_agreement_counts_pairs_that_differ() -> None:
    found = agreement([3.0, 10.0, 0.0, -1.0, None, float("nan")])
    assert (found.pairs, found.agreed, found.ties, found.difference) == (3, 2, 1, 3.0)
    assert agreement([]).verdict == agreement([0.0]).verdict == "unknown"
    assert agreement([1.0, -1.0] * 10).verdict == "neither"
    # Of 10 of 10 the exact interval begins where ten of ten have a chance of 2.5 %.
    sure = agreement([1.0] * 10)
    assert sure.low == pytest.approx(0.025 ** (1 / 10), abs=1e-5)
    assert sure.verdict == "defender"
    assert agreement([-1.0] * 10).verdict == "attacker"


def test_a_model_that_guesses_is_falsified_in_one_case_of_twenty_at_most() -> None:
    for pairs in range(1, 40):
        verdicts = [agreement([1.0] * won + [-1.0] * (pairs - won)).verdict for won in range(pairs + 1)]
        falsified = np.array([verdict in ("defender", "attacker") for verdict in verdicts])
        assert stats.binom.pmf(np.arange(pairs + 1), pairs, 0.5)[falsified].sum() <= 0.05
        assert falsified.any() == (pairs >= 6)
