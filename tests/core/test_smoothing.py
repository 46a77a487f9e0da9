"""Smoothed logits, probabilities and votes against what is known exactly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

import pagjax
from tests.support import closed_forms

KEY = jax.random.key(7)
ALL = [pagjax.smoothed_logits, pagjax.smoothed_probabilities, pagjax.smoothed_votes]


def test_without_noise_the_network_itself_in_one_evaluation():
    network = closed_forms.smooth_network(KEY)
    images = closed_forms.image(batch=3)
    evaluated = []

    def counted(x):
        jax.debug.callback(lambda x: evaluated.append(x.shape[0]), x)
        return network(x)

    smoothed = pagjax.smoothed_logits(counted, images, KEY, sigma=0.0, num_samples=50)
    jax.effects_barrier()
    np.testing.assert_allclose(smoothed, network(images), rtol=1e-6)
    assert sum(evaluated) == images.shape[0]


def test_votes_without_noise_are_unanimous():
    network = closed_forms.smooth_network(KEY)
    images = closed_forms.image(batch=3)
    votes = pagjax.smoothed_votes(network, images, KEY, sigma=0, num_samples=50)
    assert votes.tolist() == (50 * jax.nn.one_hot(network(images).argmax(-1), 3)).tolist()


def test_a_linear_logit_is_smoothed_to_itself_within_the_noise_mean():
    weights = closed_forms.image(1)
    images = closed_forms.image(batch=2)
    sigma, count = 0.5, 4000
    network = closed_forms.linear(weights)
    smoothed = pagjax.smoothed_logits(network, images, KEY, sigma=sigma, num_samples=count)
    standard_error = sigma * float(jnp.linalg.norm(weights)) / count**0.5
    np.testing.assert_allclose(smoothed, network(images), atol=5 * standard_error)


def test_a_quadratic_logit_gains_the_trace_term():
    curvature = closed_forms.image(1)
    images = closed_forms.image(batch=1)
    sigma, count = 0.5, 4000
    network = closed_forms.quadratic(curvature)
    smoothed = pagjax.smoothed_logits(network, images, KEY, sigma=sigma, num_samples=count)[0, 0]
    exact = network(images)[0, 0] + sigma**2 * curvature.sum()
    variance = (4 * sigma**2 * (curvature * images[0]) ** 2 + 2 * sigma**4 * curvature**2).sum()
    assert abs(smoothed - exact) < 5 * jnp.sqrt(variance / count)


def test_votes_of_a_half_space_follow_the_normal_distribution():
    weights = closed_forms.image(1) - 0.5
    images = closed_forms.image(batch=4)
    sigma, count = 0.5, 5000
    network = closed_forms.linear(weights)
    votes = pagjax.smoothed_votes(network, images, KEY, sigma=sigma, num_samples=count)
    exact = norm.cdf(network(images)[:, 0] / (sigma * jnp.linalg.norm(weights)))
    standard_error = jnp.sqrt(exact * (1 - exact) / count)
    assert votes.sum(-1).tolist() == [count] * 4
    assert bool(jnp.all(jnp.abs(votes[:, 0] / count - exact) < 5 * standard_error))


def test_ties_and_nan_vote_for_nobody():
    def of_kind(row):
        return lambda images: jnp.broadcast_to(row, (images.shape[0], 3))

    images = closed_forms.image(batch=1)
    for row in (jnp.array([1.0, 1.0, 0.0]), jnp.array([1.0, jnp.nan, 0.0])):
        votes = pagjax.smoothed_votes(of_kind(row), images, KEY, sigma=0.1, num_samples=10)
        assert votes.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("smoothed", ALL)
@pytest.mark.parametrize("chunk_size", [1, 10, 11, 12])
def test_chunks_change_nothing(smoothed, chunk_size):
    network = closed_forms.smooth_network(KEY)
    images = closed_forms.image(batch=2)
    whole = smoothed(network, images, KEY, sigma=0.3, num_samples=11)
    chunked = smoothed(network, images, KEY, sigma=0.3, num_samples=11, chunk_size=chunk_size)
    np.testing.assert_allclose(chunked, whole, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("smoothed", ALL)
def test_an_image_meets_the_same_draws_in_any_batch(smoothed):
    network = closed_forms.smooth_network(KEY)
    images = closed_forms.image(batch=3)
    keys = jax.random.split(KEY, 3)
    together = smoothed(network, images, keys, sigma=0.3, num_samples=9)
    alone = smoothed(network, images[2:], keys[2:], sigma=0.3, num_samples=9)
    np.testing.assert_allclose(together[2:], alone, rtol=2e-6)
    first = smoothed(network, images[:1], KEY, sigma=0.3, num_samples=9)
    np.testing.assert_allclose(
        smoothed(network, images, KEY, sigma=0.3, num_samples=9)[:1], first, rtol=2e-6
    )


def test_probabilities_sum_to_one_and_keys_matter():
    network = closed_forms.smooth_network(KEY)
    images = closed_forms.image(batch=2)
    first, second = (
        pagjax.smoothed_probabilities(network, images, jax.random.key(s), sigma=0.5, num_samples=5)
        for s in (0, 1)
    )
    np.testing.assert_allclose(first.sum(-1), 1, rtol=1e-6)
    assert not np.allclose(first, second)


def test_a_second_call_compiles_nothing():
    network = closed_forms.smooth_network(KEY)
    images = closed_forms.image(batch=2)
    traces = []

    def counted(x):
        traces.append(1)
        return network(x)

    for seed, sigma in ((0, 0.25), (1, 0.5)):
        pagjax.smoothed_logits(
            counted, images, jax.random.key(seed), sigma=sigma, num_samples=30, chunk_size=7
        )
        if seed == 0:
            after_first = len(traces)
    assert len(traces) == after_first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": jnp.zeros((4, 3, 3))}, r"images\[None\]"),
        ({"images": jnp.zeros((1, 4, 3, 3), jnp.int16)}, "divide 8-bit pixels by 255"),
        ({"sigma": -0.1}, "sigma = -0.1"),
        ({"sigma": float("nan")}, "sigma = nan"),
        ({"num_samples": 0}, "num_samples = 0"),
        ({"chunk_size": 0}, "chunk_size = 0"),
        ({"key": jax.random.split(KEY, 3)}, "one key per image"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {
        "images": closed_forms.image(batch=1),
        "key": KEY,
        "sigma": 0.1,
        "num_samples": 2,
        **change,
    }
    images, key = arguments.pop("images"), arguments.pop("key")
    with pytest.raises(ValueError, match=message):
        pagjax.smoothed_logits(closed_forms.smooth_network(KEY), images, key, **arguments)
