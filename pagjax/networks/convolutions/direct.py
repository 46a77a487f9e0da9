"""Convolutions that carry the kernel of their backward pass, for loops on CPUs.

Inside a loop body XLA's CPU compiler leaves the reversal of a kernel where it is and runs what
follows on a slow path, unless the backward pass is a plain convolution with a kernel reversed
beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.networks.convolutions.blocks import Pad, kernel_blocks

# The field's layouts: images NHWC, kernels HWIO, which is OIHW in PyTorch.
_LAYOUTS = ("NHWC", "HWIO", "NHWC")


def convolve(
    x: Array,
    kernel: Array,
    stride: int | tuple[int, int],
    pads: tuple[Pad, Pad],
    dilation: int = 1,
) -> Array:
    """A 2-D convolution with explicit padding; `dilation` spreads the input's rows and columns."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride) if isinstance(stride, int) else stride,
        pads,
        lhs_dilation=(dilation, dilation),
        dimension_numbers=_LAYOUTS,
    )


def reverse(kernel: Array) -> Array:
    """The kernel of the input gradient: flipped in space, channels exchanged."""
    return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["forward", "backward", "bias"],
    meta_fields=["stride", "pad"],
)
@dataclass(frozen=True)
class Direct:
    """A convolution whose input gradient is a plain convolution with a kernel made beforehand."""

    forward: Array
    backward: Array
    bias: Array
    stride: int
    pad: Pad

    @classmethod
    def of(cls, kernel: Array, bias: Array, stride: int, pad: Pad) -> Direct:
        """Lays out the kernel for both passes."""
        return cls(kernel, reverse(kernel), bias, stride, pad)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``."""
        extents = x.shape[1:3]
        return _direct(x, self.forward, self.backward, self.stride, self.pad, extents) + self.bias


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def _direct(
    x: Array, forward: Array, backward: Array, stride: int, pad: Pad, extents: tuple[int, ...]
) -> Array:
    del backward, extents  # for the gradient alone
    return convolve(x, forward, stride, (pad, pad))


def _direct_forward(
    x: Array, forward: Array, backward: Array, stride: int, pad: Pad, extents: tuple[int, ...]
) -> tuple[Array, tuple[Array, Array]]:
    return _direct(x, forward, backward, stride, pad, extents), (forward, backward)


def _direct_backward(
    stride: int, pad: Pad, extents: tuple[int, ...], kernels: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array, Array]:
    forward, backward = kernels
    size = forward.shape[0]
    low = size - 1 - pad[0]

    def pads(extent: int, outputs: int) -> Pad:
        return low, extent + size - 2 - low - (outputs - 1) * stride

    gradient = convolve(
        cotangent,
        backward,
        1,
        (pads(extents[0], cotangent.shape[1]), pads(extents[1], cotangent.shape[2])),
        dilation=stride,
    )
    return gradient, jnp.full_like(forward, jnp.nan), jnp.full_like(backward, jnp.nan)


_direct.defvjp(_direct_forward, _direct_backward)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["kernel", "blocks", "bias"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Stem:
    """A 7x7 stride-2 convolution, whose gradient is one of stride 1 over 2x2 blocks as channels.

    Few channels make XLA's own gradient slow: blocks turn 7x7 on 3 channels into 4x4 on 12, which
    takes half the time on a CPU. Forward the blocks cost more than they bring.
    """

    kernel: Array
    blocks: Array
    bias: Array

    @classmethod
    def of(cls, kernel: Array, bias: Array) -> Stem:
        """Lays out a kernel ``[7, 7, c, features]`` for both passes."""
        return cls(kernel, reverse(kernel_blocks(kernel)[0]), bias)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / 2), ceil(w / 2), features]``."""
        return _stem(x, self.kernel, self.blocks, x.shape[1:3]) + self.bias


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _stem(x: Array, kernel: Array, blocks: Array, sides: tuple[int, ...]) -> Array:
    del blocks, sides  # for the gradient alone
    return convolve(x, kernel, 2, ((3, 3), (3, 3)))


def _stem_forward(
    x: Array, kernel: Array, blocks: Array, sides: tuple[int, ...]
) -> tuple[Array, tuple[Array, Array]]:
    return _stem(x, kernel, blocks, sides), (kernel, blocks)


def _stem_backward(
    sides: tuple[int, ...], kernels: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array, Array]:
    kernel, blocks = kernels
    laid = convolve(cotangent, blocks, 1, ((1, 2), (1, 2)))
    n, rows, columns, _ = laid.shape
    pixels = laid.reshape(n, rows, columns, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    gradient = pixels.reshape(n, 2 * rows, 2 * columns, -1)[:, : sides[0], : sides[1]]
    return gradient, jnp.full_like(kernel, jnp.nan), jnp.full_like(blocks, jnp.nan)


_stem.defvjp(_stem_forward, _stem_backward)
