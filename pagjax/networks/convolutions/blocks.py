"""Convolutions of stride 2 as ones of stride 1 over 2x2 blocks of pixels laid into channels."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

Pad = tuple[int, int]


def kernel_blocks(kernel: Array) -> tuple[Array, Pad]:
    """An odd kernel of stride 2, padded by half its size, over blocks, and its padding there.

    Over pixels in pairs an odd kernel is an even one, with a row and a column of zeros.

    Args:
        kernel: shape ``[size, size, c, features]``.

    Returns:
        Shape ``[(size + 1) / 2, (size + 1) / 2, 4 c, features]``, and what pads each axis.

    Example:
        >>> kernel, pad = kernel_blocks(jnp.ones((7, 7, 3, 8)))
        >>> kernel.shape, pad
        ((4, 4, 12, 8), (2, 1))
    """
    size, _, channels, features = kernel.shape
    blocks = (size + 1) // 2
    low = blocks // 2
    shift = 2 * low - size // 2
    end = 2 * blocks - size - shift
    even = jnp.pad(kernel, ((shift, end), (shift, end), (0, 0), (0, 0)))
    laid = even.reshape(blocks, 2, blocks, 2, channels, features).transpose(0, 2, 1, 3, 4, 5)
    return laid.reshape(blocks, blocks, 4 * channels, features), (low, blocks - 1 - low)


def image_blocks(x: Array) -> Array:
    """Images ``[n, h, w, c]`` as ``[n, ceil(h / 2), ceil(w / 2), 4 c]``, zeros after odd sides.

    Example:
        >>> image_blocks(jnp.ones((1, 5, 8, 3))).shape
        (1, 3, 4, 12)
    """
    n, height, width, channels = x.shape
    if height % 2 or width % 2:
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    blocks = x.reshape(n, rows, 2, columns, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, rows, columns, 4 * channels)
