"""Convolutions with frozen kernels, prepared once for fast input gradients.

A prepared convolution is a pytree that holds its kernel in the layouts that its forward and its
backward pass want, so that a compiled loop receives both as loop invariants. On CPUs 3x3 kernels
of many channels go by minimal filtering (`winograd`) and those of few by several columns at once
(`columns`), the 7x7 stem and others plainly (`direct`), 1x1 ones as matrix products; on GPUs and
TPUs all are left to the compiler.

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
from jax import Array, lax

from pagjax.networks import pooling, rectifiers
from pagjax.networks.convolutions import accelerators
from pagjax.networks.convolutions.columns import Columns
from pagjax.networks.convolutions.direct import Direct, Stem
from pagjax.networks.convolutions.winograd import Winograd

# With no more than these in or out, minimal filtering's transforms cost more than they save.
_FEW_CHANNELS = 16

Precision = Literal["float32", "bfloat16"]
"""Of the operands of products, whose sums are float32; on GPUs and TPUs of activations too."""

Backend = Literal["cpu", "gpu", "tpu"]
"""Whose forms of layers a network is laid out in. They run, and agree, on every device."""


def as_backend(backend: str | None) -> Backend:
    """A backend by its name; None is that of JAX's default devices, and those unknown are a TPU.

    Raises:
        ValueError: for another name.

    Example:
        >>> as_backend("tpu")
        'tpu'
    """
    for name in get_args(Backend):
        if name == (jax.default_backend() if backend is None else backend):
            return name
    if backend is None:
        return "tpu"  # what is left to the compiler suits any
    raise ValueError(f"backend {backend!r}: choose 'cpu', 'gpu' or 'tpu'")


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
    """A 1x1 convolution of bfloat16 operands, summed in float32, for processors that have it."""

    forward: Array
    backward: Array
    bias: Array
    stride: int

    def __call__(self, x: Array) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, h', w', features]``, in the type of `x`."""
        return (
            _narrow(x[:, :: self.stride, :: self.stride], self.forward, self.backward) + self.bias
        )


@jax.custom_vjp
def _narrow(x: Array, forward: Array, backward: Array) -> Array:
    del backward  # for the gradient alone
    contracted = (((x.ndim - 1,), (0,)), ((), ()))
    return lax.dot_general(
        x.astype(jnp.bfloat16), forward, contracted, preferred_element_type=x.dtype
    )


def _narrow_forward(x: Array, forward: Array, backward: Array) -> tuple[Array, tuple[Array, Array]]:
    return _narrow(x, forward, backward), (forward, backward)


def _narrow_backward(kernels: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array, Array]:
    forward, backward = kernels
    gradient = _narrow(cotangent, backward, forward)
    return gradient, jnp.full_like(forward, jnp.nan), jnp.full_like(backward, jnp.nan)


_narrow.defvjp(_narrow_forward, _narrow_backward)


Prepared = Callable[[Array], Array]


def narrowed(prepared: Any) -> Any:
    """The same layers with bfloat16 operands; on CPUs a 7x7 stem stays as it is.

    What is left to the compiler keeps its activations in bfloat16 too: on GPUs and TPUs moving them
    is most of the work.

    Args:
        prepared: a pytree of layers from `prepare`.
    """

    def narrow(layer: Any) -> Any:
        if isinstance(layer, Pointwise):
            kernel = layer.kernel.astype(jnp.bfloat16)
            return NarrowPointwise(kernel, kernel.T, layer.bias, layer.stride)
        return accelerators.narrowed(layer) if isinstance(layer, accelerators.KINDS) else layer

    kinds = (Pointwise, *accelerators.KINDS)
    return jax.tree.map(narrow, prepared, is_leaf=lambda node: isinstance(node, kinds))


def linear(prepared: Any) -> Prepared:
    """A layer from `prepare` without its bias."""
    return dataclasses.replace(prepared, bias=jnp.zeros_like(prepared.bias))


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
    if (backend := as_backend(backend)) != "cpu":
        return accelerators.prepare(kernel, bias, stride, backend)
    if size == 1:
        return Pointwise(kernel[0, 0], bias, stride)
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
}
_POOLS: dict[Backend, Callable[[Array], Array]] = {
    "cpu": pooling.by_slices,
    "gpu": pooling.by_places,
    "tpu": pooling.by_window,
}
