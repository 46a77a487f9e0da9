"""Max-pooling with PyTorch's padding, in several forms.

All are 3x3, of stride 2, with one row of -inf on every side, as in torchvision's stem: images
``[n, h, w, c]`` to ``[n, ceil(h / 2), ceil(w / 2), c]``. A NaN makes its windows NaN. Where two
entries of a window share the maximum, which of them has the gradient may differ; after a rectifier
both are then almost surely 0, where the rectifier's own gradient is 0.
"""

from __future__ import annotations

from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.networks.rectifiers import larger


def by_window(x: Array) -> Array:
    """XLA's own, whose backward pass is a select-and-scatter.

    Example:
        >>> by_window(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    window, strides = (1, 3, 3, 1), (1, 2, 2, 1)
    pads = ((0, 0), (1, 1), (1, 1), (0, 0))
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, pads)


def by_slices(x: Array) -> Array:
    """A maximum of shifted slices, for CPUs, on which select-and-scatter is slow."""
    height, width = _extents(x)
    padded = _padded(x)
    rows = reduce(larger, (padded[:, i : i + 2 * height - 1 : 2] for i in range(3)))
    return reduce(larger, (rows[:, :, j : j + 2 * width - 1 : 2] for j in range(3)))


def by_places(x: Array) -> Array:
    """A maximum that notes, in a byte a window, where it stood: each pixel fetches its gradient.

    The backward pass is one elementwise operation over the input's pixels, without a scatter.
    """
    return _by_places(x, x.shape[1:3])


def by_places_in_turn(x: Array) -> Array:
    """`by_places` for narrow images on CPUs: image by image, in float32 or better.

    Without the loop XLA finds the places anew, and sums up the gradient that comes in, for each of
    the nine that look at them; and CPUs compare bfloat16 many times more slowly.
    """
    wide = x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x
    return lax.map(lambda image: by_places(image[None])[0], wide).astype(x.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _by_places(x: Array, sides: tuple[int, int]) -> Array:
    del sides  # for the gradient alone
    return _largest(x)[0]


def _places_forward(x: Array, sides: tuple[int, int]) -> tuple[Array, Array]:
    del sides
    return _largest(x)


def _places_backward(sides: tuple[int, int], places: Array, cotangent: Array) -> tuple[Array]:
    """Pixel 2i is the middle of window i; pixel 2i + 1 its end, and the beginning of the next."""
    n, height, width, channels = places.shape
    zero = jnp.zeros((), cotangent.dtype)

    def of(row: int, column: int, down: int = 0, right: int = 0) -> Array:
        """What windows, moved up and left, give to one of their places."""
        given = jnp.where(places == 3 * row + column, cotangent, zero)
        return jnp.pad(given[:, down:, right:], ((0, 0), (0, down), (0, right), (0, 0)))

    even = jnp.stack([of(1, 1), of(1, 2) + of(1, 0, 0, 1)], axis=3)
    odd = jnp.stack(
        [of(2, 1) + of(0, 1, 1), of(2, 2) + of(2, 0, 0, 1) + of(0, 2, 1) + of(0, 0, 1, 1)], axis=3
    )
    gradient = jnp.stack([even, odd], axis=2).reshape(n, 2 * height, 2 * width, channels)
    return (gradient[:, : sides[0], : sides[1]],)


_by_places.defvjp(_places_forward, _places_backward)


def _largest(x: Array) -> tuple[Array, Array]:
    """Each window's maximum and its place, 0 to 8 row by row, of equals the first."""
    height, width = _extents(x)
    padded = _padded(x)
    best, place = padded[:, : 2 * height - 1 : 2, : 2 * width - 1 : 2], jnp.int8(0)
    for index in range(1, 9):
        i, j = divmod(index, 3)
        new = padded[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
        stays = (best >= new) | jnp.isnan(best)
        best, place = jnp.where(stays, best, new), jnp.where(stays, place, jnp.int8(index))
    return best, place


def _extents(x: Array) -> tuple[int, int]:
    return -(-x.shape[1] // 2), -(-x.shape[2] // 2)


def _padded(x: Array) -> Array:
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
