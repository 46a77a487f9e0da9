"""3x3 convolutions of few channels by several columns at once, for CPUs.

A product of few features leaves most of a processor's vector empty. A kernel that is laid down at
several neighbouring columns, with zeros where a column does not reach, is one of as many times the
features, which takes a third more arithmetic and less time. The columns of a result are neighbours
in memory, so that nothing is moved. Backward passes are of the same form; that of a stride of 2
makes the even and the odd rows by themselves, both columns of a pair at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.networks.convolutions.direct import Pad, convolve, reverse

# Of the forward and of the backward pass.
_Kernels = tuple[Array, Array | tuple[Array, Array]]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["forward", "backward", "bias"],
    meta_fields=["stride"],
)
@dataclass(frozen=True)
class Columns:
    """A 3x3 convolution padded by 1, with its kernel laid out for both passes.

    Attributes:
        forward: from `repeat`, or the plain kernel where the stride is 2.
        backward: from `repeat`, or of the odd and the even rows, from `_pairs`.
        bias: shape ``[features]``.
        stride: 1 or 2.
    """

    forward: Array
    backward: Array | tuple[Array, Array]
    bias: Array
    stride: int

    @classmethod
    def of(cls, kernel: Array, bias: Array, stride: int) -> Columns:
        """Lays out a kernel ``[3, 3, c, features]``."""
        if stride == 2:
            return cls(kernel, _pairs(kernel), bias, stride)
        return cls(repeat(kernel), repeat(reverse(kernel)), bias, stride)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / stride), ceil(w / stride), features]``."""
        features, extents = self.bias.shape[0], x.shape[1:3]
        kernels = (self.forward, self.backward)
        return _columns(x, kernels, features, self.stride, extents) + self.bias


def count(kernel: Array) -> int:
    """How many columns at once are fastest, as measured on processors with 512-bit vectors."""
    channels, features = kernel.shape[2:]
    if channels > 16:
        return 1
    most = (32 if channels >= 8 else 64) // features
    return 1 << max(0, most.bit_length() - 1)


def repeat(kernel: Array) -> Array:
    """A kernel ``[3, 3, c, f]`` at some columns, ``[3, 2 + columns, c, columns * f]``."""
    columns = count(kernel)
    return jnp.concatenate(
        [jnp.pad(kernel, ((0, 0), (j, columns - 1 - j), (0, 0), (0, 0))) for j in range(columns)],
        axis=3,
    )


def _pairs(kernel: Array) -> tuple[Array, Array]:
    """Kernels of a stride's input gradient: odd rows ``[2, 2, f, 2 c]``, even ``[1, 2, f, 2 c]``.

    Of a row, pixel ``2m`` has tap 1 of output ``m``; pixel ``2m + 1`` has tap 2 of ``m`` and tap 0
    of ``m + 1``. Of columns likewise.
    """
    taps = kernel.swapaxes(2, 3)
    here = jnp.concatenate([taps[:, 1], taps[:, 2]], axis=-1)
    there = jnp.concatenate([jnp.zeros_like(taps[:, 0]), taps[:, 0]], axis=-1)
    rows = jnp.stack([here, there], axis=1)
    return jnp.stack([rows[2], rows[0]]), rows[1:2]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _columns(
    x: Array, kernels: _Kernels, features: int, stride: int, extents: tuple[int, ...]
) -> Array:
    forward, _ = kernels
    if stride == 2:
        return convolve(x, forward, 2, ((1, 1), (1, 1)))
    return _several(x, forward, features)


def _forward(
    x: Array, kernels: _Kernels, features: int, stride: int, extents: tuple[int, ...]
) -> tuple[Array, _Kernels]:
    return _columns(x, kernels, features, stride, extents), kernels


def _backward(
    features: int, stride: int, extents: tuple[int, ...], kernels: _Kernels, cotangent: Array
) -> tuple[Array, _Kernels]:
    forward, backward = kernels
    if isinstance(backward, tuple):
        gradient = _spread(cotangent, *backward, extents)
    else:
        gradient = _several(cotangent, backward, forward.shape[2])
    nans: _Kernels = jax.tree.map(lambda kernel: jnp.full_like(kernel, jnp.nan), kernels)
    return gradient, nans


_columns.defvjp(_forward, _backward)


def _several(x: Array, kernel: Array, features: int) -> Array:
    """A convolution of stride 1 by a kernel from `repeat`."""
    n, height, width, _ = x.shape
    columns = kernel.shape[3] // features
    pads: tuple[Pad, Pad] = ((1, 1), (1, 1 - width % -columns))
    y = convolve(x, kernel, (1, columns), pads).reshape(n, height, -1, features)
    return y[:, :, :width]


def _spread(cotangent: Array, odd: Array, even: Array, extents: tuple[int, ...]) -> Array:
    """The input gradient of a stride of 2, at images of these extents."""
    n, height, width, _ = cotangent.shape
    rows = [
        convolve(cotangent, even, 1, ((0, 0), (0, 1))),
        convolve(cotangent, odd, 1, ((0, 1), (0, 1))),
    ]
    gradient = jnp.stack(rows, axis=2).reshape(n, 2 * height, 2 * width, -1)
    return gradient[:, : extents[0], : extents[1]]
