"""Max-pooling with PyTorch's padding."""

from __future__ import annotations

from functools import reduce

import jax.numpy as jnp
from jax import Array, lax

from pagjax.networks.convolutions.forms import as_backend
from pagjax.networks.rectifiers import larger


def max_pool_3x3(x: Array, backend: str | None = None) -> Array:
    """3x3 max-pooling with stride 2 and one row of -inf on every side, as in torchvision's stem.

    On the CPU it is a maximum of nine shifted slices, whose backward pass avoids XLA's slow
    select-and-scatter. A NaN makes its windows NaN. Where two entries of a window share the
    maximum, which of them has the gradient may differ; after a rectifier both are then almost
    surely 0, where the rectifier's own gradient is 0.

    Args:
        x: shape ``[n, h, w, c]``.
        backend: None means JAX's default backend.

    Returns:
        Shape ``[n, ceil(h / 2), ceil(w / 2), c]``.
    """
    if as_backend(backend) != "cpu":
        window, strides = (1, 3, 3, 1), (1, 2, 2, 1)
        pads = ((0, 0), (1, 1), (1, 1), (0, 0))
        return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, pads)
    height, width = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
    rows = reduce(larger, (padded[:, i : i + 2 * height - 1 : 2] for i in range(3)))
    return reduce(larger, (rows[:, :, j : j + 2 * width - 1 : 2] for j in range(3)))
