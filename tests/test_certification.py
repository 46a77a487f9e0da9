"""Certificates against exact answers: never too large, and as large as promised."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax import certification
from tests import closed_forms

KEY = jax.random.key(5)


def test_exact_bounds_agree_with_scipy():
    for successes, trials in ((0, 7), (1, 7), (40, 100), (99, 100), (100, 100)):
        interval = stats.binomtest(successes, trials).proportion_ci(1 - 2 * 0.01, method="exact")
        ours = certification.clopper_pearson_lower(successes, trials, 0.01)
        np.testing.assert_allclose(ours, interval.low, rtol=1e-9, atol=1e-15)


def test_bounds_fail_as_rarely_as_promised():
    """Each bound on thousands of samples of a known distribution, against a five-sigma gate."""
    generator, repeats, count, alpha = np.random.default_rng(1), 4000, 60, 0.05
    most = repeats * alpha + 5 * (repeats * alpha * (1 - alpha)) ** 0.5
    votes = generator.binomial(count, 0.8, repeats)
    lower = [certification.clopper_pearson_lower(int(k), count, alpha) for k in votes]
    assert (np.array(lower) > 0.8).sum() <= most
    draws = generator.beta(2, 1, (repeats, count))
    error = draws.mean(1) - 2 / 3
    hoeffding = certification.hoeffding_margin(count, alpha)
    bernstein = np.array(
        [
            certification.empirical_bernstein_margin(v, count, alpha)
            for v in draws.var(1, ddof=1).tolist()
        ]
    )
    for margin in (hoeffding, bernstein):
        assert (error > margin).sum() <= most
        assert (-error > margin).sum() <= most


def test_the_radius_of_a_half_space_is_its_distance():
    """Never above the true distance; nearly it with many draws."""
    weights = closed_forms.image(1) - 0.5
    image = closed_forms.image(2)
    score = float((weights * image).sum())
    distance = abs(score) / float(jnp.linalg.norm(weights))
    sigma = distance / 1.5
    done = certification.certify(
        closed_forms.linear(weights), image, KEY, sigma=sigma, num_estimation=20_000
    )
    assert done.prediction == int(score < 0)
    assert 0.95 * distance < done.radius <= distance
    assert done.totals.sum() == done.num_draws == 20_000


def test_undecided_and_broken_networks_abstain():
    def coin(images):
        score = images.sum((1, 2, 3)) - 0.5 * images[0].size
        return jnp.stack([score, -score], axis=-1)

    def broken(images):
        return jnp.full((images.shape[0], 2), jnp.nan)

    image = jnp.full(closed_forms.SHAPE, 0.5)
    for network in (coin, broken):
        done = certification.certify(network, image, KEY, sigma=0.5, num_estimation=500)
        assert (done.prediction, done.radius) == (certification.ABSTAIN, 0.0)


def test_theorem_and_lemma_agree():
    """At the certified radius the lemma's bounds of the two largest probabilities meet."""
    radius = certification.certified_radius(0.7, 0.2, 0.5)
    low, _ = certification.smoothed_range(0.7, radius, 0.5)
    _, high = certification.smoothed_range(0.2, radius, 0.5)
    assert low == pytest.approx(high)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.0}, "alpha = 0.0"),
        ({"alpha": 1.5}, "alpha = 1.5"),
        ({"sigma": 0.0}, "sigma = 0.0"),
        ({"num_selection": 0}, "num_samples = 0"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"sigma": 0.5, "num_estimation": 100, **change}
    with pytest.raises(ValueError, match=message):
        certification.certify(
            closed_forms.smooth_network(KEY), closed_forms.image(), KEY, **arguments
        )


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="one class"):
        certification.certify(
            lambda x: x.sum((1, 2, 3))[:, None], closed_forms.image(), KEY, sigma=0.5
        )
