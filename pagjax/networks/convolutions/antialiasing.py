"""Strides that see a blurred input, after Zhang (2019), "Making convolutional networks
shift-invariant again".

A stride of 2 passes the gradient to every second pixel through other taps than to its neighbours,
which leaves a grid in pictures that follow it. Here the blur, binomial along both axes, is part of
the kernel: one convolution of a kernel that is two pixels larger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
from jax import Array

_BINOMIAL = (0.25, 0.5, 0.25)


def blurred(kernel: Array) -> Array:
    """A kernel that does to an image what `kernel` does to the blurred image.

    Args:
        kernel: shape ``[size, size, c, features]``.

    Returns:
        Shape ``[size + 2, size + 2, c, features]``.

    Example:
        >>> import jax.numpy as jnp
        >>> blurred(jnp.ones((1, 1, 1, 1)))[:, :, 0, 0].tolist()[1]
        [0.125, 0.25, 0.125]
    """
    for axis in (0, 1):
        size = kernel.shape[axis] + 2
        pads = [(2, 2) if each == axis else (0, 0) for each in range(4)]
        padded = jnp.pad(kernel, pads)
        windows = [jnp.take(padded, jnp.arange(j, j + size), axis=axis) for j in range(3)]
        kernel = reduce(jnp.add, [w * x for w, x in zip(_BINOMIAL, windows, strict=True)])
    return kernel


def antialiased(convolve: Callable[..., Array]) -> Callable[..., Array]:
    """`convolve`, called as `jax.lax.conv_general_dilated` is, with a blurred kernel."""

    def with_blur(x: Array, kernel: Array, strides: Any, padding: Any, **others: Any) -> Array:
        wider = tuple((low + 1, high + 1) for low, high in padding)
        return convolve(x, blurred(kernel), strides, wider, **others)

    return with_blur
