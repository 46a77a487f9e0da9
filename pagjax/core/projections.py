"""Projections onto the l2 ball around a starting image and onto the pixel box."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax

__all__ = (
    "Bounds",
    "Projection",
    "ball_and_box",
    "ball_then_box",
    "only_inside",
    "onto_ball",
    "safe_norm",
    "same_block_means",
)

Bounds = tuple[float, float]
Projection = Callable[[Array, Array, Array, Bounds | None], Array]


def safe_norm(vector: Array) -> Array:
    """The l2 norm, without overflow or underflow of the squares; NaN stays NaN.

    Example:
        >>> import jax.numpy as jnp
        >>> bool(jnp.isclose(safe_norm(jnp.array([3e30, 4e30])), 5e30))
        True
    """
    largest = jnp.max(jnp.abs(vector))
    unit = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return unit * jnp.sqrt(jnp.sum(jnp.square(vector / unit)))


def onto_ball(point: Array, center: Array, radius: Array | float) -> Array:
    """The nearest point with ``||point - center||_2 <= radius``.

    Args:
        point: one image, shape ``[height, width, channels]``.
        center: likewise.
        radius: l2 length in pixel units of [0, 1], at least 0.

    Returns:
        Shape of `point`; `point` itself where it lies inside.

    Example:
        >>> import jax.numpy as jnp
        >>> point = onto_ball(jnp.array([3.0, 4.0]), jnp.zeros(2), 1.0)
        >>> bool(jnp.allclose(point, jnp.array([0.6, 0.8])))
        True
    """
    offset = point - center
    distance = safe_norm(offset)
    inside = distance <= radius
    return jnp.where(inside, point, center + offset * (radius / jnp.where(inside, 1, distance)))


def ball_then_box(
    point: Array, center: Array, radius: Array | float, bounds: Bounds | None = (0.0, 1.0)
) -> Array:
    """Projects onto the ball, then clips: a feasible point, not always the nearest one.

    Both constraints hold in the end, because clipping moves no point away from a centre that lies
    in the box. Salman et al. (2019) clip first and shrink to the ball afterwards in their code,
    which is feasible as well and ends elsewhere only where the box cuts.

    Args:
        point: one image.
        center: the starting image; must lie within `bounds`.
        radius: l2 length in pixel units.
        bounds: lowest and highest pixel value, or None for no box.
    """
    point = onto_ball(point, center, radius)
    return point if bounds is None else jnp.clip(point, *bounds)


def ball_and_box(
    point: Array, center: Array, radius: Array | float, bounds: Bounds | None = (0.0, 1.0)
) -> Array:
    """The nearest point that lies in the ball and in the box.

    By the optimality conditions it is ``clip(center + s (point - center))`` for the largest s in
    [0, 1] that is feasible; s is found by bisection to the last bit of the floating type.

    Arguments as for `ball_then_box`.

    Example, a corner of the box: clipping first costs length that the nearest point keeps.
        >>> import jax.numpy as jnp
        >>> start, aim = jnp.array([0.9, 0.5]), jnp.array([2.0, 0.9])
        >>> [round(float(value), 2) for value in ball_then_box(aim, start, 0.3)]
        [1.0, 0.6]
        >>> [round(float(value), 2) for value in ball_and_box(aim, start, 0.3)]
        [1.0, 0.78]
    """
    if bounds is None:
        return onto_ball(point, center, radius)
    offset = point - center

    def at(scale: Array) -> Array:
        return jnp.clip(center + scale * offset, *bounds)

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        feasible = safe_norm(at(middle) - center) <= radius
        return jnp.where(feasible, middle, low), jnp.where(feasible, high, middle)

    one = jnp.ones((), point.dtype)
    digits = jnp.finfo(point.dtype).nmant + 8
    low, _ = lax.fori_loop(0, digits, halve, (jnp.zeros_like(one), one))
    return jnp.where(safe_norm(at(one) - center) <= radius, at(one), at(low))


def only_inside(mask: Array, projection: Projection = ball_then_box) -> Projection:
    """A projection that moves nothing outside a mask: inpainting with the same loop.

    Args:
        mask: booleans, shape ``[height, width, 1]``, true where pixels may change.
        projection: what holds inside.

    Returns:
        A projection for `pagjax.targeted_pgd`; keep the object, a new one compiles again.

    Reference: Santurkar et al. (2019), section 4.1.

    Example:
        >>> import jax.numpy as jnp
        >>> left = only_inside(jnp.array([[[True], [False]]]))
        >>> left(jnp.ones((1, 2, 1)), jnp.zeros((1, 2, 1)), jnp.array(0.5), None).ravel().tolist()
        [0.5, 0.0]
    """

    def project(
        point: Array, center: Array, radius: Array, bounds: Bounds | None = (0.0, 1.0)
    ) -> Array:
        return projection(jnp.where(mask, point, center), center, radius, bounds)

    return project


def same_block_means(factor: int) -> Projection:
    """A projection that keeps the mean of every block of pixels: super-resolution.

    Started from a small image whose pixels are repeated, the loop paints detail that averages out
    to that small image again, inside the ball. Onto the means and the ball it is the nearest point;
    then each block's offset is shrunk until it fits into the box, which keeps all three.

    Args:
        factor: side of a block, at least 1; must divide the image's sides.

    Returns:
        A projection for `pagjax.targeted_pgd`; keep the object, a new one compiles again.

    Raises:
        ValueError: when used, for a factor that does not divide the sides.

    Reference: Santurkar et al. (2019), section 4.3, for super-resolution by the same loop; that the
    small image is kept is ours.

    Example:
        >>> import jax.numpy as jnp
        >>> detail = jnp.array([1.0, 0.5, 0.5, 0.6]).reshape(2, 2, 1)
        >>> found = same_block_means(2)(detail, jnp.full((2, 2, 1), 0.5), jnp.array(9.0))
        >>> [round(float(value), 2) for value in found.ravel()]
        [0.85, 0.35, 0.35, 0.45]
    """

    def project(
        point: Array, center: Array, radius: Array | float, bounds: Bounds | None = (0.0, 1.0)
    ) -> Array:
        height, width, channels = center.shape
        if height % factor or width % factor:
            raise ValueError(
                f"factor {factor} divides no image of {height}x{width}: choose a divisor"
            )
        split = (height // factor, factor, width // factor, factor, channels)
        offset, middle = (point - center).reshape(split), center.reshape(split)
        offset -= offset.mean(axis=(1, 3), keepdims=True)
        offset = onto_ball(offset, jnp.zeros_like(offset), radius)
        if bounds is not None:
            room = jnp.where(offset > 0, bounds[1] - middle, middle - bounds[0])
            size = jnp.abs(offset)
            fits = jnp.where(size > room, room / jnp.where(size > 0, size, 1), 1)
            offset *= fits.min(axis=(1, 3), keepdims=True)
        return center + offset.reshape(center.shape)

    return project
