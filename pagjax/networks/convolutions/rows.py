"""Convolutions as matrix products of a kernel's rows, for processors with units for narrow ones.

Such units (Intel's AMX) multiply bfloat16 operands many times faster than float32 ones, so that the
arithmetic minimal filtering saves is not worth its transforms, and moving activations is most of
the work: they are narrow too. The neighbouring columns of a pixel are laid into channels; then each
row of the kernel is a product, or all rows are one, whose results are added shifted. A stride of 2
is one of 1 over 2x2 blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.networks.convolutions.blocks import Pad, image_blocks, kernel_blocks
from pagjax.networks.convolutions.direct import reverse
from pagjax.networks.convolutions.products import columns, dot, floats

# With no more features than this one product of all rows is faster than one of each.
_FEW_FEATURES = 256


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["forward", "backward", "bias"],
    meta_fields=["stride", "pad"],
)
@dataclass(frozen=True)
class Rows:
    """A convolution that computes in its kernels' type, sums in float32 or better, and adds its
    bias before it rounds.

    Attributes:
        forward, backward: kernels of both passes, ``[size, size, c, features]``, over blocks where
            the stride is 2.
        bias: shape ``[features]``.
        stride: 1 or 2.
        pad: of both axes, over blocks where the stride is 2.
    """

    forward: Array
    backward: Array
    bias: Array
    stride: int
    pad: Pad

    @classmethod
    def of(cls, kernel: Array, bias: Array, stride: int) -> Rows:
        """Lays out a kernel of odd size, padded by half of it."""
        pad = (kernel.shape[0] // 2, kernel.shape[0] // 2)
        if stride == 2:
            kernel, pad = kernel_blocks(kernel)
        return cls(kernel, reverse(kernel), bias, stride, pad)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / stride), ceil(w / stride), features]``."""
        x = x.astype(self.forward.dtype)
        if self.stride == 2:
            x = image_blocks(x)
        y = _convolve(x, self.forward, self.backward, self.pad)
        return (y + self.bias).astype(x.dtype)


def narrowed(layer: Rows) -> Rows:
    """The same with bfloat16 operands and results."""
    forward, backward = (k.astype(jnp.bfloat16) for k in (layer.forward, layer.backward))
    return Rows(forward, backward, layer.bias, layer.stride, layer.pad)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _convolve(x: Array, forward: Array, backward: Array, pad: Pad) -> Array:
    """Sums in float32 or better, of the images' extents."""
    del backward  # for the gradient alone
    size, _, channels, features = forward.shape
    n, height, width, _ = x.shape
    seen = columns(x, size, pad)

    def product(laid: Array, kernel: Array) -> Array:
        depth, features = kernel.shape
        return dot(floats(laid.reshape(-1, depth), x.dtype), kernel).reshape(n, -1, width, features)

    if features <= _FEW_FEATURES:
        kernel = forward.transpose(1, 2, 0, 3).reshape(size * channels, size * features)
        y = product(seen, kernel).reshape(n, -1, width, size, features)
        return reduce(jnp.add, [y[:, i : i + height, :, i] for i in range(size)])
    rows = forward.reshape(size, size * channels, features)
    return reduce(jnp.add, [product(seen[:, i : i + height], row) for i, row in enumerate(rows)])


def _forward(
    x: Array, forward: Array, backward: Array, pad: Pad
) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(x, forward, backward, pad), (forward, backward)


def _backward(
    pad: Pad, kernels: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array, Array]:
    forward, backward = kernels
    reach = forward.shape[0] - 1
    mirrored = (reach - pad[0], reach - pad[1])
    gradient = _convolve(cotangent.astype(forward.dtype), backward, forward, mirrored)
    nans = [jnp.full_like(kernel, jnp.nan) for kernel in kernels]
    return gradient.astype(forward.dtype), nans[0], nans[1]


_convolve.defvjp(_forward, _backward)
