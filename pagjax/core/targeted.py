"""Large-epsilon targeted perturbations of a batch: the paper's experiment as one program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh
from jax.tree_util import Partial
from jax.typing import ArrayLike

from pagjax.core import checks, draws, pgd
from pagjax.core import mesh as meshes
from pagjax.core.checks import LogitsFn
from pagjax.core.gradients import GradientEstimate, smoothed_gradient
from pagjax.core.objectives import TARGET_CLASS_MAX, Objective, as_objective
from pagjax.core.pgd import PGDState, PGDTrace
from pagjax.core.projections import Bounds, Projection, ball_then_box
from pagjax.core.sampling import Sampling, group_size

# On CPUs gradients of a small network at 32x32 are no faster with more draws at once, nor is a
# ResNet-50 at 224x224, and peak memory stays the same for any number of draws.
_AT_ONCE_ON_CPU = 20
# Of several devices of a CPU each holds a quarter of what one would. On two cores that is as fast
# as a half, and a ResNet-50's loop needs 2.6 GB, not 3.8 (2.3 on a single device).
_SMALLER_ON_SEVERAL = 4


class TargetedResult(NamedTuple):
    """Where a batch of runs ended.

    Attributes:
        images: shape ``[batch, height, width, channels]``, the iterates asked for by `keep`.
        trace: arrays of shape ``[batch, num_steps]``.
        state: the last states, from which `targeted_pgd` continues.
    """

    images: Array
    trace: PGDTrace
    state: PGDState


def targeted_pgd(
    logits_fn: LogitsFn,
    start: ArrayLike,
    targets: ArrayLike | Sequence[str],
    key: Array,
    *,
    sigma: float | Array,
    epsilon: float | Array,
    step_size: float | Array,
    num_steps: int = 300,
    num_samples: int | Sequence[int] = 20,
    objective: Objective | str = TARGET_CLASS_MAX,
    chunk_size: int | None = None,
    bounds: Bounds | None = (0.0, 1.0),
    projection: Projection = ball_then_box,
    noise: pgd.Noise = "fresh",
    sampling: Sampling = "independent",
    strategy: pgd.Strategy = pgd.PLAIN,
    keep: Literal["last", "best"] = "last",
    state: PGDState | None = None,
    mesh: Mesh | None = None,
) -> TargetedResult:
    """Maximises an objective of the smoothed network in an l2 ball around each starting image.

    The loop is one jitted scan: the same shapes, settings and `logits_fn` compile once. So many
    images run at once that their draws fit into memory together; a larger batch takes longer.

    Args:
        logits_fn: images ``[n, height, width, channels]`` in [0, 1] to logits ``[n, classes]``.
            Pass a `jax.tree_util.Partial` over the weights (as `pagjax.load` gives) to keep them
            arguments of the program, and the same function object again to avoid compiling again.
        start: starting images x0, shape ``[batch, height, width, channels]``, within `bounds`;
            floats, or 8-bit pixels; see `pagjax.core.checks.as_images`.
        targets: class indices, shape ``[batch]``, or labels of a network from `pagjax.load`.
        key: a typed key, or one key per image, shape ``[batch]``.
        sigma: noise level in pixel units of [0, 1], from 0 to 2; a plain 0 means the base network.
        epsilon: radius of the l2 ball in pixel units, at most the box's diagonal, which is
            ``sqrt(height * width * channels)``; a number or one per image.
        step_size: l2 length of a step, at most the diagonal; a number or one per image.
        num_steps: number of steps.
        num_samples: noise draws a step, N; a number or one per step, for an N that grows.
        objective: what is maximised; ``"tcm"`` and ``"ce"`` name the paper's.
        chunk_size: the most draws of an image held at once; None means `draws_at_once`.
        bounds: the pixel box, or None for pixels in other units; lengths then have no upper limit.
        projection: `ball_then_box`, `ball_and_box` (the nearest feasible point), or your own.
        noise: ``"fresh"`` or ``"fixed"`` draws, see `pagjax.core.pgd.step`.
        sampling: kind of draws, see `pagjax.core.sampling`.
        strategy: momentum, a schedule of steps, a stop: see `pagjax.core.pgd.Strategy`.
        keep: ``"last"`` returns the last iterate; ``"best"`` the one with the largest estimated
            objective among the iterates that were evaluated, which the last is not.
        state: states to continue from; bit for bit the run that was not interrupted.
        mesh: devices among which images and draws are shared out, from
            `pagjax.core.mesh.make_mesh`; None means one. With several processes, all call
            this with the same values.

    Returns:
        A `TargetedResult`.

    Raises:
        ValueError: for shapes, ranges or targets that do not fit; the message names the cure.
        TypeError: for a key, an objective, targets or images that are none.

    Reference: Kaur, Cohen and Lipton (2019), equation 2 and appendix C.

    Example, a linear score, for which the loop ends at x0 + epsilon w / |w|:
        >>> import jax, jax.numpy as jnp
        >>> w = jnp.ones((4, 4, 3))
        >>> score = lambda x: jnp.stack([(x * w).sum((1, 2, 3)), -(x * w).sum((1, 2, 3))], -1)
        >>> result = targeted_pgd(score, jnp.full((1, 4, 4, 3), 0.5), jnp.array([0]),
        ...                       jax.random.key(0), sigma=0.25, epsilon=1.0, step_size=0.3,
        ...                       num_steps=5, num_samples=4)
        >>> bool(jnp.allclose(result.images, 0.5 + w / jnp.linalg.norm(w)))
        True
    """
    network, objective = checks.as_partial(logits_fn), as_objective(objective)
    bounds = checks.as_bounds(bounds)
    start = checks.as_images(start, bounds=bounds, network=network, name="start")
    batch = start.shape[0]
    checks.check_count("num_steps", num_steps)
    checks.check_count("chunk_size", chunk_size)
    longest = None if bounds is None else checks.diagonal(start.shape[1:], bounds)
    checks.check_length("epsilon", epsilon, longest)
    checks.check_length("step_size", step_size, longest)
    if keep not in ("last", "best"):
        raise ValueError(f"keep {keep!r}: choose 'last' or 'best'")
    num_draws = _draws_by_step(sigma, num_samples, num_steps, checks.largest_sigma(bounds))
    sampling = "independent" if _is_zero(sigma) else sampling
    _check_groups(sampling, num_draws, strategy, noiseless=_is_zero(sigma))
    num_classes = checks.num_classes(network, start)
    targets = checks.as_targets(targets, batch, num_classes, network)
    shared = network, jnp.asarray(sigma, start.dtype)
    rows = (
        jax.vmap(lambda image: pgd.init(image, strategy))(start) if state is None else state,
        start,
        targets,
        draws.image_keys(key, batch),
        _one_each("epsilon", epsilon, start),
        _one_each("step_size", step_size, start),
    )
    if mesh is not None:
        shared, rows = meshes.place(shared, mesh), meshes.place(rows, mesh, rows=True)
    state, trace = _run_batch(
        *shared,
        *rows,
        num_samples=num_draws,
        objective=objective,
        chunk_size=chunk_size,
        bounds=bounds,
        projection=projection,
        noise=noise,
        sampling=sampling,
        strategy=strategy,
        mesh=mesh,
    )
    return TargetedResult(state.image if keep == "last" else state.best_image, trace, state)


def draws_at_once(values_per_draw: int, platform: str, num_devices: int = 1) -> int:
    """How many draws' gradients a device takes at once where nobody says.

    Args:
        values_per_draw: height x width x channels.
        platform: of the devices, ``"cpu"``, ``"gpu"`` or ``"tpu"``.
        num_devices: of the mesh; those of a CPU share its memory.

    Example:
        >>> [draws_at_once(32 * 32 * 3, platform) for platform in ("cpu", "gpu")]
        [20, 980]
        >>> [draws_at_once(224 * 224 * 3, "cpu", devices) for devices in (1, 2)]
        [20, 5]
    """
    fitting = draws.CHUNK_VALUES // values_per_draw
    if platform != "cpu":
        return max(1, fitting)
    if num_devices > 1:
        fitting //= _SMALLER_ON_SEVERAL
    return max(1, min(fitting, _AT_ONCE_ON_CPU))


def _one_each(name: str, value: ArrayLike, start: Array) -> Array:
    lengths, batch = jnp.asarray(value, start.dtype), start.shape[0]
    if lengths.shape not in ((), (1,), (batch,)):
        raise ValueError(
            f"{name} of shape {lengths.shape} for {batch} images: pass one number, or one per image"
        )
    return jnp.broadcast_to(lengths, batch)


def _is_zero(sigma: float | Array) -> bool:
    return checks.is_concrete(sigma) and float(sigma) == 0.0


def _draws_by_step(
    sigma: float | Array,
    num_samples: int | Sequence[int],
    num_steps: int,
    largest_sigma: float | None,
) -> tuple[int, ...]:
    if isinstance(num_samples, str) or not isinstance(num_samples, Sequence):
        return (checks.draws_needed(sigma, num_samples, largest_sigma),) * num_steps
    if len(num_samples) != num_steps:
        raise ValueError(
            f"num_samples of length {len(num_samples)} for {num_steps} steps: pass one number, or "
            "one per step"
        )
    return tuple(checks.draws_needed(sigma, count, largest_sigma) for count in num_samples)


def _check_groups(
    sampling: Sampling, num_draws: Sequence[int], strategy: pgd.Strategy, *, noiseless: bool
) -> None:
    groups = [count // group_size(sampling, count) for count in set(num_draws)]
    if strategy.settles_after is None:
        return
    checks.check_count("settles_after", strategy.settles_after)
    if min(groups) < 2 and not noiseless:
        raise ValueError(
            f"num_samples = {min(num_draws)} with {sampling} draws has no standard error, by which "
            "the stop is judged: take more draws, or settles_after=None"
        )


@partial(
    jax.jit,
    static_argnames=(
        "num_samples",
        "objective",
        "chunk_size",
        "bounds",
        "projection",
        "noise",
        "sampling",
        "strategy",
        "mesh",
    ),
)
def _run_batch(
    logits_fn: Partial,
    sigma: Array,
    state: PGDState,
    start: Array,
    targets: Array,
    keys: Array,
    epsilon: Array,
    step_size: Array,
    *,
    num_samples: tuple[int, ...],
    objective: Objective,
    chunk_size: int | None,
    bounds: Bounds | None,
    projection: Projection,
    noise: pgd.Noise,
    sampling: Sampling,
    strategy: pgd.Strategy,
    mesh: Mesh | None,
) -> tuple[PGDState, PGDTrace]:
    axis = None if mesh is None or mesh.shape[meshes.DRAWS] == 1 else meshes.DRAWS
    num_devices = 1 if mesh is None else mesh.size

    def chunk_of(count: int) -> int:
        at_once = draws_at_once(start[0].size, jax.default_backend(), num_devices)
        return chunk_size or max(at_once, group_size(sampling, count))

    def run_rows(logits_fn: Partial, sigma: Array, *rows: Any) -> tuple[PGDState, PGDTrace]:
        each = jax.vmap(partial(run_image, logits_fn, sigma))
        held = min(max(num_samples), max(map(chunk_of, num_samples))) * start[0].size
        share = _SMALLER_ON_SEVERAL if num_devices > 1 else 1
        most = draws.images_at_once(held, jax.default_backend(), share)
        return draws.in_blocks(each, most, *rows)

    def run_image(
        logits_fn: Partial,
        sigma: Array,
        state: PGDState,
        start: Array,
        target: Array,
        key: Array,
        epsilon: Array,
        step_size: Array,
    ) -> tuple[PGDState, PGDTrace]:
        def gradient_fn(image: Array, step_key: Array, *, count: int) -> GradientEstimate:
            return smoothed_gradient(
                logits_fn,
                objective,
                image,
                target,
                step_key,
                sigma=sigma,
                num_samples=count,
                chunk_size=chunk_of(count),
                sampling=sampling,
                axis=axis,
            )

        def project(point: Array, start: Array) -> Array:
            return projection(point, start, epsilon, bounds)

        traces = []
        for count, steps in groupby(num_samples):
            state, trace = pgd.run(
                partial(gradient_fn, count=count),
                state,
                start,
                key,
                num_steps=len(list(steps)),
                step_size=step_size,
                project=project,
                noise=noise,
                strategy=strategy,
            )
            traces.append(trace)
        return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), *traces)

    whole = run_rows if mesh is None else meshes.over_images(run_rows, mesh, num_shared=2)
    return whole(logits_fn, sigma, state, start, targets, keys, epsilon, step_size)
