"""Maxima that keep NaN, which XLA's compiled maximum on CPUs may drop.

A network whose rectifiers drop NaN answers NaN weights or pixels with finite, constant logits, and
those are certified at the largest radius there is. A choice by comparison keeps what compares as
neither, at the same price.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax


def rectify(x: Array) -> Array:
    """The positive part; NaN stays NaN. Its gradient is 0 where `x` is not above 0.

    Example:
        >>> rectify(jnp.array([-1.0, 2.0, jnp.nan])).tolist()
        [0.0, 2.0, nan]
    """
    return jnp.where(x <= 0, jnp.zeros((), x.dtype), x)


@jax.custom_vjp
def rectify_by_result(x: Array) -> Array:
    """`rectify`, whose gradient is read from what it gives and not from what it takes.

    So nothing else asks for `x`, and a compiler can make convolution, bias, residual sum and
    rectifier one operation. It is a plain maximum, the pattern that compilers for GPUs look for;
    compiled for a CPU it may drop NaN.

    Example:
        >>> jax.vmap(jax.grad(rectify_by_result))(jnp.array([-1.0, 0.0, 2.0])).tolist()
        [0.0, 0.0, 1.0]
    """
    return lax.max(x, jnp.zeros((), x.dtype))


def _by_result_forward(x: Array) -> tuple[Array, Array]:
    y = rectify_by_result(x)
    return y, y


def _by_result_backward(y: Array, cotangent: Array) -> tuple[Array]:
    return (jnp.where(y <= 0, jnp.zeros((), cotangent.dtype), cotangent),)


rectify_by_result.defvjp(_by_result_forward, _by_result_backward)


def larger(first: Array, second: Array) -> Array:
    """The larger of two numbers, NaN where one of them is; of equals the first has the gradient.

    Example:
        >>> larger(jnp.array([1.0, jnp.nan, 0.0]), jnp.array([2.0, 0.0, jnp.nan])).tolist()
        [2.0, nan, nan]
    """
    return jnp.where((first >= second) | jnp.isnan(first), first, second)


def clamp(x: Array, low: float, high: float) -> Array:
    """`x` within two numbers; NaN stays NaN. Its gradient is 1 from `low` to `high`, both included.

    Example:
        >>> clamp(jnp.array([-1.0, 0.5, 2.0, jnp.nan]), 0, 1).tolist()
        [0.0, 0.5, 1.0, nan]
    """
    lowest, highest = jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype)
    return jnp.where(x < lowest, lowest, jnp.where(x > highest, highest, x))
