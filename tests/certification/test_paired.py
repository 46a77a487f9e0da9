"""Differences of two classifiers on the same images: against a search, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from pagjax.certification import paired


def by_search(one, other, images, difference):
    """The score statistic with the likeliest shares of that difference, found numerically."""

    def unlikely(share):
        shares = np.array([share + difference, share, 1 - 2 * share - difference])
        counts = np.array([one, other, images - one - other])
        return -np.sum(counts * np.log(np.maximum(shares, 1e-300)))

    least, most = max(0.0, -difference), (1 - difference) / 2
    found = optimize.minimize_scalar(unlikely, bounds=(least, most), options={"xatol": 1e-12})
    variance = images * (2 * found.x + difference - difference**2)
    return (one - other - images * difference) / np.sqrt(variance)


@pytest.mark.parametrize("counts", [(12, 2, 50), (2, 12, 50), (30, 30, 500), (7, 0, 40)])
def test_the_ends_are_where_the_score_test_rejects(counts):
    low, high = paired.tango_interval(*counts, 0.05)
    quantile = stats.norm.ppf(0.975)
    assert by_search(*counts, float(low)) == pytest.approx(quantile, abs=2e-3)
    assert by_search(*counts, float(high)) == pytest.approx(-quantile, abs=2e-3)


def test_without_a_difference_the_interval_is_known():
    """With no image on which two differ, z^2 / (n + z^2): Tango (1998), section 3."""
    most = stats.norm.ppf(0.975) ** 2
    low, high = paired.tango_interval(0, 0, 50, 0.05)
    assert (-low, high) == pytest.approx((most / (50 + most),) * 2)
    assert paired.tango_interval(50, 0, 50, 0.05)[1] == 1.0


@pytest.mark.parametrize("shares", [(0.1, 0.05), (0.08, 0.03), (0.3, 0.02), (0.02, 0.02)])
def test_the_interval_misses_as_rarely_as_alpha(shares):
    repeats, images = 20_000, 500
    generator = np.random.default_rng(3)
    counts = generator.multinomial(images, [*shares, 1 - sum(shares)], size=repeats)
    low, high = paired.tango_interval(counts[:, 0], counts[:, 1], images, 0.05)
    missed = ((low > shares[0] - shares[1]) | (high < shares[0] - shares[1])).mean()
    # A score interval keeps its level nearly: half a percent, and five standard errors.
    assert abs(missed - 0.05) < 0.005 + 5 * (0.05 * 0.95 / repeats) ** 0.5


def test_mcnemars_test_is_exact():
    """Under equal shares no level is exceeded: all outcomes, with their probabilities."""
    for both in (1, 6, 15):
        chances = stats.binom.pmf(np.arange(both + 1), both, 0.5)
        values = np.array([paired.mcnemar_p_value(n, both - n) for n in range(both + 1)])
        for level in (0.01, 0.05, 0.3):
            assert chances[values <= level].sum() <= level


def test_answers_that_are_not_of_the_same_images_are_refused():
    for first, second in (([True], [True, False]), ([], [])):
        with pytest.raises(ValueError, match="not of same images"):
            paired.paired_difference(np.array(first), np.array(second))
    with pytest.raises(ValueError, match="impossible counts"):
        paired.tango_interval(30, 30, 50, 0.05)
