"""What is proven in whole numbers holds, by other formulas, and is as good as SciPy's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from pagjax.certification import clopper_pearson_lower, normal, proofs
from tests.certification import exact


@pytest.mark.parametrize(
    "x", ["2", "2.5", "19/7", "4.5", "8.25", "9.5", "11.9", "12.1", "16", "40"]
)
def test_the_normal_distribution_lies_between_its_bounds(x):
    x = Fraction(x)
    low, high = normal.cdf_bounds(x)
    tail = exact.upper_tail(x)
    assert normal.ONE - high <= tail * normal.ONE <= normal.ONE - low
    assert high - low < normal.ONE >> 85
    assert normal.cdf_bounds(-x) == (normal.ONE - high, normal.ONE - low)


def test_the_bounds_are_scipys_function_everywhere():
    points = np.linspace(-6, 6, 97)
    for x in points:
        low, high = normal.cdf_bounds(Fraction(float(x)))
        assert low <= high
        assert low / normal.ONE == pytest.approx(special.ndtr(x), rel=1e-13)
    lows = [normal.cdf_bounds(Fraction(float(x)))[0] for x in points]
    assert lows == sorted(lows)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_tails_are_proven_where_they_are_small_enough_and_only_there(data):
    trials = data.draw(st.integers(1, 40))
    least = data.draw(st.integers(1, trials))
    probability = Fraction(data.draw(st.integers(0, 1000)), 1000)
    truth = exact.binomial_tail(least, trials, probability)
    assert truth == 0 or not proofs.upper_tail_at_most(
        least, trials, probability, truth * (1 - Fraction(1, 10**9))
    )
    if least > trials * probability:
        assert proofs.upper_tail_at_most(least, trials, probability, truth + Fraction(1, 2**150))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.data(), st.floats(1e-9, 0.4))
def test_proven_bounds_fail_as_rarely_as_alpha_exactly(trials, data, alpha):
    successes = data.draw(st.integers(0, trials))
    lower = proofs.proven_clopper_pearson_lower(successes, trials, alpha)
    proposed = clopper_pearson_lower(successes, trials, alpha)
    assert proposed * (1 - 1e-11) <= lower <= proposed
    if successes:
        assert exact.binomial_tail(successes, trials, Fraction(lower)) <= Fraction(alpha)


@pytest.mark.parametrize("wrong", [1 + 1e-9, 1 + 1e-4, 1.4])
def test_a_proposal_that_is_wrong_is_not_believed(wrong, monkeypatch):
    plain = clopper_pearson_lower(70, 100, 0.01)
    monkeypatch.setattr(proofs, "clopper_pearson_lower", lambda *_: plain * wrong)
    assert proofs.proven_clopper_pearson_lower(70, 100, 0.01) <= plain
    quantile = special.ndtri(0.9)
    monkeypatch.setattr(proofs.special, "ndtri", lambda _: quantile * wrong)
    assert proofs.proven_quantile(0.9) <= quantile


@pytest.mark.parametrize("successes", [50_200, 76_543, 99_000, 99_990, 100_000])
def test_many_trials_cost_no_radius(successes):
    lower = proofs.proven_clopper_pearson_lower(successes, 100_000, 0.001)
    assert lower == pytest.approx(clopper_pearson_lower(successes, 100_000, 0.001), rel=1e-11)
    assert stats.binom.sf(successes - 1, 100_000, lower) <= 0.001


@given(st.floats(0, 1))
@settings(deadline=None)
def test_proven_quantiles_are_below_and_near(probability):
    quantile = proofs.proven_quantile(probability)
    plain = special.ndtri(probability)
    if np.isfinite(quantile) and probability != 0.5:
        assert normal.cdf_bounds(Fraction(quantile))[1] <= Fraction(probability) * normal.ONE
    if 1e-12 < probability < 1 - 1e-12:
        assert plain - 1e-10 <= quantile <= plain
    if quantile > 2:
        assert exact.upper_tail(Fraction(quantile)) >= 1 - Fraction(probability)


@given(st.fractions(0, 2))
@settings(deadline=None)
def test_rounding_down_never_exceeds(number):
    found = proofs.rounded_down(number)
    assert Fraction(found) <= number
    assert found == pytest.approx(float(number), rel=1e-15, abs=1e-300)


def test_radii_grow_with_votes_and_with_alpha():
    def radius(successes, alpha):
        lower = proofs.proven_clopper_pearson_lower(successes, 1000, alpha)
        return proofs.proven_radius(lower, 0.25)

    by_votes = [radius(successes, 0.001) for successes in range(500, 1001, 20)]
    assert by_votes == sorted(by_votes)
    assert by_votes[0] == 0 < by_votes[-1]
    by_alpha = [radius(900, alpha) for alpha in (1e-9, 1e-6, 1e-3, 0.1)]
    assert by_alpha == sorted(by_alpha)
