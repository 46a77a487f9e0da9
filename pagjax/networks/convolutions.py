"""Convolutions with frozen kernels, prepared once for fast input gradients.

A prepared convolution is a pytree that holds its kernel in the layouts that its forward and its
backward pass want, so that a compiled loop receives both as loop invariants. On the CPU this halves
the loop: there XLA leaves the kernel's reversal inside the loop body and runs what follows on a
slow path, unless the backward pass is a plain convolution with a kernel reversed beforehand.

Kernels are frozen: a gradient with respect to a prepared kernel is NaN, never a silent zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.networks import training_convolutions

Pad = tuple[int, int]

Precision = Literal["float32", "bfloat16"]
"""Of the operands of products, whose sums are float32; on GPUs and TPUs of activations too."""

# The field's layouts: images NHWC, kernels HWIO, which is OIHW in PyTorch.
_LAYOUTS = ("NHWC", "HWIO", "NHWC")


def convolve(
    x: Array, kernel: Array, stride: int, pads: tuple[Pad, Pad], dilation: int = 1
) -> Array:
    """A 2-D convolution with explicit padding; `dilation` spreads the input's rows and columns."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        pads,
        lhs_dilation=(dilation, dilation),
        dimension_numbers=_LAYOUTS,
    )


def reverse(kernel: Array) -> Array:
    """The kernel of the input gradient: flipped in space, channels exchanged."""
    return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


@partial(
    jax.tree_util.register_dataclass, data_fields=["kernel", "bias"], meta_fields=["stride", "pad"]
)
@dataclass(frozen=True)
class Plain:
    """Left to the compiler, which is what GPUs and TPUs want; computes in its kernel's type."""

    kernel: Array
    bias: Array
    stride: int
    pad: Pad

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``."""
        x = x.astype(self.kernel.dtype)
        return convolve(x, self.kernel, self.stride, (self.pad, self.pad)) + self.bias


@partial(jax.tree_util.register_dataclass, data_fields=["kernel", "bias"], meta_fields=["stride"])
@dataclass(frozen=True)
class Pointwise:
    """A 1x1 convolution as a matrix product over channels."""

    kernel: Array
    bias: Array
    stride: int

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``."""
        return x[:, :: self.stride, :: self.stride] @ self.kernel + self.bias


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


@partial(jax.tree_util.register_dataclass, data_fields=["blocks"], meta_fields=[])
@dataclass(frozen=True)
class SpaceToDepth:
    """A 7x7 or 3x3 stride-2 convolution as a stride-1 one over 2x2 blocks laid into channels.

    The 7x7 stem on 3 channels becomes 4x4 on 12, whose backward pass takes half the time on a CPU.
    """

    blocks: Direct

    @classmethod
    def of(cls, kernel: Array, bias: Array) -> SpaceToDepth:
        """Lays out an odd kernel with ``(size + 1) / 2`` even, padded by ``(size - 1) / 2``."""
        size, _, channels, features = kernel.shape
        half = (size + 1) // 2
        even = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
        laid = even.reshape(half, 2, half, 2, channels, features).transpose(0, 2, 1, 3, 4, 5)
        laid = laid.reshape(half, half, 4 * channels, features)
        return cls(Direct.of(laid, bias, 1, (half // 2, half // 2 - 1)))

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / 2), ceil(w / 2), features]``."""
        n, height, width, channels = x.shape
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        rows, columns = x.shape[1] // 2, x.shape[2] // 2
        laid = x.reshape(n, rows, 2, columns, 2, channels).transpose(0, 1, 3, 2, 4, 5)
        return self.blocks(laid.reshape(n, rows, columns, 4 * channels))


@partial(
    jax.tree_util.register_dataclass, data_fields=["kernel", "bias"], meta_fields=["stride", "pad"]
)
@dataclass(frozen=True)
class Narrow:
    """A convolution of bfloat16 operands, for processors with instructions for them."""

    kernel: Array
    bias: Array
    stride: int
    pad: Pad

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``, in the type of `x`."""
        products = training_convolutions.conv_general_dilated(
            x.astype(jnp.bfloat16),
            self.kernel.astype(jnp.bfloat16),
            (self.stride, self.stride),
            (self.pad, self.pad),
            dimension_numbers=_LAYOUTS,
        )
        return products.astype(x.dtype) + self.bias


Prepared = Callable[[Array], Array]


def narrowed(prepared: Any) -> Any:
    """The same layers with bfloat16 operands; on CPUs a 7x7 stem stays as it is.

    What is left to the compiler keeps its activations in bfloat16 too: on GPUs and TPUs moving them
    is most of the work.

    Args:
        prepared: a pytree of layers from `prepare`.
    """

    def narrow(layer: Any) -> Any:
        if isinstance(layer, Direct):
            return Narrow(layer.forward, layer.bias, layer.stride, layer.pad)
        if isinstance(layer, Plain):
            kernel, bias = (array.astype(jnp.bfloat16) for array in (layer.kernel, layer.bias))
            return Plain(kernel, bias, layer.stride, layer.pad)
        if isinstance(layer, Pointwise):
            return Narrow(layer.kernel[None, None], layer.bias, layer.stride, (0, 0))
        return layer

    kinds = (Plain, Pointwise, Direct, SpaceToDepth)
    return jax.tree.map(narrow, prepared, is_leaf=lambda node: isinstance(node, kinds))


def prepare(kernel: Array, bias: Array, stride: int, backend: str | None = None) -> Prepared:
    """Lays a kernel out for the backend it will run on.

    Args:
        kernel: HWIO, of odd size; padded by half its size on every side.
        bias: shape ``[features]``.
        stride: 1 or 2.
        backend: ``"cpu"``, ``"gpu"`` or ``"tpu"``; None means JAX's default backend.

    Returns:
        A pytree, callable on images ``[n, h, w, c]``.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = prepare(jnp.ones((3, 3, 2, 4)), jnp.zeros(4), stride=2)
        >>> layer(jnp.ones((1, 8, 8, 2))).shape
        (1, 4, 4, 4)
    """
    size = kernel.shape[0]
    pad = (size // 2, size // 2)
    if (backend or jax.default_backend()) != "cpu":
        return Plain(kernel, bias, stride, pad)
    if size == 1:
        return Pointwise(kernel[0, 0], bias, stride)
    if size == 7 and stride == 2:
        return SpaceToDepth.of(kernel, bias)
    return Direct.of(kernel, bias, stride, pad)
