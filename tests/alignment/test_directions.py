"""Cosines, nearest images, other classes, and gradients that draws agree about."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.alignment import directions, gradient_agreement, gradients
from tests.support import closed_forms


def test_cosines_and_alignment():
    one = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3, 3)), jnp.float32)
    np.testing.assert_allclose(directions.cosine(one, -1e-25 * one), -1, rtol=1e-5)
    assert float(directions.cosine(one, 0 * one).sum()) == 0
    starts = jnp.zeros_like(one)
    both = jnp.stack([2 * one, -one], axis=1)
    np.testing.assert_allclose(directions.alignment(one, starts, both), 0, atol=1e-6)
    np.testing.assert_allclose(directions.alignment(one, one, 3 * one), 1, rtol=1e-5)


def test_the_nearest_are_those_of_all_distances():
    generator = np.random.default_rng(1)
    starts, candidates = generator.normal(size=(3, 2, 2, 3)), generator.normal(size=(20, 2, 2, 3))
    numbers, distances = directions.nearest(jnp.asarray(starts), jnp.asarray(candidates), 4)
    every = np.linalg.norm((starts[:, None] - candidates).reshape(3, 20, -1), axis=-1)
    np.testing.assert_array_equal(numbers, np.argsort(every, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :4], rtol=1e-5)
    with pytest.raises(ValueError, match="21 nearest of 20"):
        directions.nearest(jnp.asarray(starts), jnp.asarray(candidates), 21)


def test_other_classes_are_never_the_target_and_equally_likely():
    targets = jnp.arange(8000) % 4
    others = np.asarray(directions.other_classes(jax.random.key(0), targets, 4))
    steps = np.bincount((others - np.asarray(targets)) % 4, minlength=4)
    assert steps[0] == 0
    assert np.abs(steps[1:] - 8000 / 3).max() < 5 * np.sqrt(8000 * 2 / 9)
    with pytest.raises(ValueError, match="1 classes"):
        directions.other_classes(jax.random.key(0), targets, 1)


def test_gradients_of_a_linear_score_agree_whatever_the_noise():
    weights = closed_forms.image(1)
    network = closed_forms.linear(weights)
    images = closed_forms.image(batch=3)
    found = gradients(
        network, images, jnp.array([0, 1, 0]), jax.random.key(0), sigma=0.5, num_samples=3
    )
    np.testing.assert_allclose(found, jnp.stack([weights, -weights, weights]), rtol=1e-5)
    agreement = gradient_agreement(
        network, images, jnp.zeros(3, int), jax.random.key(0), sigma=0.5, num_samples=1
    )
    np.testing.assert_allclose(agreement, 1, rtol=1e-6)
    with pytest.raises(ValueError, match="repeats = 1"):
        gradient_agreement(
            network,
            images,
            jnp.zeros(3, int),
            jax.random.key(0),
            sigma=0.5,
            num_samples=1,
            repeats=1,
        )


@pytest.mark.parametrize("num_samples", [1, 4, 16])
def test_agreement_grows_with_draws_as_it_must(num_samples):
    """Logit |x|^2 / 2: a draw's gradient is x plus its noise, N of them x plus noise over N."""
    side, sigma = 40, 0.5

    def half_square(images: jax.Array) -> jax.Array:
        return jnp.stack([jnp.square(images).sum((1, 2, 3)) / 2, 0 * images.sum((1, 2, 3))], -1)

    images = jax.random.uniform(jax.random.key(2), (6, side, side, 3), minval=0.3)
    found = gradient_agreement(
        half_square,
        images,
        jnp.zeros(6, int),
        jax.random.key(0),
        sigma=sigma,
        num_samples=num_samples,
    )
    square = np.square(np.asarray(images)).sum((1, 2, 3))
    expected = square / (square + sigma**2 * images[0].size / num_samples)
    # In n dimensions such a cosine varies by less than 2 / sqrt(n), six pairs of sets by less.
    np.testing.assert_allclose(found, expected, atol=5 * 2 / np.sqrt(images[0].size))
    assert abs(float(np.mean(np.asarray(found) - expected))) < 5 * 2 / np.sqrt(6 * images[0].size)
