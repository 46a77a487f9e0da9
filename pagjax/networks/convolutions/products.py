"""Matrix products of operands that may be narrow, and the moving of such operands."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax


def dot(left: Array, right: Array) -> Array:
    """The product over the last axis of `left` and the first of `right`, summed wide.

    Example:
        >>> ones = jnp.ones((3, 4), jnp.bfloat16)
        >>> dot(ones, ones.T).dtype
        dtype('float32')
    """
    contracted = (((left.ndim - 1,), (0,)), ((), ()))
    return lax.dot_general(left, right, contracted, preferred_element_type=wide(left.dtype))


def wide(dtype: Any) -> Any:
    """The type that products of operands of this one are summed in: float32 or better."""
    return dtype if dtype == jnp.float64 else jnp.float32


def bits(x: Array) -> Array:
    """As integers, which XLA moves as they are; narrow floats it would widen and narrow again.

    They have no slope: what is moved so needs a derivative of its own.
    """
    return lax.bitcast_convert_type(x, f"uint{8 * x.dtype.itemsize}")


def columns(x: Array, size: int, pad: tuple[int, int]) -> Array:
    """The neighbouring columns of each pixel laid into channels, as `bits`.

    Args:
        x: shape ``[n, h, w, c]``.
        size: how many columns, one more than `pad` sums to.
        pad: rows and columns of zeros before and after.

    Returns:
        Shape ``[n, h + size - 1, w, size c]``, integers of the width of `x`'s numbers.

    Example:
        >>> columns(jnp.ones((1, 4, 6, 2)), 3, (1, 1)).shape
        (1, 6, 6, 6)
    """
    padded = jnp.pad(bits(x), ((0, 0), pad, pad, (0, 0)))
    width = x.shape[2]
    return jnp.concatenate([padded[:, :, j : j + width] for j in range(size)], axis=-1)


def floats(bits: Array, dtype: Any) -> Array:
    """What `bits` had made integers."""
    return lax.bitcast_convert_type(bits, dtype)
