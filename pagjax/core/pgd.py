"""Projected steepest ascent in an l2 ball: one loop for every objective, network and constraint.

What differs is passed in: where gradients come from (`gradient_fn`), what is feasible (`project`),
and, as a `Strategy`, how directions follow from gradients, how long steps are and when to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.core.gradients import GradientEstimate
from pagjax.core.projections import safe_norm
from pagjax.wording import shown

__all__ = (
    "PLAIN",
    "DirectionTransform",
    "GradientFn",
    "Noise",
    "PGDState",
    "PGDTrace",
    "ProjectFn",
    "Strategy",
    "init",
    "run",
    "step",
)

GradientFn = Callable[[Array, Array], GradientEstimate]
"""``(image [height, width, channels], key) -> GradientEstimate``."""

ProjectFn = Callable[[Array, Array], Array]
"""``(point, start) -> feasible point``, both images."""

Noise = Literal["fresh", "fixed"]


class DirectionTransform(Protocol):
    """What `optax.GradientTransformation` is: a pair of pure functions."""

    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]


class Strategy(NamedTuple):
    """How the loop departs from plain normalised steps; hashable, static under jit.

    Attributes:
        direction: turns the normalised gradient into a direction, which is normalised again; of
            Optax, say ``optax.trace(0.9)`` for momentum over normalised gradients. None steps along
            the gradient itself.
        schedule: ``step -> factor`` of the step size, say ``optax.linear_schedule(1, 0, 300)``.
        settles_after: window W of the stop: an image stays where it is once the mean objective over
            W steps exceeds that over the W before by no more than the standard error of the
            difference. It needs finite standard errors, so two groups of draws or more.

    Transformations are compared by identity: build one once, or every call compiles anew.
    """

    direction: DirectionTransform | None = None
    schedule: Callable[[Array], Array] | None = None
    settles_after: int | None = None


PLAIN = Strategy()


class Window(NamedTuple):
    """Sums over a window of steps: of the objective and of its squared standard error."""

    objective: Array
    variance: Array


class Settling(NamedTuple):
    """The stop's memory: this window, the one before, and whether the image has settled."""

    current: Window
    previous: Window
    settled: Array


class PGDState(NamedTuple):
    """What the next step needs, for one image.

    Attributes:
        image: the current iterate.
        step: how many steps were taken.
        best_image: the iterate with the largest estimated objective so far.
        best_objective: that objective; -inf before the first step.
        direction: the state of the strategy's transformation; () without one.
        settling: a `Settling`; () where the strategy never stops.
    """

    image: Array
    step: Array
    best_image: Array
    best_objective: Array
    direction: Any = ()
    settling: Any = ()

    def __repr__(self) -> str:
        """Shapes, and how far it has come."""
        best = "" if jnp.ndim(self.step) else f", best objective {shown.array(self.best_objective)}"
        steps = shown.array(self.step)
        return f"PGDState(image {shown.array(self.image)}, step {steps}{best})"


class PGDTrace(NamedTuple):
    """What a step saw, all at the iterate from which it started.

    Attributes:
        objective: the estimated objective.
        standard_error: its Monte Carlo standard error.
        distance: l2 distance from the starting image.
        gradient_norm: l2 norm of the estimated gradient; a NaN or an infinity stays here for the
            record, and such a step moves nothing.
        settled: whether the image had settled before, so that the step moved nothing.
    """

    objective: Array
    standard_error: Array
    distance: Array
    gradient_norm: Array
    settled: Array

    def __repr__(self) -> str:
        """How many steps, and the objective's way, on average over the images."""
        steps = f"{self.objective.shape[-1]} steps" if jnp.ndim(self.objective) else "a step"
        ends = self.objective[..., [0, -1]] if jnp.ndim(self.objective) else None
        told = [] if ends is None else [shown.number(ends[..., i].mean()) for i in (0, 1)]
        way = f", objective {told[0]} to {told[1]}" if told and None not in told else ""
        last = self.distance[..., -1].mean() if jnp.ndim(self.distance) else self.distance
        far = shown.number(last)
        return f"PGDTrace({steps}{way}{f', distance {far}' if far is not None else ''})"


def init(start: Array, strategy: Strategy = PLAIN) -> PGDState:
    """The state before the first step from one image ``[height, width, channels]``."""
    settling: Any = ()
    if strategy.settles_after is not None:
        zero, never = jnp.zeros((), start.dtype), jnp.full((), -jnp.inf, start.dtype)
        settling = Settling(Window(zero, zero), Window(never, zero), jnp.zeros((), bool))
    return PGDState(
        image=start,
        step=jnp.zeros((), jnp.int32),
        best_image=start,
        best_objective=jnp.full((), -jnp.inf, start.dtype),
        direction=() if strategy.direction is None else strategy.direction.init(start),
        settling=settling,
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
    strategy: Strategy = PLAIN,
) -> tuple[PGDState, PGDTrace]:
    """One step of length `step_size` along the normalised direction, then the projection.

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
        strategy: as `state` was begun with.

    Returns:
        The next state and what this step saw.

    Reference: Kaur, Cohen and Lipton (2019), equation 4; Santurkar et al. (2019).

    Example, a caller's own loop on a quadratic:
        >>> import jax, jax.numpy as jnp
        >>> from pagjax.core.gradients import GradientEstimate
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
    direction, moves = _normalised(estimate.gradient, norm)
    direction_state = state.direction
    if strategy.direction is not None:
        transformed, after = strategy.direction.update(direction, direction_state, state.image)
        direction_state = _where(moves, after, direction_state)
        direction, also_moves = _normalised(transformed, safe_norm(transformed))
        moves &= also_moves
    if strategy.schedule is not None:
        step_size = step_size * strategy.schedule(state.step)
    image = jnp.where(moves, project(state.image + step_size * direction, start), state.image)
    better = estimate.value > state.best_objective
    following = PGDState(
        image=image,
        step=state.step + 1,
        best_image=jnp.where(better, state.image, state.best_image),
        best_objective=jnp.where(better, estimate.value, state.best_objective),
        direction=direction_state,
        settling=state.settling,
    )
    settled = jnp.zeros((), bool)
    if strategy.settles_after is not None:
        settled = state.settling.settled
        following = _where(settled, state, following)._replace(
            step=state.step + 1,
            settling=_settle(state.settling, estimate, state.step, strategy.settles_after),
        )
    trace = PGDTrace(
        objective=estimate.value,
        standard_error=estimate.standard_error,
        distance=safe_norm(state.image - start),
        gradient_norm=norm,
        settled=settled,
    )
    return following, trace


def run(  # nine: what `step` takes, and how often
    gradient_fn: GradientFn,
    state: PGDState,
    start: Array,
    key: Array,
    *,
    num_steps: int,
    step_size: float | Array,
    project: ProjectFn,
    noise: Noise = "fresh",
    strategy: Strategy = PLAIN,
) -> tuple[PGDState, PGDTrace]:
    """`num_steps` steps as one `lax.scan`.

    Arguments as for `step`. Two runs of k and n - k steps end as one of n does, since a step's
    draws depend on its number alone.

    Returns:
        The last state, and the trace with arrays of shape ``[num_steps]``.
    """

    def body(state: PGDState, _: None) -> tuple[PGDState, PGDTrace]:
        return step(
            gradient_fn,
            state,
            start,
            key,
            step_size=step_size,
            project=project,
            noise=noise,
            strategy=strategy,
        )

    return lax.scan(body, state, length=num_steps)


def _normalised(vector: Array, norm: Array) -> tuple[Array, Array]:
    """The direction and whether there is one: a zero or non-finite vector has none."""
    exists = jnp.isfinite(norm) & (norm > 0)
    return jnp.where(exists, vector / jnp.where(exists, norm, 1), 0), exists


def _settle(settling: Settling, estimate: GradientEstimate, step: Array, window: int) -> Settling:
    """Adds a step to its window and, where that is full, compares it with the one before."""
    current = Window(
        settling.current.objective + estimate.value,
        settling.current.variance + jnp.square(estimate.standard_error),
    )
    full = (step + 1) % window == 0
    gain = current.objective - settling.previous.objective
    error = jnp.sqrt(current.variance + settling.previous.variance)
    settles = full & jnp.isfinite(error) & (gain <= error)
    emptied = Window(jnp.zeros_like(current.objective), jnp.zeros_like(current.variance))
    return Settling(
        current=_where(full, emptied, current),
        previous=_where(full, current, settling.previous),
        settled=settling.settled | settles,
    )


def _where(condition: Array, chosen: Any, otherwise: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)


def _draws_of(step: Array, noise: Noise) -> Array:
    if noise not in ("fresh", "fixed"):
        raise ValueError(f"noise {noise!r}: choose 'fresh' or 'fixed'")
    return step if noise == "fresh" else jnp.zeros_like(step)
