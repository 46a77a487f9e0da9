"""Certificates against exact answers: never too large, and as large as promised."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax import certification
from tests.support import closed_forms

KEY = jax.random.key(5)


def test_exact_bounds_agree_with_scipy():
    for successes, trials in ((0, 7), (1, 7), (40, 100), (99, 100), (100, 100)):
        interval = stats.binomtest(successes, trials).proportion_ci(1 - 2 * 0.01, method="exact")
        ours = certification.clopper_pearson_lower(successes, trials, 0.01)
        np.testing.assert_allclose(ours, interval.low, rtol=1e-9, atol=1e-15)


def test_accuracies_have_scipys_exact_intervals():
    for successes, trials in ((0, 7), (3, 7), (99, 100), (100, 100)):
        interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
        correct = np.arange(trials) < successes
        (share,) = certification.certified_accuracy(np.ones(trials), correct, [1.0])
        np.testing.assert_allclose(share[1:], (interval.low, interval.high), atol=1e-12)


def test_prediction_is_scipys_binomial_test():
    votes = np.random.default_rng(0).multinomial(100, [0.5, 0.35, 0.15], size=50)
    ours = certification.abstains(votes, 100, 0.01)
    for row, unsure in zip(votes, ours, strict=True):
        second, first = np.sort(row)[-2:]
        value = stats.binomtest(int(first), int(first + second), 0.5).pvalue
        assert unsure == (value > 0.01 or first == second)


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


def test_an_undecided_network_abstains():
    def coin(images):
        score = images.sum((1, 2, 3)) - 0.5 * images[0].size
        return jnp.stack([score, -score], axis=-1)

    image = jnp.full(closed_forms.SHAPE, 0.5)
    done = certification.certify(coin, image, KEY, sigma=0.5, num_estimation=500)
    assert (done.prediction, done.radius) == (certification.ABSTAIN, 0.0)


def nan(images):
    return jnp.full((len(images), 2), jnp.nan)


def tied(images):
    return jnp.zeros((len(images), 2))


@pytest.mark.parametrize("network", [nan, tied])
def test_a_broken_network_is_refused_or_certifies_nothing(network):
    image = closed_forms.image()
    with pytest.raises(ValueError, match="check the checkpoint and its normaliser"):
        certification.certify(network, image, KEY, sigma=0.5, num_estimation=200)
    with pytest.raises(ValueError, match="check the checkpoint and its normaliser"):
        certification.predict(network, image, KEY, sigma=0.5, num_draws=200)
    done = certification.certify_class(network, image, 0, KEY, sigma=0.5, num_draws=200)
    assert (done.prediction, done.radius) == (certification.ABSTAIN, 0.0)


@pytest.mark.parametrize("rivals", ["bounded", "rest"])
def test_soft_smoothing_refuses_a_broken_network(rivals):
    with pytest.raises(ValueError, match="NaN under all"):
        certification.certify_soft(
            nan, closed_forms.image(), KEY, sigma=0.5, num_estimation=200, rivals=rivals
        )


def test_ties_and_nans_of_some_draws_count_against():
    """A draw in three has no answer: the class's share is what is left of 1."""

    def sometimes(answer, images):
        score = images.sum((1, 2, 3)) - 0.5 * images[0].size
        certain = jnp.array([[1.0, 0.0]])
        return jnp.where((score < -0.43 * 3)[:, None], answer, certain)

    image = jnp.full(closed_forms.SHAPE, 0.5)
    most = certification.certified_radius(2 / 3, 1 / 3, 0.5)
    for answer in (jnp.nan, 0.5):
        network = jax.tree_util.Partial(sometimes, answer)
        done = certification.certify(network, image, KEY, sigma=0.5, num_estimation=4000)
        assert done.totals[1] == 0
        assert done.totals[0] == pytest.approx(4000 * 2 / 3, abs=150)
        assert 0.5 * most < done.radius < most


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
        ({"num_selection": 0}, "num_selection = 0"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"sigma": 0.5, "num_estimation": 100, **change}
    with pytest.raises(ValueError, match=message):
        certification.certify(
            closed_forms.smooth_network(KEY), closed_forms.image(), KEY, **arguments
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.0}, "alpha = 1.0"),
        ({"sigma": 0.0}, "sigma = 0.0"),
        ({"num_estimation": 1}, "num_estimation = 1"),
        ({"rivals": "rest", "num_selection": 0}, "num_selection = 0"),
        ({"bound": "chernoff"}, "bound = 'chernoff'"),
        ({"rivals": "none"}, "rivals = 'none'"),
        ({"radii": (-1.0,)}, "radius -1.0"),
    ],
)
def test_bad_arguments_of_soft_smoothing_are_named(change, message):
    arguments = {"sigma": 0.5, "num_estimation": 100, **change}
    with pytest.raises(ValueError, match=message):
        certification.certify_soft(
            closed_forms.smooth_network(KEY), closed_forms.image(), KEY, **arguments
        )


@pytest.mark.parametrize("certify", [certification.certify, certification.certify_soft])
def test_one_class_is_refused(certify):
    with pytest.raises(ValueError, match="one class"):
        certify(lambda x: x.sum((1, 2, 3))[:, None], closed_forms.image(), KEY, sigma=0.5)
