"""Attacks on a classifier's own label, by the core's projected-gradient loop."""

from __future__ import annotations

import jax
from jax import Array

from pagjax.core import pgd
from pagjax.core.checks import LogitsFn
from pagjax.core.gradients import GradientEstimate, smoothed_gradient
from pagjax.core.objectives import CROSS_ENTROPY
from pagjax.core.projections import ball_then_box


def attack(
    logits_fn: LogitsFn,
    images: Array,
    labels: Array,
    keys: Array,
    *,
    sigma: float,
    epsilon: Array | float,
    num_steps: int,
    num_samples: int,
) -> Array:
    """Images in an l2 ball that the smoothed classifier finds unlikely to be what they are.

    Climbs ``-log E[p_label(x + noise)]`` from the images themselves, in steps of
    ``2 epsilon / num_steps`` with draws fixed over the steps, within [0, 1].

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        images: shape ``[batch, height, width, channels]`` in [0, 1].
        labels: class indices ``[batch]``.
        keys: one per image; an image's draws come from ``fold_in(key, 0)``.
        sigma: noise level in pixel units; 0 attacks the base network.
        epsilon: l2 radius in pixel units.
        num_steps: steps of the attack.
        num_samples: draws; 1 for sigma = 0.

    Returns:
        Shape of `images`.

    Reference: Salman et al. (2019), equation 6, and the PGD_L2 of their implementation.

    Example, a linear classifier of one class against a constant:
        >>> import jax, jax.numpy as jnp
        >>> score = lambda x: jnp.stack([x.sum((1, 2, 3)), 0 * x.sum((1, 2, 3))], axis=-1)
        >>> images = jnp.full((1, 2, 2, 1), 0.5)
        >>> moved = attack(score, images, jnp.array([0]), jax.random.split(jax.random.key(0), 1),
        ...                sigma=0.0, epsilon=0.5, num_steps=2, num_samples=1)
        >>> bool(jnp.allclose(moved, 0.25))
        True
    """

    def of_image(image: Array, label: Array, key: Array) -> Array:
        def downhill(point: Array, key: Array) -> GradientEstimate:
            up = smoothed_gradient(
                logits_fn, CROSS_ENTROPY, point, label, key, sigma=sigma, num_samples=num_samples
            )
            return GradientEstimate(-up.value, up.standard_error, -up.gradient)

        state, _ = pgd.run(
            downhill,
            pgd.init(image),
            image,
            key,
            num_steps=num_steps,
            step_size=2 * epsilon / num_steps,
            project=lambda point, start: ball_then_box(point, start, epsilon),
            noise="fixed",
        )
        return state.image

    return jax.lax.stop_gradient(jax.vmap(of_image)(images, labels, keys))
