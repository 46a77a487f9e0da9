"""Layers for GPUs and TPUs: left to their compilers, in shapes that these can fuse.

None has been timed on a device by its own; what a compiler makes of them for an H100 and for a TPU
can be read without one (`benchmarks/tpu.py`, `benchmarks/gpu_program.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.networks.convolutions.blocks import Pad, image_blocks, kernel_blocks

# The order in which cuDNN wants kernels of images NHWC; HWIO ones are transposed at every step.
_OHWI = (3, 0, 1, 2)
# Channels that tensor cores take at once; fewer are padded, in a pass of their own.
_CHANNELS = 16


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["kernel", "bias"],
    meta_fields=["stride", "pad", "order"],
)
@dataclass(frozen=True)
class Plain:
    """Left to the compiler; computes in its kernel's type, which `order` lays out in memory."""

    kernel: Array
    bias: Array
    stride: int
    pad: Pad
    order: str = "HWIO"

    @classmethod
    def of(cls, kernel: Array, bias: Array, stride: int, pad: Pad, order: str = "HWIO") -> Plain:
        """Lays out a kernel ``[size, size, c, features]``."""
        laid = kernel if order == "HWIO" else kernel.transpose(_OHWI)
        return cls(laid, bias, stride, pad, order)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``."""
        x = x.astype(self.kernel.dtype)
        y = _convolve(x, self.kernel, self.stride, self.pad, self.order)
        return y + self.bias


@partial(jax.tree_util.register_dataclass, data_fields=["kernel", "bias"], meta_fields=[])
@dataclass(frozen=True)
class Pointwise:
    """A 1x1 convolution of stride 1 whose gradient is one matrix product over all pixels.

    Forward a library's convolution takes bias, residual sum and rectifier along, which a product
    would not; backward it would want the kernel transposed, and the product reads it as it is.
    """

    kernel: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h, w, features]``, in the kernel's type."""
        return _pointwise(x.astype(self.kernel.dtype), self.kernel) + self.bias


@jax.custom_vjp
def _pointwise(x: Array, kernel: Array) -> Array:
    return _convolve(x, kernel, 1, (0, 0), "OHWI")


def _pointwise_forward(x: Array, kernel: Array) -> tuple[Array, Array]:
    return _pointwise(x, kernel), kernel


def _pointwise_backward(kernel: Array, cotangent: Array) -> tuple[Array, Array]:
    rows = cotangent.reshape(-1, cotangent.shape[-1])
    gradient = (rows @ kernel[:, 0, 0]).reshape(*cotangent.shape[:-1], -1)
    return gradient, jnp.full_like(kernel, jnp.nan)


_pointwise.defvjp(_pointwise_forward, _pointwise_backward)


def _convolve(x: Array, kernel: Array, stride: int, pad: Pad, order: str) -> Array:
    layouts = ("NHWC", order, "NHWC")
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), (pad, pad), dimension_numbers=layouts
    )


@partial(jax.tree_util.register_dataclass, data_fields=["kernel", "bias"], meta_fields=["order"])
@dataclass(frozen=True)
class Blocks:
    """A 7x7 stride-2 convolution as one of 4x4 and stride 1 over 2x2 blocks laid into channels."""

    kernel: Array
    bias: Array
    order: str = "HWIO"

    @classmethod
    def of(cls, kernel: Array, bias: Array, order: str = "HWIO", channels: int = 0) -> Blocks:
        """Lays out a kernel ``[7, 7, c, features]``, with zeros up to so many channels."""
        laid, _ = kernel_blocks(kernel)
        laid = jnp.pad(laid, ((0, 0), (0, 0), (0, max(channels - laid.shape[2], 0)), (0, 0)))
        return cls(laid if order == "HWIO" else laid.transpose(_OHWI), bias, order)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / 2), ceil(w / 2), features]``."""
        laid = image_blocks(x.astype(self.kernel.dtype))
        missing = self.kernel.shape[self.order.index("I")] - laid.shape[-1]
        laid = jnp.pad(laid, ((0, 0), (0, 0), (0, 0), (0, missing)))
        return Plain(self.kernel, self.bias, 1, (2, 1), self.order)(laid)


def prepare(kernel: Array, bias: Array, stride: int, backend: str) -> Any:
    """A layer for a GPU or a TPU, see `forms.prepare`."""
    size = kernel.shape[0]
    pad, order = (size // 2, size // 2), "OHWI" if backend == "gpu" else "HWIO"
    if backend == "gpu" and (size, stride) == (7, 2):
        return Blocks.of(kernel, bias, order, _CHANNELS)
    if backend == "gpu" and (size, stride) == (1, 1):
        return Pointwise(kernel.transpose(_OHWI), bias)
    return Plain.of(kernel, bias, stride, pad, order)


def narrowed(layer: Any) -> Any:
    """A layer of `prepare` in bfloat16, activations too: moving them is most of the work."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), layer)


KINDS = (Plain, Pointwise, Blocks)
