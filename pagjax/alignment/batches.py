"""Functions of many pictures, a few pictures at a time, with one compiled program."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from pagjax import draws

PICTURES, DRAWS = 16, 20
"""The most pictures, and the most noise draws of each, that are held at once."""


def in_batches(function: Callable[..., Array], *arrays: Array) -> Array:
    """``function(*arrays)`` for a function that treats every picture by itself.

    Args:
        function: arrays with a leading axis of pictures to one array with that axis.
        arrays: pictures ``[n, height, width, channels]`` first, then what goes with each, such as
            targets or keys.

    Returns:
        Shape ``[n, ...]``; the last batch is filled up with copies, which are dropped.

    Example:
        >>> import jax.numpy as jnp
        >>> in_batches(lambda x: x.mean((1, 2, 3)), jnp.ones((40, 2, 2, 3))).shape
        (40,)
    """
    count = arrays[0].shape[0]
    most = max(1, min(PICTURES, draws.CHUNK_VALUES // arrays[0][0].size))
    size = -(-count // -(-count // most))
    parts = []
    for first in range(0, count, size):
        picked = jnp.minimum(jnp.arange(first, first + size), count - 1)
        parts.append(function(*(array[picked] for array in arrays)))
    return jnp.concatenate(parts)[:count]


def draws_at_once(pictures: Array) -> int:
    """The most draws of a picture held at once beside those of its batch.

    Example:
        >>> import jax.numpy as jnp
        >>> draws_at_once(jnp.zeros((100, 32, 32, 3))), draws_at_once(jnp.zeros((100, 224, 224, 3)))
        (20, 1)
    """
    values = pictures[0].size * min(PICTURES, pictures.shape[0])
    return max(1, min(DRAWS, draws.CHUNK_VALUES // values))
