"""Attacks on a classifier's own label, by the core's projected-gradient loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
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

    return smoothed_ascent(
        logits_fn,
        images,
        labels,
        keys,
        smoothing=(sigma, num_samples),
        num_steps=num_steps,
        step_size=2 * epsilon / num_steps,
        project=lambda point, start: ball_then_box(point, start, epsilon),
    )


def smoothed_ascent(
    logits_fn: LogitsFn,
    images: Array,
    labels: Array,
    keys: Array,
    *,
    smoothing: tuple[float, int],
    num_steps: int,
    step_size: Array | float,
    project: pgd.ProjectFn,
) -> Array:
    """What `attack` does, in steps of any length and within what `project` says.

    Args:
        logits_fn, images, labels, keys: as for `attack`.
        smoothing: noise level in pixel units, and number of draws.
        num_steps: steps.
        step_size: length of each, in pixel units.
        project: ``(point, start) -> feasible point`` of one image.

    Returns:
        Shape of `images`.
    """
    sigma, num_samples = smoothing

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
            step_size=step_size,
            project=project,
            noise="fixed",
        )
        return state.image

    return jax.lax.stop_gradient(jax.vmap(of_image)(images, labels, keys))


def ascent(
    logits_fn: LogitsFn,
    points: Array,
    beside: Any,
    score: Callable[[Array, Any], Array],
    *,
    num_steps: int,
    step_size: Array | float,
    project: Callable[[Array, Array, Any], Array],
) -> Array:
    """Points that climb a score of the base network's logits, each by itself, without draws.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        points: shape ``[n, height, width, channels]``, such as noisy images.
        beside: arrays with a leading axis of n, what `score` and `project` know of each point.
        score: ``(logits [classes], beside) -> scalar``; where its gradient is 0, a point stays.
        num_steps: steps.
        step_size: length of each, in pixel units.
        project: ``(point, start, beside) -> feasible point``.

    Returns:
        Shape of `points`.

    Example, a linear score within a ball of radius 0.5:
        >>> import jax.numpy as jnp
        >>> from pagjax.core.projections import onto_ball
        >>> moved = ascent(lambda x: x.sum((1, 2)), jnp.zeros((2, 1, 1, 1)), jnp.array([1.0, -1.0]),
        ...                lambda logits, sign: sign * logits[0], num_steps=3, step_size=0.25,
        ...                project=lambda point, start, sign: onto_ball(point, start, 0.5))
        >>> moved.ravel().tolist()
        [0.5, -0.5]
    """

    def of_point(start: Array, own: Any) -> Array:
        def uphill(point: Array, key: Array) -> GradientEstimate:
            del key
            value, slope = jax.value_and_grad(lambda x: score(logits_fn(x[None])[0], own))(point)
            return GradientEstimate(value, jnp.zeros_like(value), slope)

        state, _ = pgd.run(
            uphill,
            pgd.init(start),
            start,
            jax.random.key(0),
            num_steps=num_steps,
            step_size=step_size,
            project=lambda point, start: project(point, start, own),
            noise="fixed",
        )
        return state.image

    return jax.lax.stop_gradient(jax.vmap(of_point)(points, beside))
