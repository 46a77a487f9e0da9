"""Convolutions with frozen kernels, prepared once for fast input gradients.

A prepared convolution is a pytree that holds its kernel in the layouts that its forward and its
backward pass want, so that a compiled loop receives both as loop invariants. On CPUs 3x3 kernels
of many channels go by minimal filtering (`winograd`) and those of few by several columns at once
(`columns`), the 7x7 stem and others plainly (`direct`), 1x1 ones as matrix products; on CPUs with
units for narrow products all go by those (`rows`); on GPUs and TPUs all are left to the compiler.

Kernels are frozen: a gradient with respect to a prepared kernel is NaN, never a silent zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.networks import pooling, rectifiers
from pagjax.networks.convolutions import accelerators, rows
from pagjax.networks.convolutions.columns import Columns
from pagjax.networks.convolutions.direct import Direct, Stem
from pagjax.networks.convolutions.products import dot, wide
from pagjax.networks.convolutions.winograd import Winograd
from pagjax.networks.processor import has_narrow_units

# With no more than these in or out, minimal filtering's transforms cost more than they save.
_FEW_CHANNELS = 16
# With fewer of them, laying columns into channels takes longer than a convolution in float32.
_FEWEST_FOR_UNITS = 16

Precision = Literal["float32", "bfloat16"]
"""Of the operands of products, whose sums are float32; on GPUs and TPUs of activations too."""

Backend = Literal["cpu", "gpu", "tpu", "amx"]
"""Whose forms of layers a network is laid out in. They run, and agree, on every device."""

_ON_CPUS = ("cpu", "amx")


def as_backend(backend: str | None, precision: Precision = "float32") -> Backend:
    """A backend by its name; None is that of JAX's default devices, and those unknown are a TPU.

    In bfloat16 None is ``"amx"`` on CPUs that have these units.

    Raises:
        ValueError: for another name.

    Example:
        >>> as_backend("tpu")
        'tpu'
    """
    if backend is None:
        ours = jax.default_backend()
        if ours == "cpu" and precision == "bfloat16" and has_narrow_units():
            return "amx"
        # What is left to the compiler suits any.
        backend = ours if ours in get_args(Backend) else "tpu"
    for name in get_args(Backend):
        if name == backend:
            return name
    raise ValueError(f"backend {backend!r}: choose 'cpu', 'gpu', 'tpu' or 'amx'")


def keeps_nan(backend: str) -> bool:
    """Whether a backend's rectifiers keep NaN wherever it arises.

    Example:
        >>> keeps_nan("cpu"), keeps_nan("gpu")
        (True, False)
    """
    return backend in _ON_CPUS


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
    meta_fields=["stride"],
)
@dataclass(frozen=True)
class NarrowPointwise:
    """A 1x1 convolution of bfloat16 operands, summed in float32, for CPUs."""

    forward: Array
    backward: Array
    bias: Array
    stride: int

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``, in the type of `x`."""
        seen = x[:, :: self.stride, :: self.stride]
        return (_narrow(seen, self.forward, self.backward) + self.bias).astype(x.dtype)


@jax.custom_vjp
def _narrow(x: Array, forward: Array, backward: Array) -> Array:
    del backward  # for the gradient alone
    return dot(x.astype(jnp.bfloat16), forward).astype(wide(x.dtype))


def _narrow_forward(
    x: Array, forward: Array, backward: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    return _narrow(x, forward, backward), (forward, backward, jnp.zeros((), x.dtype))


def _narrow_backward(
    saved: tuple[Array, Array, Array], cotangent: Array
) -> tuple[Array, Array, Array]:
    forward, backward, like = saved
    gradient = _narrow(cotangent.astype(like.dtype), backward, forward).astype(like.dtype)
    return gradient, jnp.full_like(forward, jnp.nan), jnp.full_like(backward, jnp.nan)


_narrow.defvjp(_narrow_forward, _narrow_backward)


@partial(jax.tree_util.register_dataclass, data_fields=["layer"], meta_fields=["dtype"])
@dataclass(frozen=True)
class Rounded:
    """A layer that computes wide and rounds what it gives, to this type if any."""

    layer: Any
    dtype: str | None = None

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``."""
        y: Array = self.layer(x.astype(self.layer.bias.dtype))
        return y if self.dtype is None else y.astype(self.dtype)


Prepared = Callable[[Array], Array]


def narrowed(prepared: Any) -> Any:
    """The same layers with bfloat16 operands; on CPUs minimal filtering and stems stay as they are.

    What is left to the compiler, or to units for narrow products, keeps its activations in bfloat16
    too: there moving them is most of the work.

    Args:
        prepared: a pytree of layers from `prepare`.
    """

    def narrow(layer: Any) -> Any:
        if isinstance(layer, Pointwise):
            kernel = layer.kernel.astype(jnp.bfloat16)
            return NarrowPointwise(kernel, kernel.T, layer.bias, layer.stride)
        if isinstance(layer, rows.Rows):
            return rows.narrowed(layer)
        if isinstance(layer, Rounded):
            return Rounded(layer.layer, "bfloat16")
        return accelerators.narrowed(layer) if isinstance(layer, accelerators.KINDS) else layer

    kinds = (Pointwise, rows.Rows, Rounded, *accelerators.KINDS)
    return jax.tree.map(narrow, prepared, is_leaf=lambda node: isinstance(node, kinds))


def linear(prepared: Any) -> Prepared:
    """A layer from `prepare` without its bias."""
    if isinstance(prepared, Rounded):
        return Rounded(linear(prepared.layer), prepared.dtype)
    return dataclasses.replace(prepared, bias=jnp.zeros_like(prepared.bias))


def prepare(kernel: Array, bias: Array, stride: int, backend: str | None = None) -> Prepared:
    """Lays a kernel out for the backend it will run on.

    Args:
        kernel: HWIO, of odd size; padded by half its size on every side.
        bias: shape ``[features]``.
        stride: 1 or 2.
        backend: ``"cpu"``, ``"gpu"``, ``"tpu"`` or ``"amx"``; None means JAX's default backend.

    Returns:
        A pytree, callable on images ``[n, h, w, c]``.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = prepare(jnp.ones((3, 3, 2, 4)), jnp.zeros(4), stride=2)
        >>> layer(jnp.ones((1, 8, 8, 2))).shape
        (1, 4, 4, 4)
    """
    size = kernel.shape[0]
    if (backend := as_backend(backend)) not in _ON_CPUS:
        return accelerators.prepare(kernel, bias, stride, backend)
    if size == 1:
        return Pointwise(kernel[0, 0], bias, stride)
    if backend == "amx":
        if kernel.shape[2] < _FEWEST_FOR_UNITS:
            return Rounded(prepare(kernel, bias, stride, "cpu"))
        return rows.Rows.of(kernel, bias, stride)
    if size == 7 and stride == 2:
        return Stem.of(kernel, bias)
    if size == 3:
        form = Winograd if min(kernel.shape[2:]) > _FEW_CHANNELS else Columns
        return form.of(kernel, bias, stride)
    return Direct.of(kernel, bias, stride, (size // 2, size // 2))


def rectify(x: Array, backend: str | None = None) -> Array:
    """The positive part in the form of a backend, see `pagjax.networks.rectifiers`.

    Example:
        >>> [rectify(jnp.array([-1.0, 2.0]), name).tolist() for name in ("cpu", "gpu")]
        [[0.0, 2.0], [0.0, 2.0]]
    """
    return _RECTIFIERS[as_backend(backend)](x)


def max_pool_3x3(x: Array, backend: str | None = None) -> Array:
    """3x3 max-pooling of stride 2 in the form of a backend, see `pagjax.networks.pooling`.

    Example:
        >>> max_pool_3x3(jnp.ones((1, 5, 8, 2)), "gpu").shape
        (1, 3, 4, 2)
    """
    return _POOLS[as_backend(backend)](x)


_RECTIFIERS: dict[Backend, Callable[[Array], Array]] = {
    "cpu": rectifiers.rectify,
    "gpu": rectifiers.rectify_by_result,
    "tpu": rectifiers.rectify_by_result,
    "amx": rectifiers.rectify,
}
_POOLS: dict[Backend, Callable[[Array], Array]] = {
    "cpu": pooling.by_slices,
    "gpu": pooling.by_places,
    "tpu": pooling.by_window,
    "amx": pooling.by_places_in_turn,
}
