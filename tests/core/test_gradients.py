"""Gradient estimators against float64 finite differences and exact expectations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.core import draws
from pagjax.core.gradients import smoothed_gradient
from pagjax.core.objectives import CROSS_ENTROPY, TARGET_CLASS_MAX, Objective
from tests.support import closed_forms

KEY = jax.random.key(3)
SIGMA = 0.4


def _margin(logits, target):
    others = jnp.where(jnp.arange(logits.size) == target, -jnp.inf, logits)
    return logits[target] - jax.nn.logsumexp(others)


OBJECTIVES = [
    TARGET_CLASS_MAX,
    CROSS_ENTROPY,
    Objective("margin", _margin, "mean"),
    Objective("margin of means", _margin, "log_mean_exp"),
]


def _value(network, objective, image, target, num_samples):
    """The objective for the estimator's draws, computed all at once and by its definition."""
    noise = draws.gaussian(KEY, jnp.arange(num_samples), image.shape, image.dtype)
    logits = network(image + SIGMA * noise)
    scores = jax.vmap(lambda row: objective.score(row, target))(logits)
    if objective.reduction == "mean":
        return scores.mean()
    return jnp.log(jnp.exp(scores).mean())


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("objective", "chunk_size"),
    [(objective, 4) for objective in OBJECTIVES]
    + [(CROSS_ENTROPY, chunk_size) for chunk_size in (None, 1, 6, 7, 8)],
)
def test_gradients_against_finite_differences(objective, chunk_size):
    network = closed_forms.smooth_network(jax.random.key(1))
    image = closed_forms.image(2)
    estimate = jax.jit(
        lambda image: smoothed_gradient(
            network,
            objective,
            image,
            1,
            KEY,
            sigma=SIGMA,
            num_samples=7,
            chunk_size=chunk_size,
        )
    )(image)
    value = jax.jit(lambda image: _value(network, objective, image, 1, 7))
    np.testing.assert_allclose(estimate.value, value(image), rtol=1e-12)
    step, differences = 1e-6, np.zeros(image.shape)
    for index in np.ndindex(image.shape):
        nudge = jnp.zeros(image.shape).at[index].set(step)
        differences[index] = (value(image + nudge) - value(image - nudge)) / (2 * step)
    np.testing.assert_allclose(estimate.gradient, differences, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_standard_errors_by_definition(chunk_size):
    network = closed_forms.smooth_network(jax.random.key(1))
    image = closed_forms.image(2)
    noise = draws.gaussian(KEY, jnp.arange(12), image.shape, image.dtype)
    logits = np.asarray(network(image + SIGMA * noise))
    probabilities = np.asarray(jax.nn.softmax(jnp.asarray(logits)))[:, 2]
    expected = {
        TARGET_CLASS_MAX: logits[:, 2].std(ddof=1) / 12**0.5,
        CROSS_ENTROPY: probabilities.std(ddof=1) / 12**0.5 / probabilities.mean(),
    }
    for objective, standard_error in expected.items():
        estimate = smoothed_gradient(
            network,
            objective,
            image,
            2,
            KEY,
            sigma=SIGMA,
            num_samples=12,
            chunk_size=chunk_size,
        )
        np.testing.assert_allclose(estimate.standard_error, standard_error, rtol=1e-10)


@pytest.mark.parametrize("chunk_size", [None, 3])
def test_cross_entropy_is_right_where_probabilities_vanish(chunk_size):
    """Logits so far apart that softmax underflows in float32: p is about 1e-30 and below."""
    weights = closed_forms.image(1)
    scale = 60.0 / float((weights**2).sum())
    network = closed_forms.linear(-scale * weights)
    estimate = smoothed_gradient(
        network,
        CROSS_ENTROPY,
        weights,
        0,
        KEY,
        sigma=0.01,
        num_samples=8,
        chunk_size=chunk_size,
    )
    noise = np.float64(draws.gaussian(KEY, jnp.arange(8), weights.shape, weights.dtype))
    scores = -scale * ((np.float64(weights) + 0.01 * noise) * np.float64(weights)).sum((1, 2, 3))
    log_p = -np.logaddexp(0, -2 * scores)
    exact = np.log(np.mean(np.exp(log_p - log_p.max()))) + log_p.max()
    assert exact < np.log(1e-30)
    np.testing.assert_allclose(estimate.value, exact, rtol=1e-5)
    np.testing.assert_allclose(estimate.gradient, -2 * scale * weights, rtol=1e-4)
    assert np.isfinite(estimate.standard_error)


def test_the_estimator_is_unbiased_in_scale_and_direction():
    """A cubic logit: the exact smoothed gradient is 3 x^2 + 3 sigma^2, by coordinates."""

    def cubic(images):
        score = (images**3).sum((1, 2, 3))
        return jnp.stack([score, -score], axis=-1)

    image = closed_forms.image(4)
    repeats, count = 400, 10
    estimates = jax.vmap(
        lambda key: (
            smoothed_gradient(
                cubic, TARGET_CLASS_MAX, image, 0, key, sigma=SIGMA, num_samples=count
            ).gradient
        )
    )(jax.random.split(KEY, repeats))
    exact = 3 * image**2 + 3 * SIGMA**2
    standard_error = estimates.std(0, ddof=1) / repeats**0.5
    assert bool(jnp.all(jnp.abs(estimates.mean(0) - exact) < 5 * standard_error))


def test_one_draw_says_nothing_of_its_error_and_no_noise_has_none():
    network = closed_forms.smooth_network(jax.random.key(1))
    image = closed_forms.image(2)
    noisy, plain = (
        smoothed_gradient(network, TARGET_CLASS_MAX, image, 0, KEY, sigma=sigma, num_samples=1)
        for sigma in (0.5, 0.0)
    )
    assert noisy.standard_error == jnp.inf
    assert plain.standard_error == 0
    np.testing.assert_allclose(plain.value, network(image[None])[0, 0], rtol=1e-6)


def test_memory_does_not_grow_with_the_number_of_draws():
    network = closed_forms.smooth_network(jax.random.key(1), hidden=64)

    def temporary_bytes(num_samples):
        compiled = (
            jax.jit(
                lambda image: smoothed_gradient(
                    network,
                    CROSS_ENTROPY,
                    image,
                    0,
                    KEY,
                    sigma=SIGMA,
                    num_samples=num_samples,
                    chunk_size=10,
                )
            )
            .lower(closed_forms.image(0))
            .compile()
        )
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporary_bytes(2000) <= 1.1 * temporary_bytes(20)


def test_unknown_reductions_are_refused():
    with pytest.raises(ValueError, match="'median'"):
        Objective("odd", _margin, "median")
