"""What strides see where a network is antialiased, after Zhang (2019), "Making convolutional
networks shift-invariant again".

A stride of 2 passes the gradient to every second pixel through other taps than to its neighbours,
which leaves a grid in pictures that follow it. A blur before the stride passes it to all alike.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


@jax.custom_vjp
def blur(x: Array) -> Array:
    """Binomial averages, 1/4, 1/2, 1/4 along both axes, where the border goes on beyond itself.

    So a constant image stays itself, and the blur is its own adjoint: the gradient is blurred too.

    Args:
        x: shape ``[n, h, w, c]``.

    Returns:
        The same shape and type, summed in float32 or better.

    Example:
        >>> import jax.numpy as jnp
        >>> blur(jnp.array([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(1, 1, 5, 1))[0, 0, :, 0].tolist()
        [0.0, 0.25, 0.5, 0.25, 0.0]
    """
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    seen = jnp.pad(wide, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = seen[:, 1:-1] / 2 + (seen[:, :-2] + seen[:, 2:]) / 4
    return (rows[:, :, 1:-1] / 2 + (rows[:, :, :-2] + rows[:, :, 2:]) / 4).astype(x.dtype)


def _forward(x: Array) -> tuple[Array, None]:
    return blur(x), None


def _backward(_: None, cotangent: Array) -> tuple[Array]:
    return (blur(cotangent),)


blur.defvjp(_forward, _backward)
