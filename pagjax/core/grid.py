"""Pictures and noise of whole 8-bit levels: integers until the network's first operation.

What reaches the network is a function of the integer sum of picture and noise alone, so nothing of
how a float was rounded tells it where the picture was. See `pagjax.certification.sound`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = ("LEVELS", "GridNoise", "from_levels", "levels", "noise", "to_levels")

LEVELS = 255
"""Steps of the grid between black and white."""


class GridNoise(NamedTuple):
    """A distribution of integers as a table of columns of equal mass (Walker's alias method).

    A draw takes a column, and of the column's two outcomes the first where 64 - log2(columns)
    further bits are below its threshold. All weights are whole multiples of 2^-64, kept exactly.

    Attributes:
        high: the thresholds' bits above the lowest 32, unsigned, shape ``[columns]``; the number of
            columns is a power of two, from 2 to 2^31.
        low: their lowest 32 bits.
        first, second: outcomes, 16-bit integers.
    """

    high: Array
    low: Array
    first: Array
    second: Array


def levels(images: Array) -> Array:
    """Images in [0, 1] as multiples of 1 / 255, not rounded: whole numbers on the grid.

    Example:
        >>> levels(jnp.array([0.0, 1.0])).tolist()
        [0.0, 255.0]
    """
    return images * LEVELS


def to_levels(images: Array) -> Array:
    """The nearest whole levels, 32-bit integers; exact for 8-bit pictures divided by 255.

    Example:
        >>> pixels = jnp.arange(256)
        >>> bool((to_levels(pixels.astype(jnp.float32) / 255) == pixels).all())
        True
    """
    return jnp.round(levels(images)).astype(jnp.int32)


def from_levels(whole: Array, dtype: jnp.dtype) -> Array:
    """Whole levels as a network's input: the one map from the grid, the same for every picture."""
    return whole.astype(dtype) / LEVELS


def noise(table: GridNoise, key: Array, indices: Array, shape: tuple[int, ...]) -> Array:
    """Draws number `indices` of one image and step, in levels.

    Args:
        table: their distribution.
        key: the key of an image and step; draw i comes from ``fold_in(key, i)``.
        indices: integers, shape ``[c]``.
        shape: of an image.

    Returns:
        Integers of shape ``[c, *shape]``, each by 64 bits.

    Reference: Walker (1977), "An efficient method for generating discrete random variables with
    general distributions".

    Example, a fair coin between -1 and 1:
        >>> half = jnp.full(2, 2**30, jnp.uint32)
        >>> ends = jnp.ones(2, jnp.int16)
        >>> coin = GridNoise(half, jnp.zeros(2, jnp.uint32), -ends, ends)
        >>> bool((abs(noise(coin, jax.random.key(0), jnp.arange(3), (4,))) == 1).all())
        True
    """
    count = table.high.shape[0]
    rest = 32 - (count.bit_length() - 1)

    def bits(word: int) -> Array:
        def draw(index: Array) -> Array:
            part = jax.random.fold_in(jax.random.fold_in(key, index), word)
            return jax.random.bits(part, shape, jnp.uint32)

        return jax.vmap(draw)(indices)

    above = bits(0)
    column = (above >> rest).astype(jnp.int32)
    above = above & jnp.uint32(2**rest - 1)
    # Columns are in range by construction; to check each would cost as much as the draw.
    high, low, first, second = (leaf.at[column].get(mode="promise_in_bounds") for leaf in table)
    even = above == high
    # The lower bits decide where the upper ones do not: once in millions of values.
    below = lax.cond(even.any(), lambda: bits(1), lambda: jnp.zeros_like(above))
    is_first = (above < high) | (even & (below < low))
    return jnp.where(is_first, first, second).astype(jnp.int32)
