"""Large-epsilon targeted perturbations of a batch: the paper's experiment as one program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from pagjax.core.pgd import PGDState, PGDTrace
from pagjax.core.recipe import Recipe
from pagjax.core.sampling import group_size
from pagjax.wording import shown

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

    def __repr__(self) -> str:
        """Shapes, and where the objective began and ended."""
        return f"TargetedResult\n  images: {shown.array(self.images)}\n  trace: {self.trace!r}"

    def _repr_png_(self) -> bytes | None:
        """A sheet of the pictures, for notebooks."""
        return shown.painted("TargetedResult", self)


def targeted_pgd(  # nine: a network, three arrays, a key, the recipe, and three ways to go on
    logits_fn: LogitsFn,
    start: ArrayLike,
    targets: ArrayLike | Sequence[int | str],
    key: Array,
    recipe: Recipe,
    *,
    keep: Literal["last", "best"] = "last",
    state: PGDState | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> TargetedResult:
    """Maximises an objective of the smoothed network in an l2 ball around each starting image.

    The loop is one jitted scan: the same shapes, static settings and network compile once. So many
    images run at once that their draws fit into memory together; a larger batch takes longer.

    Args:
        logits_fn: images ``[n, height, width, channels]`` in [0, 1] to logits ``[n, classes]``.
            Pass a `jax.tree_util.Partial` over the weights (as `pagjax.load` gives) to keep them
            arguments of the program, and the same function object again to avoid compiling again.
        start: starting images x0, shape ``[batch, height, width, channels]``, within the recipe's
            bounds; floats, or 8-bit pixels; see `pagjax.core.checks.as_images`.
        targets: class indices, shape ``[batch]``, or labels of a network from `pagjax.load`.
        key: a typed key, or one key per image, shape ``[batch]``.
        recipe: noise, ball, steps and all else that determines the pictures, see
            `pagjax.core.recipe.Recipe`.
        keep: ``"last"`` returns the last iterate; ``"best"`` the one with the largest estimated
            objective among the iterates that were evaluated, which the last is not.
        state: states to continue from; bit for bit the run that was not interrupted.
        chunk_size: the most draws of an image held at once; None means `draws_at_once`.
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
        >>> recipe = Recipe(sigma=0.25, epsilon=1.0, step_size=0.3, num_steps=5, num_samples=4)
        >>> result = targeted_pgd(score, jnp.full((1, 4, 4, 3), 0.5), jnp.array([0]),
        ...                       jax.random.key(0), recipe)
        >>> bool(jnp.allclose(result.images, 0.5 + w / jnp.linalg.norm(w)))
        True
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe is a {type(recipe).__name__}: pass a pagjax.Recipe")
    if keep not in ("last", "best"):
        raise ValueError(f"keep {keep!r}: choose 'last' or 'best'")
    network, bounds = checks.as_partial(logits_fn), checks.as_bounds(recipe.bounds)
    start = checks.as_images(start, bounds=bounds, network=network, name="start")
    batch = start.shape[0]
    recipe = recipe.resolved(start.shape[1:])
    checks.check_count("chunk_size", chunk_size)
    targets = checks.as_targets(targets, batch, checks.num_classes(network, start), network)
    begin = jax.vmap(lambda image: pgd.init(image, recipe.strategy))
    rows = Rows(
        state=begin(start) if state is None else state,
        start=start,
        target=targets,
        key=draws.image_keys(key, batch),
        epsilon=_one_each("epsilon", recipe.epsilon, start),
        step_size=_one_each("step_size", recipe.step_size, start),
    )
    shared = network, jnp.asarray(recipe.sigma, start.dtype)
    if mesh is not None:
        shared, rows = meshes.place(shared, mesh), meshes.place(rows, mesh, rows=True)
    static = recipe.without_lengths()
    state, trace = run_batch(*shared, rows, static, chunk_size=chunk_size, mesh=mesh)
    return TargetedResult(state.image if keep == "last" else state.best_image, trace, state)


class Rows(NamedTuple):
    """What each image of a batch has of its own."""

    state: PGDState
    start: Array
    target: Array
    key: Array
    epsilon: Array
    step_size: Array


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


@partial(jax.jit, static_argnames=("chunk_size", "mesh"))
def run_batch(
    logits_fn: Partial,
    sigma: Array,
    rows: Rows,
    recipe: Recipe,
    *,
    chunk_size: int | None,
    mesh: Mesh | None,
) -> tuple[PGDState, PGDTrace]:
    """The one compiled program: every image's run, in blocks, on its devices."""
    num_samples = recipe.num_samples
    assert isinstance(num_samples, tuple)
    size = rows.start[0].size
    num_devices = 1 if mesh is None else mesh.size
    platform = meshes.platform(mesh)
    at_once = draws_at_once(size, platform, num_devices)

    def chunk_of(count: int) -> int:
        return chunk_size or max(at_once, group_size(recipe.sampling, count))

    def run_rows(logits_fn: Partial, sigma: Array, *rows: Any) -> tuple[PGDState, PGDTrace]:
        def each(*row: Any) -> tuple[PGDState, PGDTrace]:
            run_image = partial(_run_image, logits_fn, sigma, Rows(*row), recipe, mesh)
            return run_image(chunk_of)

        held = min(max(num_samples), max(map(chunk_of, num_samples))) * size
        share = _SMALLER_ON_SEVERAL if num_devices > 1 else 1
        most = draws.images_at_once(held, platform, share)
        return draws.in_blocks(jax.vmap(each), most, *rows)

    whole = run_rows if mesh is None else meshes.over_images(run_rows, mesh, num_shared=2)
    return whole(logits_fn, sigma, *rows)


def _run_image(
    logits_fn: Partial,
    sigma: Array,
    row: Rows,
    recipe: Recipe,
    mesh: Mesh | None,
    chunk_of: Callable[[int], int],
) -> tuple[PGDState, PGDTrace]:
    """One image's run: a scan for each number of draws, in turn."""
    axis = None if mesh is None or mesh.shape[meshes.DRAWS] == 1 else meshes.DRAWS

    def gradient_fn(image: Array, key: Array, *, count: int) -> GradientEstimate:
        return smoothed_gradient(
            logits_fn,
            recipe.objective,
            image,
            row.target,
            key,
            sigma=sigma,
            num_samples=count,
            chunk_size=chunk_of(count),
            sampling=recipe.sampling,
            axis=axis,
        )

    def project(point: Array, start: Array) -> Array:
        return recipe.projection(point, start, row.epsilon, recipe.bounds)

    assert isinstance(recipe.num_samples, tuple)
    state, traces = row.state, []
    for count, steps in groupby(recipe.num_samples):
        state, trace = pgd.run(
            partial(gradient_fn, count=count),
            state,
            row.start,
            row.key,
            num_steps=len(list(steps)),
            step_size=row.step_size,
            project=project,
            noise=recipe.noise,
            strategy=recipe.strategy,
        )
        traces.append(trace)
    return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), *traces)
