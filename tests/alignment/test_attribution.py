"""SmoothGrad against its definition, and heat maps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.alignment.attribution import heatmap, smoothgrad
from pagjax.core import draws


def _logits(x):
    flat = x.reshape(len(x), -1)
    return jnp.stack([jnp.sin(3 * flat).sum(-1), (flat**3).sum(-1)], axis=-1)


def test_it_is_the_mean_of_the_draws_gradients(x64):
    images = jax.random.uniform(jax.random.key(0), (2, 3, 3, 1))
    keys = jax.random.split(jax.random.key(1), 2)
    targets = jnp.array([0, 1])
    found = smoothgrad(_logits, images, targets, keys, sigma=0.3, num_samples=7)
    for image, target, key, gradient in zip(images, targets, keys, found, strict=True):
        noise = draws.gaussian(key, jnp.arange(7), image.shape, image.dtype)
        each = [
            jax.grad(lambda x, t=target: _logits(x[None])[0, t])(image + 0.3 * n) for n in noise
        ]
        np.testing.assert_allclose(gradient, np.mean(each, axis=0), rtol=1e-12)


def test_heat_maps_clip_the_strongest_pixels_alone():
    gradient = (
        jnp.zeros((1, 10, 10, 3)).at[0, 0, 0, 1].set(-100.0).at[0, 5].set(0.5).at[0, 2].set(0.25)
    )
    shown = heatmap(gradient, share=0.95)
    np.testing.assert_allclose(shown[0, 5], 1.0)
    np.testing.assert_allclose(shown[0, 2], 0.5)
    assert float(shown[0, 0, 0]) == 1.0
    assert float(heatmap(jnp.zeros((1, 2, 2, 3))).max()) == 0
    with pytest.raises(ValueError, match="share = 0"):
        heatmap(gradient, share=0.0)
