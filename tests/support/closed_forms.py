"""Small classifiers of which something is known exactly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

SHAPE = (4, 3, 3)


def linear(weights: Array) -> jax.tree_util.Partial:
    """Logits w.x and -w.x: smoothing changes nothing."""

    def logits(weights: Array, images: Array) -> Array:
        score = (images * weights).sum((1, 2, 3))
        return jnp.stack([score, -score], axis=-1)

    return jax.tree_util.Partial(logits, weights)


def quadratic(curvature: Array) -> jax.tree_util.Partial:
    """Logit sum c x^2, whose expectation under noise is itself plus sigma^2 sum c."""

    def logits(curvature: Array, images: Array) -> Array:
        score = (curvature * images**2).sum((1, 2, 3))
        return jnp.stack([score, jnp.zeros_like(score)], axis=-1)

    return jax.tree_util.Partial(logits, curvature)


def smooth_network(key: Array, classes: int = 3, hidden: int = 6) -> jax.tree_util.Partial:
    """A two-layer tanh network: everywhere differentiable, for finite differences."""
    first, second = jax.random.split(key)
    size = SHAPE[0] * SHAPE[1] * SHAPE[2]
    dtype = jnp.zeros(()).dtype
    weights = (
        jax.random.normal(first, (size, hidden), dtype),
        2 * jax.random.normal(second, (hidden, classes), dtype),
    )

    def logits(weights: tuple[Array, Array], images: Array) -> Array:
        return jnp.tanh(images.reshape(images.shape[0], -1) @ weights[0]) @ weights[1]

    return jax.tree_util.Partial(logits, weights)


def image(seed: int = 0, batch: int | None = None) -> Array:
    shape = SHAPE if batch is None else (batch, *SHAPE)
    return jax.random.uniform(jax.random.key(seed), shape, minval=0.2, maxval=0.8)
