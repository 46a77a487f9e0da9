"""3x3 convolutions by Winograd's minimal filtering, for CPUs.

Lavin and Gray (2016), "Fast algorithms for convolutional neural networks": F(4x4, 3x3) makes tiles
of 4x4 outputs from 36 products over channels where 144 are plain. A stride of 2 sees its kernel's
outer and middle taps as filters of odd and even pixels, and takes 81 products. The transforms are
sums of slices, which the compiler fuses; the positions of a tile lead, so that all products are one
batched matrix product. Backward passes are of the same form, with kernels transformed beforehand.

With few tiles the time is that of reading the transformed kernels, each of which meets few rows:
then tiles of half the side read less than half as much.

In float32 a layer rounds about five times as coarsely as by plain sums (1e-6 of its outputs), which
a network's own rounding hides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap

from pagjax.networks.convolutions.filtering import (
    FILTERINGS,
    SMALL_FILTERINGS,
    Filtering,
    Matrix,
)

# With no more tiles than this, reading the kernels takes longer than multiplying by them.
_FEW_TILES = 8
# Kernels of fewer numbers than this stay in a processor's cache.
_CACHED = 2**13


class Kernels(NamedTuple):
    """A kernel transformed for tiles of 4x4 and, where it is large, for tiles of 2x2."""

    large: Array
    small: Array | None


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["forward", "backward", "bias"],
    meta_fields=["stride"],
)
@dataclass(frozen=True)
class Winograd:
    """A 3x3 convolution padded by 1, with its kernel transformed for both passes."""

    forward: Kernels
    backward: Kernels
    bias: Array
    stride: int

    @classmethod
    def of(cls, kernel: Array, bias: Array, stride: int) -> Winograd:
        """Transforms a kernel ``[3, 3, c, features]``, in its own type."""
        reverse = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
        return cls(_kernels(kernel, stride, 0), _kernels(reverse, stride, 1), bias, stride)

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / stride), ceil(w / stride), features]``."""
        sides = x.shape[-3:-1]
        return _winograd(x, self.forward, self.backward, self.stride, sides) + self.bias


def _kernels(kernel: Array, stride: int, which: int) -> Kernels:
    large = transform_kernel(kernel, FILTERINGS[stride][which])
    if kernel[0, 0].size < _CACHED:
        return Kernels(large, None)
    return Kernels(large, transform_kernel(kernel, SMALL_FILTERINGS[stride][which]))


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _winograd(
    x: Array, forward: Kernels, backward: Kernels, stride: int, sides: tuple[int, ...]
) -> Array:
    del backward  # for the gradient alone
    extents = tuple(-(-side // stride) for side in sides)
    return _whole_batch(stride, 0, extents)(x, forward)


def _winograd_forward(
    x: Array, forward: Kernels, backward: Kernels, stride: int, sides: tuple[int, ...]
) -> tuple[Array, tuple[Kernels, Kernels]]:
    return _winograd(x, forward, backward, stride, sides), (forward, backward)


def _winograd_backward(
    stride: int, sides: tuple[int, ...], kernels: tuple[Kernels, Kernels], cotangent: Array
) -> tuple[Array, Kernels, Kernels]:
    forward, backward = kernels
    return _transposed(cotangent, backward, forward, stride, sides), *_no_gradient(kernels)


_winograd.defvjp(_winograd_forward, _winograd_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _transposed(
    cotangent: Array, backward: Kernels, forward: Kernels, stride: int, sides: tuple[int, ...]
) -> Array:
    """The input gradient, whose own is the convolution again."""
    del forward
    return _whole_batch(stride, 1, sides)(cotangent, backward)


def _transposed_forward(
    cotangent: Array, backward: Kernels, forward: Kernels, stride: int, sides: tuple[int, ...]
) -> tuple[Array, tuple[Kernels, Kernels]]:
    return _transposed(cotangent, backward, forward, stride, sides), (backward, forward)


def _transposed_backward(
    stride: int, sides: tuple[int, ...], kernels: tuple[Kernels, Kernels], x: Array
) -> tuple[Array, Kernels, Kernels]:
    backward, forward = kernels
    return _winograd(x, forward, backward, stride, sides), *_no_gradient(kernels)


_transposed.defvjp(_transposed_forward, _transposed_backward)


def _no_gradient(kernels: tuple[Kernels, Kernels]) -> tuple[Kernels, Kernels]:
    nans: tuple[Kernels, Kernels] = jax.tree.map(lambda k: jnp.full_like(k, jnp.nan), kernels)
    return nans


def _whole_batch(stride: int, which: int, extents: tuple[int, ...]) -> custom_vmap:
    """`convolve`, which a mapped axis joins as images.

    Ahead of the positions, where JAX would put it, that axis costs a transpose.

    Args:
        stride: of the convolution.
        which: 0 is the convolution, 1 its input gradient.
        extents: height and width of the result.
    """

    def plain(x: Array, kernels: Kernels) -> Array:
        filtering = FILTERINGS[stride][which]
        tiles = x.shape[0] * prod(map(filtering.tiles, extents))
        if kernels.small is not None and tiles <= _FEW_TILES:
            return convolve(x, kernels.small, SMALL_FILTERINGS[stride][which], extents)
        return convolve(x, kernels.large, filtering, extents)

    whole = custom_vmap(plain)

    @whole.def_vmap
    def _(
        size: int, batched: tuple[bool, Kernels], x: Array, kernels: Kernels
    ) -> tuple[Array, bool]:
        if any(jax.tree.leaves(batched[1])):
            axes = jax.tree.map(lambda is_batched: 0 if is_batched else None, batched)
            return jax.vmap(plain, axes)(x, kernels), True
        y = whole(x.reshape(-1, *x.shape[2:]), kernels)
        return y.reshape(size, -1, *y.shape[1:]), True

    return whole


def transform_kernel(kernel: Array, filtering: Filtering) -> Array:
    """A kernel ``[taps, taps, c, features]`` at all positions, ``[positions^2, c, features]``."""
    # One product for both axes: of sums, whole networks would be long to compile.
    both = np.kron(filtering.kernel, filtering.kernel).astype(kernel.dtype)
    taps = kernel.reshape(both.shape[1], -1)
    return jnp.dot(both, taps, precision="highest").reshape(-1, *kernel.shape[2:])


def convolve(x: Array, kernel: Array, filtering: Filtering, extents: tuple[int, ...]) -> Array:
    """A filtering along rows and columns by a transformed kernel.

    Args:
        x: shape ``[n, h, w, c]``.
        kernel: from `transform_kernel`. Its type is that of the products' operands, which are
            summed in the type of `x`.
        filtering: along both axes.
        extents: height and width of the result.

    Returns:
        Shape ``[n, *extents, features]``, in the type of `x`.

    Example:
        >>> import jax.numpy as jnp
        >>> filtering = FILTERINGS[1][0]
        >>> kernel = transform_kernel(jnp.ones((3, 3, 2, 4)), filtering)
        >>> sums = convolve(jnp.ones((1, 5, 7, 2)), kernel, filtering, (5, 7))
        >>> bool(jnp.allclose(sums[0, 1:-1, 1:-1], 18, atol=1e-3)), sums.shape
        (True, (1, 5, 7, 4))
    """
    n, positions, side = x.shape[0], len(filtering.inputs), len(filtering.outputs)
    down, across = map(filtering.tiles, extents)
    pads = map(filtering.pad, x.shape[1:3], extents)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    # Columns first: their sums keep the image's layout but for the stride.
    columns = jnp.stack(_sums(filtering.inputs, filtering.windows(x, across, 2)))
    tiles = jnp.stack(_sums(filtering.inputs, filtering.windows(columns, down, 2)))
    products = lax.dot_general(
        tiles.reshape(positions**2, n * down * across, -1).astype(kernel.dtype),
        kernel,
        (((2,), (1,)), ((0,), (0,))),
        preferred_element_type=x.dtype,
    ).reshape(positions, positions, n, down, across, -1)
    rows = jnp.stack(_sums(filtering.outputs, list(products)))
    y = jnp.stack(_sums(filtering.outputs, [rows[:, j] for j in range(positions)]), axis=4)
    y = y.transpose(1, 2, 0, 3, 4, 5).reshape(n, side * down, side * across, -1)
    return y[:, : extents[0], : extents[1]]


def _sums(matrix: Matrix, parts: Sequence[Array]) -> list[Array]:
    """The parts' sums weighted by each row, without zeros and ones."""

    def total(row: tuple[float, ...]) -> Array:
        terms = zip(row, parts, strict=True)
        return reduce(jnp.add, [p if w == 1 else w * p for w, p in terms if w != 0])

    return [total(row) for row in matrix]
