"""Projected steepest ascent in an l2 ball: one loop for every objective, network and constraint.

What differs is passed in: where gradients come from (`gradient_fn`) and what is feasible
(`project`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.gradients import GradientEstimate
from pagjax.projections import safe_norm

GradientFn = Callable[[Array, Array], GradientEstimate]
"""``(image [height, width, channels], key) -> GradientEstimate``."""

ProjectFn = Callable[[Array, Array], Array]
"""``(point, start) -> feasible point``, both images."""

Noise = Literal["fresh", "fixed"]


class PGDState(NamedTuple):
    """What the next step needs, for one image.

    Attributes:
        image: the current iterate.
        step: how many steps were taken.
        best_image: the iterate with the largest estimated objective so far.
        best_objective: that objective; -inf before the first step.
    """

    image: Array
    step: Array
    best_image: Array
    best_objective: Array


class PGDTrace(NamedTuple):
    """What a step saw, all at the iterate from which it started.

    Attributes:
        objective: the estimated objective.
        standard_error: its Monte Carlo standard error.
        distance: l2 distance from the starting image.
        gradient_norm: l2 norm of the estimated gradient; a NaN or an infinity stays here for the
            record, and such a step moves nothing.
    """

    objective: Array
    standard_error: Array
    distance: Array
    gradient_norm: Array


def init(start: Array) -> PGDState:
    """The state before the first step from one image ``[height, width, channels]``."""
    return PGDState(
        image=start,
        step=jnp.zeros((), jnp.int32),
        best_image=start,
        best_objective=jnp.full((), -jnp.inf, start.dtype),
    )


def step(
    gradient_fn: GradientFn,
    state: PGDState,
    start: Array,
    key: Array,
    *,
    step_size: float | Array,
    project: ProjectFn,
    noise: Noise = "fresh",
) -> tuple[PGDState, PGDTrace]:
    """One step of length `step_size` along the normalised gradient, then the projection.

    A zero or non-finite gradient moves nothing; the latter shows in the trace.

    Args:
        gradient_fn: value and gradient at an image for a key.
        state: from `init` or the last step.
        start: the image around which `project` keeps the iterate.
        key: the key of this image for the whole run; step k uses ``fold_in(key, k)``, or
            ``fold_in(key, 0)`` throughout with fixed noise.
        step_size: l2 length in pixel units of [0, 1].
        project: ``(point, start) -> feasible point``.
        noise: ``"fresh"`` draws every step anew, ``"fixed"`` keeps the draws of the first.

    Returns:
        The next state and what this step saw.

    Reference: Kaur, Cohen and Lipton (2019), equation 4; Santurkar et al. (2019).

    Example, a caller's own loop on a quadratic:
        >>> import jax, jax.numpy as jnp
        >>> from pagjax.gradients import GradientEstimate
        >>> def uphill(image, key):
        ...     return GradientEstimate(-(image**2).sum(), jnp.zeros(()), -2 * image)
        >>> start = jnp.full((2, 2, 1), 0.5)
        >>> state = init(start)
        >>> for _ in range(3):
        ...     state, seen = step(uphill, state, start, jax.random.key(0), step_size=0.25,
        ...                        project=lambda point, start: point)
        >>> float(jnp.linalg.norm(state.image))
        0.25
    """
    estimate = gradient_fn(state.image, jax.random.fold_in(key, _draws_of(state.step, noise)))
    norm = safe_norm(estimate.gradient)
    moves = jnp.isfinite(norm) & (norm > 0)
    direction = jnp.where(moves, estimate.gradient / jnp.where(moves, norm, 1), 0)
    image = jnp.where(moves, project(state.image + step_size * direction, start), state.image)
    better = estimate.value > state.best_objective
    following = PGDState(
        image=image,
        step=state.step + 1,
        best_image=jnp.where(better, state.image, state.best_image),
        best_objective=jnp.where(better, estimate.value, state.best_objective),
    )
    trace = PGDTrace(
        objective=estimate.value,
        standard_error=estimate.standard_error,
        distance=safe_norm(state.image - start),
        gradient_norm=norm,
    )
    return following, trace


def run(
    gradient_fn: GradientFn,
    state: PGDState,
    start: Array,
    key: Array,
    *,
    num_steps: int,
    step_size: float | Array,
    project: ProjectFn,
    noise: Noise = "fresh",
) -> tuple[PGDState, PGDTrace]:
    """`num_steps` steps as one `lax.scan`.

    Arguments as for `step`. Two runs of k and n - k steps end as one of n does, since a step's
    draws depend on its number alone.

    Returns:
        The last state, and the trace with arrays of shape ``[num_steps]``.
    """

    def body(state: PGDState, _: None) -> tuple[PGDState, PGDTrace]:
        return step(
            gradient_fn, state, start, key, step_size=step_size, project=project, noise=noise
        )

    return lax.scan(body, state, length=num_steps)


def _draws_of(step: Array, noise: Noise) -> Array:
    if noise not in ("fresh", "fixed"):
        raise ValueError(f"noise {noise!r}: choose 'fresh' or 'fixed'")
    return step if noise == "fresh" else jnp.zeros_like(step)
