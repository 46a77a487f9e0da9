"""What a network says under each noise draw: evaluated in one place, summed up in others.

`smoothing` takes means on the device; certificates take their statistics on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jax.tree_util import Partial

from pagjax.core import draws
from pagjax.core import grid as grids
from pagjax.core.checks import LogitsFn, as_partial, check_count, check_shape, widened
from pagjax.core.mesh import DRAWS


def of_draws(
    of_logits: Callable[[Array], Array],
    logits_fn: Partial,
    image: Array,
    key: Array,
    sigma: Array,
    indices: Array,
    grid: grids.GridNoise | None = None,
) -> Array:
    """A function of the logits under draws number `indices` of one image.

    Args:
        of_logits: logits ``[classes]`` of one draw to an array of any shape.
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        image: shape ``[height, width, channels]``.
        key: the image's key.
        sigma: noise level in pixel units of [0, 1].
        indices: integers, shape ``[c]``.
        grid: noise of whole 8-bit levels in place of sigma's, on the nearest whole image.

    Returns:
        Shape ``[c, ...]``.
    """
    if grid is not None:
        whole = grids.to_levels(image)

        def of_sum(levels: Array) -> Array:
            return of_logits(logits_fn(grids.from_levels(levels, image.dtype)[None])[0])

        return jax.vmap(of_sum)(whole + grids.noise(grid, key, indices, image.shape))

    def of_draw(noise: Array) -> Array:
        return of_logits(logits_fn((image + sigma * noise)[None])[0])

    return jax.vmap(of_draw)(draws.gaussian(key, indices, image.shape, image.dtype))


def vote(logits: Array) -> Array:
    """One at the largest of the logits ``[classes]``; none where it is shared or a logit is NaN.

    Example:
        >>> import jax.numpy as jnp
        >>> vote(jnp.array([1.0, 3.0, 2.0])).tolist(), vote(jnp.array([1.0, 1.0])).tolist()
        ([0, 1, 0], [0, 0])
    """
    count = logits.shape[0]
    # The first largest and the last one. A compiler may compute logits once for each and round them
    # otherwise, so that none need equal the other's maximum to the bit.
    first, last = jnp.argmax(logits), count - 1 - jnp.argmax(logits[::-1])
    # Asked by itself, as a compiled maximum may overlook NaN.
    sure = (first == last) & ~jnp.isnan(logits).any()
    return ((jnp.arange(count) == first) & sure).astype(jnp.int32)


def probabilities(logits: Array) -> Array:
    """The softmax of the logits ``[classes]``; NaN throughout where it is undefined.

    That is where a logit is NaN or plus infinity, or all are minus infinity: a compiled exponential
    may make numbers of that.

    Example:
        >>> import jax.numpy as jnp
        >>> probabilities(jnp.zeros(2)).tolist(), probabilities(jnp.array([jnp.nan, 0])).tolist()
        ([0.5, 0.5], [nan, nan])
    """
    defined = (logits < jnp.inf).all() & jnp.isfinite(logits).any()
    return jnp.where(defined, jax.nn.softmax(logits), jnp.nan)


# Which draws of which image, and how they are made: a caller names each, and mistakes none.
def draw_outputs(
    of_logits: Callable[[Array], Array],
    logits_fn: LogitsFn,
    image: Array,
    key: Array,
    *,
    sigma: float,
    first: int,
    count: int,
    grid: grids.GridNoise | None = None,
    at_once: int | None = None,
    mesh: Mesh | None = None,
) -> Array:
    """A function of the logits under each of some consecutive noise draws of one image.

    They are the draws of `smoothed_mean` under the same key.

    Args:
        of_logits: logits ``[classes]`` of one draw to an array of any shape; pass the same function
            object again to avoid compiling again.
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        image: floats of shape ``[height, width, channels]``, whose values are not looked at here.
        key: the image's key; draw i comes from ``fold_in(key, i)``.
        sigma: noise level in pixel units of [0, 1].
        first: number of the first draw; other values compile nothing.
        count: how many draws, at least 1; a multiple of the devices along a mesh's draws, and of
            `at_once` on each.
        grid: noise of whole 8-bit levels in place of sigma's, see `pagjax.core.grid`.
        at_once: how many a device holds at once; None means all.
        mesh: from `pagjax.core.mesh.make_mesh`, along whose draws they are split; None means
            one device.

    Returns:
        Shape ``[count, ...]``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> brightness = lambda x: jnp.stack([x.mean((1, 2, 3)), 1 - x.mean((1, 2, 3))], axis=-1)
        >>> dark = jnp.zeros((8, 8, 3))
        >>> draw_outputs(vote, brightness, dark, jax.random.key(0), sigma=0.1, first=7,
        ...              count=3).tolist()
        [[0, 1], [0, 1], [0, 1]]
    """
    check_shape((1, *image.shape), network=logits_fn)
    image = widened(image, "image")
    check_count("count", count)
    if mesh is not None and count % mesh.shape[DRAWS]:
        raise ValueError(f"{count} draws on {mesh.shape[DRAWS]} devices: take a multiple")
    share = count if mesh is None else count // mesh.shape[DRAWS]
    check_count("at_once", at_once)
    if share % (at_once or share):
        raise ValueError(f"{share} draws a device, {at_once} at once: take a multiple")
    return _outputs(
        as_partial(logits_fn),
        image,
        key,
        jnp.asarray(sigma, image.dtype),
        jnp.asarray(first, jnp.int32),
        grid,
        of_logits=of_logits,
        parts=(count, at_once or share),
        mesh=mesh,
    )


@partial(jax.jit, static_argnames=("of_logits", "parts", "mesh"))
def _outputs(  # arrays, then what is static
    logits_fn: Partial,
    image: Array,
    key: Array,
    sigma: Array,
    first: Array,
    grid: grids.GridNoise | None,
    *,
    of_logits: Callable[[Array], Array],
    parts: tuple[int, int],
    mesh: Mesh | None,
) -> Array:
    count, at_once = parts

    def evaluate(given: tuple[Any, ...], indices: Array) -> Array:
        # What depends on the weights alone is done once, before the loop over parts.
        chunks = indices.reshape(-1, at_once)
        logits_fn, image, key, sigma, grid = given
        of_part = partial(of_draws, of_logits, logits_fn, image, key, sigma, grid=grid)
        outputs = of_part(chunks[0])[None] if len(chunks) == 1 else lax.map(of_part, chunks)
        return outputs.reshape(indices.size, *outputs.shape[2:])

    if mesh is not None:
        everywhere, dealt = PartitionSpec(), PartitionSpec(DRAWS)
        evaluate = jax.shard_map(
            evaluate,
            mesh=mesh,
            in_specs=(everywhere, dealt),
            out_specs=dealt,
            check_vma=False,
        )
    given = logits_fn, image, key, sigma, grid
    return evaluate(given, first + jnp.arange(count, dtype=first.dtype))
