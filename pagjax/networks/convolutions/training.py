"""Convolutions for training on CPUs, each in the form that was measured fastest.

Of many channels and bfloat16 operands, a convolution is one matrix product per row of its kernel,
over the neighbouring columns laid into channels: such products run several times faster than those
in float32 where the processor has instructions for them, and XLA's convolutions do not use these.
The backward pass does the same to the cotangent, and uses what it laid out twice, for the input's
and for the kernel's gradient. Strides of two become a stride of one over 2x2 blocks laid into
channels. All others are XLA's convolutions in float32, but that the gradient to the input of a
stride of two goes by such blocks, at a third of the time.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.networks.convolutions.blocks import Pad, image_blocks, kernel_blocks
from pagjax.networks.convolutions.products import bits, columns, dot, floats

# The input is transposed in a loop of this many parts: outside one, XLA folds the transpose into
# the product, which then takes three times as long.
_PARTS = 4
# From so many channels on, of input or result, bfloat16 operands go through products: 128 channels
# at 16x16 pixels take .24 ms an image so and .66 otherwise, 64 at 32x32 1.2 and .66.
_MANY = 128


def conv_general_dilated(
    x: Array,
    kernel: Array,
    strides: tuple[int, int],
    padding: Any,
    **others: Any,
) -> Array:
    """`jax.lax.conv_general_dilated` for `flax.linen.Conv`, by the fastest way on this backend.

    On a CPU that is matrix products or XLA's convolution, summed in float32 or better; other
    backends, and unusual arguments, get XLA's convolution as it is.

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
    narrow = x.dtype == jnp.bfloat16 and max(kernel.shape[2:]) >= _MANY
    return (by_products if size == 1 or narrow else directly)(x, kernel, strides[0])


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def directly(x: Array, kernel: Array, stride: int) -> Array:
    """A convolution of an odd kernel, padded by half its size, as XLA's in float32 or better.

    Args:
        x: shape ``[n, h, w, c]``, sides divisible by `stride`.
        kernel: shape ``[size, size, c, features]``, `size` odd.
        stride: 1 or 2.

    Returns:
        Shape ``[n, h / stride, w / stride, features]``, in the type of `x`.

    Example:
        >>> import jax.numpy as jnp
        >>> directly(jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 5)), 2).shape
        (2, 4, 4, 5)
    """
    half = kernel.shape[0] // 2
    return _xla(_wide(x), kernel, stride, (half, half)).astype(x.dtype)


def _directly_forward(x: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return directly(x, kernel, stride), (x, kernel)


def _directly_backward(
    stride: int, saved: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    seen, given, half = _wide(x), _wide(cotangent), kernel.shape[0] // 2

    def over_blocks(x: Array) -> Array:
        blocks, pad = kernel_blocks(kernel)
        return _xla(image_blocks(x), blocks, 1, pad)

    def plain(x: Array, kernel: Array) -> Array:
        return _xla(x, kernel, stride, (half, half))

    by_x = over_blocks if stride == 2 else partial(plain, kernel=kernel)
    (of_x,) = jax.vjp(by_x, seen)[1](given)
    (of_kernel,) = jax.vjp(partial(plain, seen), kernel)[1](given)
    return of_x.astype(x.dtype), of_kernel


directly.defvjp(_directly_forward, _directly_backward)


def _xla(x: Array, kernel: Array, stride: int, pad: Pad) -> Array:
    layouts = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, kernel.astype(x.dtype), (stride, stride), (pad, pad), dimension_numbers=layouts
    )


def _wide(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


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
    return _stride_one(image_blocks(x), *kernel_blocks(kernel))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _stride_one(x: Array, kernel: Array, pad: Pad) -> Array:
    """A convolution that keeps the image's size; `pad` sums to the kernel's size less one."""
    return _products(_rows(x, kernel.shape[0], pad), kernel, x)


def _forward(x: Array, kernel: Array, pad: Pad) -> tuple[Array, tuple[Array, Array]]:
    return _stride_one(x, kernel, pad), (x, kernel)


def _backward(pad: Pad, saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    return _gradients(*saved, cotangent, pad)


_stride_one.defvjp(_forward, _backward)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _gradients(x: Array, kernel: Array, cotangent: Array, pad: Pad) -> tuple[Array, Array]:
    """The input's gradient, which `kernel` and `cotangent` make, and the kernel's, which `x` does.

    What is laid out here goes through integers, which have no slope: the second derivatives are
    told below, by the same two functions.
    """
    size, _, channels, features = kernel.shape
    rows = _rows(cotangent, size, (size - 1 - pad[0], size - 1 - pad[1]))
    reverse = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    parts = _transposed_parts(x)
    gradient = jnp.stack([_contract_pixels(parts, row) for row in rows])
    gradient = gradient.reshape(size, channels, size, features).transpose(0, 2, 1, 3)
    return _products(rows, reverse, x), jnp.flip(gradient, (0, 1)).astype(kernel.dtype)


def _gradients_forward(
    x: Array, kernel: Array, cotangent: Array, pad: Pad
) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
    return _gradients(x, kernel, cotangent, pad), (x, kernel, cotangent)


def _gradients_backward(
    pad: Pad, saved: tuple[Array, Array, Array], given: tuple[Array, Array]
) -> tuple[Array, Array, Array]:
    x, kernel, cotangent = saved
    of_x, kernel_blocks = _gradients(*given, cotangent, pad)
    of_cotangent = _stride_one(given[0], kernel, pad) + _stride_one(x, given[1], pad)
    return of_x, kernel_blocks, of_cotangent.astype(cotangent.dtype)


_gradients.defvjp(_gradients_forward, _gradients_backward)


def _products(rows: list[Array], kernel: Array, like: Array) -> Array:
    matrices = kernel.reshape(kernel.shape[0], -1, kernel.shape[-1]).astype(like.dtype)
    total = reduce(jnp.add, map(dot, rows, matrices))
    return total.astype(like.dtype).reshape(*like.shape[:3], kernel.shape[-1])


def _contract_pixels(parts: Array, row: Array) -> Array:
    pieces = jnp.split(row, parts.shape[0])
    return reduce(jnp.add, map(dot, parts, pieces))


def _rows(x: Array, size: int, pad: Pad) -> list[Array]:
    """For each row of the kernel, what its columns see: ``[n h w, size c]``."""
    n, h, w, c = x.shape
    seen = columns(x, size, pad)
    return [floats(seen[:, i : i + h].reshape(n * h * w, size * c), x.dtype) for i in range(size)]


def _transposed_parts(x: Array) -> Array:
    """Pixels by channel, shape ``[parts, c, n h w / parts]``."""
    channels = x.shape[-1]
    pixels = x.size // channels
    parts = _PARTS if pixels % _PARTS == 0 else 1
    split = bits(x).reshape(parts, pixels // parts, channels)
    return floats(jax.lax.map(jnp.transpose, split), x.dtype)
