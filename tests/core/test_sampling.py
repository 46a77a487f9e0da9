"""Dependent draws: each one normal, means unbiased, standard errors true, less variance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.core.gradients import smoothed_gradient
from pagjax.core.objectives import TARGET_CLASS_MAX
from pagjax.core.sampling import group_size, sample
from tests.support import closed_forms

KEY, SIGMA = jax.random.key(5), 0.4
KINDS = [("independent", 8), ("antithetic", 8), ("latin-hypercube", 8), ("latin-hypercube", 20)]


def _draws(kind, count, repeats=500):
    group = group_size(kind, count)
    return jax.vmap(
        lambda key: sample(kind, key, jnp.arange(count), (6,), jnp.float32, group=group)
    )(jax.random.split(KEY, repeats))


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_every_single_draw_is_standard_normal(kind, count):
    """Mean, variance and fourth moment of each draw number, at five standard errors."""
    values = np.asarray(_draws(kind, count), np.float64).transpose(1, 0, 2).reshape(count, -1)
    for power, exact in ((1, 0), (2, 1), (3, 0), (4, 3)):
        moments = values**power
        error = moments.std(axis=1, ddof=1) / moments.shape[1] ** 0.5
        assert np.all(np.abs(moments.mean(axis=1) - exact) < 5 * error)


def test_a_hypercube_fills_every_stratum_once():
    for size, count in ((10, 20), (4, 8)):
        assert group_size("latin-hypercube", count) == size
        below = jax.scipy.special.ndtr(_draws("latin-hypercube", count, repeats=20))
        strata = jnp.floor(below * size).reshape(20, 2, size, 6)
        expected = np.broadcast_to(np.arange(size)[:, None], strata.shape)
        np.testing.assert_array_equal(jnp.sort(strata, axis=2), expected)


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_gradients_are_unbiased_and_errors_those_of_dependent_draws(kind, count):
    """A cubic logit: gradient 3 x^2 + 3 sigma^2 and value x^3 + 3 sigma^2 x are known."""

    def cubic(images):
        score = (images**3).sum((1, 2, 3))
        return jnp.stack([score, -score], axis=-1)

    image, repeats = closed_forms.image(4), 600
    found = jax.vmap(
        lambda key: smoothed_gradient(
            cubic, TARGET_CLASS_MAX, image, 0, key, sigma=SIGMA, num_samples=count, sampling=kind
        )
    )(jax.random.split(KEY, repeats))
    exact = 3 * image**2 + 3 * SIGMA**2
    error = found.gradient.std(0, ddof=1) / repeats**0.5
    assert bool(jnp.all(jnp.abs(found.gradient.mean(0) - exact) < 5 * error))
    value = (image**3 + 3 * SIGMA**2 * image).sum()
    variance = found.value.var(ddof=1)
    assert abs(found.value.mean() - value) < 5 * (variance / repeats) ** 0.5
    # The mean of the squared standard errors is the variance of the value.
    stated = found.standard_error**2
    spread = stated.std(ddof=1) / repeats**0.5 + variance * (2 / repeats) ** 0.5
    assert abs(stated.mean() - variance) < 5 * spread
    first, second, third = 3 * image**2 * SIGMA, 3 * image * SIGMA**2, SIGMA**3
    independent = (first**2 + 2 * second**2 + 15 * third**2 + 6 * first * third).sum() / count
    if kind == "independent":
        assert abs(variance - independent) < 5 * independent * (2 / repeats) ** 0.5
    else:
        assert variance < 0.8 * independent


@pytest.mark.parametrize("kind", ["antithetic", "latin-hypercube"])
def test_chunks_of_whole_groups_change_nothing(kind):
    network = closed_forms.smooth_network(KEY)

    def estimate(chunk_size):
        given = {"sigma": SIGMA, "num_samples": 12, "sampling": kind, "chunk_size": chunk_size}
        return smoothed_gradient(network, TARGET_CLASS_MAX, closed_forms.image(), 1, KEY, **given)

    whole, chunked = estimate(None), estimate(7)
    for ours, theirs in zip(whole, chunked, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="chunk_size = 1"):
        estimate(1)


@pytest.mark.parametrize(
    ("kind", "count", "message"),
    [
        ("antithetic", 5, "even number"),
        ("latin-hypercube", 2, "at least 4"),
        ("latin-hypercube", 7, "even number"),
        ("sobol", 4, "'sobol'"),
    ],
)
def test_numbers_that_do_not_go_into_groups_are_refused(kind, count, message):
    with pytest.raises(ValueError, match=message):
        group_size(kind, count)
