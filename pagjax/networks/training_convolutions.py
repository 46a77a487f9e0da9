"""Convolutions as matrix products, for training on CPUs.

On a CPU, XLA runs a kernel's gradient at a fifth of the rate of the convolution itself, and gains
nothing from bfloat16, while its matrix products on bfloat16 operands with float32 results run
several times faster than in float32 where the processor has instructions for them. So patches are
gathered into a matrix ``[pixels, taps x channels]``, and a convolution is one product. Its backward
pass gathers the cotangent's patches once and uses them twice, for the input's and for the kernel's
gradient. Strides of two become a stride of one over 2x2 blocks laid into channels.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

Pad = tuple[int, int]

# The gather runs inside a loop, so that XLA cannot fuse it with what follows: fused, it is copied
# element by element, which takes ten times as long.
_LOOP = 2


def conv_general_dilated(
    x: Array,
    kernel: Array,
    strides: tuple[int, int],
    padding: Any,
    **others: Any,
) -> Array:
    """`jax.lax.conv_general_dilated` for `flax.linen.Conv`, by the fastest way on this backend.

    On a CPU that is matrix products on operands of the type of `x`, summed in float32 or better;
    other backends, and unusual arguments, get XLA's convolution.

    Args:
        x: shape ``[n, h, w, c]``.
        kernel: shape ``[size, size, c, features]``.
        strides: 1 or 2, the same for both axes.
        padding: ``((low, high), (low, high))``.
        others: what Flax passes beside; dilations and groups go to XLA's convolution.

    Returns:
        Shape ``[n, h', w', features]``, in the type of `x`.
    """
    size = kernel.shape[0]
    half = (size // 2, size // 2)
    known = (
        jax.default_backend() == "cpu"
        and tuple(strides) in ((1, 1), (2, 2))
        and kernel.shape[1] == size
        and size % 2 == 1
        and tuple(map(tuple, padding)) == (half, half)
        and others.get("feature_group_count", 1) == 1
        and all(set(others.get(f"{side}_dilation") or (1,)) == {1} for side in ("lhs", "rhs"))
        and x.shape[1] % strides[0] == x.shape[2] % strides[0] == 0
    )
    if not known:
        return lax.conv_general_dilated(x, kernel, strides, padding, **others)
    return by_products(x, kernel, strides[0])


def by_products(x: Array, kernel: Array, stride: int) -> Array:
    """A convolution of an odd kernel, padded by half its size, as matrix products.

    Args:
        x: shape ``[n, h, w, c]``, sides divisible by `stride`. Its type is that of the products'
            operands; they are summed in float32 or better.
        kernel: shape ``[size, size, c, features]``, `size` odd.
        stride: 1 or 2.

    Returns:
        Shape ``[n, h / stride, w / stride, features]``, in the type of `x`.

    Example:
        >>> import jax.numpy as jnp
        >>> by_products(jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 5)), stride=2).shape
        (2, 4, 4, 5)
    """
    size = kernel.shape[0]
    if stride == 1:
        return _stride_one(x, kernel, (size // 2, size // 2))
    if size == 1:
        return _stride_one(x[:, ::2, ::2], kernel, (0, 0))
    blocks = (size + 1) // 2
    # An odd kernel over pixels is an even one over 2x2 blocks, with a row and a column of zeros.
    low = blocks // 2
    shift = 2 * low - size // 2
    end = 2 * blocks - size - shift
    even = jnp.pad(kernel, ((shift, end), (shift, end), (0, 0), (0, 0)))
    even = even.reshape(blocks, 2, blocks, 2, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)
    even = even.reshape(blocks, blocks, 4 * kernel.shape[2], kernel.shape[3])
    n, h, w, c = x.shape
    laid = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    laid = laid.reshape(n, h // 2, w // 2, 4 * c)
    return _stride_one(laid, even, (low, blocks - 1 - low))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _stride_one(x: Array, kernel: Array, pad: Pad) -> Array:
    """A convolution that keeps the image's size; `pad` sums to the kernel's size less one."""
    return _product(_patches(x, kernel.shape[0], pad), kernel, x)


def _forward(x: Array, kernel: Array, pad: Pad) -> tuple[Array, tuple[Array, Array]]:
    return _stride_one(x, kernel, pad), (x, kernel)


def _backward(pad: Pad, saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = saved
    size, _, channels, features = kernel.shape
    patches = _patches(cotangent, size, (size - 1 - pad[0], size - 1 - pad[1]))
    reverse = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    flat = x.reshape(-1, channels)
    gradient = lax.dot(flat.T, patches, preferred_element_type=_sum_type(x))
    gradient = gradient.reshape(channels, size, size, features).transpose(1, 2, 0, 3)
    return _product(patches, reverse, x), jnp.flip(gradient, (0, 1)).astype(kernel.dtype)


_stride_one.defvjp(_forward, _backward)


def _product(patches: Array, kernel: Array, like: Array) -> Array:
    matrix = kernel.reshape(-1, kernel.shape[-1]).astype(patches.dtype)
    product = lax.dot(patches, matrix, preferred_element_type=_sum_type(patches))
    return product.astype(like.dtype).reshape(*like.shape[:3], kernel.shape[-1])


def _sum_type(operand: Array) -> Any:
    return jnp.promote_types(operand.dtype, jnp.float32)


def _patches(x: Array, size: int, pad: Pad) -> Array:
    """The pixels that each output sees, shape ``[n h w, size size c]``."""
    n, h, w, c = x.shape
    if size == 1:
        return x.reshape(-1, c)
    parts = _LOOP if n % _LOOP == 0 else 1
    padded = jnp.pad(x, ((0, 0), pad, pad, (0, 0)))
    rows, columns = padded.shape[1:3]
    taps = np.arange(size)[:, None] * columns + np.arange(size)
    corners = np.arange(h)[:, None] * columns + np.arange(w)
    images = np.arange(n // parts) * (rows * columns)
    table = images[:, None, None] + corners.reshape(-1, 1) + taps.reshape(-1)
    indices = jnp.asarray(table.reshape(-1), jnp.int32)

    def gather(pixels: Array) -> Array:
        return jnp.take(pixels, indices, axis=0, mode="clip")

    pixels = padded.reshape(parts, -1, c)
    gathered = gather(pixels[0]) if parts == 1 else lax.map(gather, pixels)
    return gathered.reshape(n * h * w, size * size * c)
