"""Smoothed gradients of pictures, and how far independent noise draws agree about them."""

from __future__ import annotations

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from pagjax.alignment.directions import cosine
from pagjax.core import draws
from pagjax.core.checks import (
    UNIT_BOX,
    Bounds,
    LogitsFn,
    as_images,
    as_partial,
    as_targets,
    check_count,
    draws_needed,
    largest_sigma,
    num_classes,
)
from pagjax.core.gradients import smoothed_gradient
from pagjax.core.objectives import TARGET_CLASS_MAX, Objective, as_objective


def gradients(  # as `smoothed_gradient`, of a batch
    logits_fn: LogitsFn,
    images: Array,
    targets: Array,
    key: Array,
    *,
    sigma: float,
    num_samples: int,
    objective: Objective | str = TARGET_CLASS_MAX,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """Gradients of an objective of the smoothed network at a batch of pictures.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        images: shape ``[batch, height, width, channels]``, in [0, 1]; see
            `pagjax.core.checks.as_images`.
        targets: class indices, shape ``[batch]``, or labels of a network from `pagjax.load`.
        key: a typed key, or one per picture.
        sigma: noise level in pixel units of [0, 1]; 0 is the base network.
        num_samples: noise draws N.
        objective: whose gradient; the target's expected logit by default.
        chunk_size: the most draws of a picture held at once.
        bounds: lowest and highest pixel value, or None for pixels in other units.

    Returns:
        Shape of `images`.

    Raises:
        ValueError: for shapes, ranges or targets that do not fit.

    Reference: Kaur, Cohen and Lipton (2019), appendix C.

    Example, the gradient of a mean:
        >>> import jax, jax.numpy as jnp
        >>> mean = lambda x: jnp.stack([x.mean((1, 2, 3)), -x.mean((1, 2, 3))], -1)
        >>> found = gradients(mean, jnp.zeros((2, 2, 1, 1)), jnp.array([0, 1]), jax.random.key(0),
        ...                   sigma=0.5, num_samples=4)
        >>> found.ravel().tolist()
        [0.5, 0.5, -0.5, -0.5]
    """
    network = as_partial(logits_fn)
    images = as_images(images, bounds=bounds, network=network)
    check_count("chunk_size", chunk_size)
    num_draws = draws_needed(sigma, num_samples, largest_sigma(bounds))
    values = math.prod(images.shape[1:])
    chunk = draws.balanced_chunk(num_draws, chunk_size, values)
    return _gradients(
        network,
        images,
        as_targets(targets, images.shape[0], num_classes(network, images), network),
        draws.image_keys(key, images.shape[0]),
        jnp.asarray(sigma, images.dtype),
        num_samples=num_draws,
        objective=as_objective(objective),
        chunk_size=chunk_size,
        images_at_once=draws.images_at_once(chunk * values, jax.default_backend()),
    )


def gradient_agreement(  # as `gradients`, and how often
    logits_fn: LogitsFn,
    images: Array,
    targets: Array,
    key: Array,
    *,
    sigma: float,
    num_samples: int,
    repeats: int = 4,
    objective: Objective | str = TARGET_CLASS_MAX,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """Mean cosine between gradients estimated from independent sets of N noise draws.

    The number behind the paper's figure 14: where it is near 1, more draws would not change the
    direction. For a gradient g whose single draws vary by ``v`` in all (the trace of their
    covariance) it is about ``|g|^2 / (|g|^2 + v / N)``.

    Args:
        num_samples: noise draws of a set, N.
        repeats: independent sets, at least 2; the mean is over their pairs.
        logits_fn, images, targets, key, sigma, objective, chunk_size, bounds: see `gradients`.

    Returns:
        Shape ``[batch]``, in [-1, 1]; 1 without noise.

    Raises:
        ValueError: for fewer than two repeats, or as `gradients`.

    Reference: Kaur, Cohen and Lipton (2019), appendix C, for the question; the number is ours.

    Example, a linear score, about whose gradient all draws agree:
        >>> import jax, jax.numpy as jnp
        >>> mean = lambda x: jnp.stack([x.mean((1, 2, 3)), -x.mean((1, 2, 3))], -1)
        >>> agreement = gradient_agreement(mean, jnp.zeros((1, 2, 2, 1)), jnp.array([0]),
        ...                                jax.random.key(0), sigma=0.5, num_samples=1)
        >>> float(agreement[0])
        1.0
    """
    check_count("repeats", repeats)
    if repeats < 2:
        raise ValueError(f"repeats = {repeats}: agreement needs at least two sets of draws")
    images = as_images(images, bounds=bounds, network=as_partial(logits_fn))
    keys = draws.image_keys(key, images.shape[0])
    found = [
        gradients(
            logits_fn,
            images,
            targets,
            jax.vmap(partial(jax.random.fold_in, data=repeat))(keys),
            sigma=sigma,
            num_samples=num_samples,
            objective=objective,
            chunk_size=chunk_size,
            bounds=bounds,
        )
        for repeat in range(repeats)
    ]
    return jnp.stack([cosine(*pair) for pair in itertools.combinations(found, 2)]).mean(axis=0)


@partial(jax.jit, static_argnames=("num_samples", "objective", "chunk_size", "images_at_once"))
def _gradients(  # arrays, then what is static
    logits_fn: Partial,
    images: Array,
    targets: Array,
    keys: Array,
    sigma: Array,
    *,
    num_samples: int,
    objective: Objective,
    chunk_size: int | None,
    images_at_once: int,
) -> Array:
    def of_image(image: Array, target: Array, key: Array) -> Array:
        return smoothed_gradient(
            logits_fn,
            objective,
            image,
            target,
            key,
            sigma=sigma,
            num_samples=num_samples,
            chunk_size=chunk_size,
        ).gradient

    return draws.in_blocks(jax.vmap(of_image), images_at_once, images, targets, keys)
