"""The smoothed network: Monte Carlo estimates of E[f(x + noise)], noise ~ N(0, sigma^2 I).

Kaur, Cohen and Lipton (2019), equation 1. The three estimates below differ only in what is
averaged: logits (equation 6), probabilities (soft smoothing) or votes (hard smoothing, Cohen et
al. 2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jax.typing import ArrayLike

from pagjax.core import draws
from pagjax.core.checks import (
    UNIT_BOX,
    Bounds,
    LogitsFn,
    as_images,
    as_partial,
    check_count,
    draws_needed,
    largest_sigma,
)
from pagjax.core.outputs import of_draws, probabilities, vote


def smoothed_logits(
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float | Array,
    num_samples: int,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """Mean of the logits over noise draws, the estimate of E[logits(x + noise)].

    Args:
        logits_fn: images ``[n, height, width, channels]`` in [0, 1] to logits ``[n, classes]``,
            each image by itself.
        images: shape ``[batch, height, width, channels]``, floats in [0, 1] or 8-bit pixels; see
            `pagjax.core.checks.as_images`.
        key: a typed key, or one key per image, shape ``[batch]``; draw i of an image comes from
            ``fold_in(image_key, i)``.
        sigma: standard deviation of the noise in pixel units of [0, 1], from 0 to 2. Where it is a
            plain 0 the network is evaluated once, without noise.
        num_samples: number of draws N, at least 1.
        chunk_size: the most draws of an image held at once; changes memory and speed, not the
            draws. So many images are visited at once that memory does not grow with the batch.
        bounds: lowest and highest pixel value, or None for pixels in other units.

    Returns:
        Shape ``[batch, classes]``.

    Raises:
        ValueError: for images of another shape, type or range, or with NaN; a sigma outside its
            range; or fewer than one draw.
        TypeError: for a key or images that are none.

    Reference: Kaur, Cohen and Lipton (2019), equation 6.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> brightness = lambda x: jnp.stack([x.mean((1, 2, 3)), 1 - x.mean((1, 2, 3))], axis=-1)
        >>> images = jnp.full((2, 8, 8, 3), 0.25)
        >>> key = jax.random.key(0)
        >>> smoothed_logits(brightness, images, key, sigma=0.0, num_samples=20).tolist()
        [[0.25, 0.75], [0.25, 0.75]]
    """
    return smoothed_mean(
        _identity,
        logits_fn,
        images,
        key,
        sigma=sigma,
        num_samples=num_samples,
        chunk_size=chunk_size,
        bounds=bounds,
    )


def smoothed_probabilities(
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float | Array,
    num_samples: int,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """Mean of the softmax over noise draws: the soft-smoothed network (equation 1).

    Arguments, errors and example as for `smoothed_logits`.

    Returns:
        Shape ``[batch, classes]``; rows sum to 1, and are NaN where a draw's logits are.

    Reference: Kaur, Cohen and Lipton (2019), equations 1 and 3.
    """
    return smoothed_mean(
        probabilities,
        logits_fn,
        images,
        key,
        sigma=sigma,
        num_samples=num_samples,
        chunk_size=chunk_size,
        bounds=bounds,
    )


def smoothed_votes(
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float | Array,
    num_samples: int,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """How many noise draws the base network assigns to each class: hard smoothing.

    A draw whose logits hold a NaN, or whose largest logit is shared by two classes, votes for none:
    so a row may sum to less than `num_samples`, and no class profits from a broken draw.

    Arguments, errors and example as for `smoothed_logits`.

    Returns:
        Integer counts of shape ``[batch, classes]``.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.2.
    """
    totals, num_draws = _totals(
        vote, logits_fn, images, key, sigma, num_samples, chunk_size, bounds
    )
    return totals * (num_samples // num_draws)  # at sigma = 0 every draw is the same vote


def smoothed_mean(
    of_logits: Callable[[Array], Array],
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float | Array,
    num_samples: int,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """Mean over noise draws of any function of the logits, from one evaluation a draw.

    Other arguments, errors and example as for `smoothed_logits`.

    Args:
        of_logits: logits ``[classes]`` of one draw to a float array of any shape; pass the same
            function object again to avoid compiling again.

    Returns:
        Shape ``[batch, ...]``.
    """
    totals, num_draws = _totals(
        of_logits, logits_fn, images, key, sigma, num_samples, chunk_size, bounds
    )
    return totals / num_draws


def _identity(logits: Array) -> Array:
    return logits


def _totals(
    of_logits: Callable[[Array], Array],
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    sigma: Any,
    num_samples: int,
    chunk_size: int | None,
    bounds: Bounds | None,
) -> tuple[Array, int]:
    """Sums over draws, and how many draws were needed."""
    network = as_partial(logits_fn)
    images = as_images(images, bounds=bounds, network=network)
    check_count("chunk_size", chunk_size)
    num_draws = draws_needed(sigma, num_samples, largest_sigma(bounds))
    values = math.prod(images.shape[1:])
    chunk = draws.balanced_chunk(num_draws, chunk_size, values)
    totals = _sum_over_draws(
        network,
        images,
        draws.image_keys(key, images.shape[0]),
        jnp.asarray(sigma, images.dtype),
        of_logits=of_logits,
        num_samples=num_draws,
        chunk_size=chunk,
        images_at_once=draws.images_at_once(chunk * values, jax.default_backend()),
    )
    return totals, num_draws


@partial(jax.jit, static_argnames=("of_logits", "num_samples", "chunk_size", "images_at_once"))
def _sum_over_draws(
    logits_fn: Partial,
    images: Array,
    keys: Array,
    sigma: Array,
    *,
    of_logits: Callable[[Array], Array],
    num_samples: int,
    chunk_size: int,
    images_at_once: int,
) -> Array:
    def of_image(image: Array, key: Array) -> Array:
        def add_chunk(total: Array, indices: Array, valid: Array) -> Array:
            outputs = of_draws(of_logits, logits_fn, image, key, sigma, indices)
            counted = valid.reshape(-1, *(1,) * (outputs.ndim - 1))
            return total + jnp.where(counted, outputs, 0).sum(axis=0, dtype=total.dtype)

        output = jax.eval_shape(lambda image: of_logits(logits_fn(image[None])[0]), image)
        return draws.fold_chunks(
            add_chunk, jnp.zeros(output.shape, output.dtype), num_samples, chunk_size
        )

    return draws.in_blocks(jax.vmap(of_image), images_at_once, images, keys)
