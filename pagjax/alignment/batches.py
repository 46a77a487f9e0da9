"""Functions of many pictures, a few pictures at a time, with one compiled program."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core import draws

DRAWS = 20
"""The most noise draws of a picture that are held at once."""

# Accelerators are filled by many pictures at once; they hold several times what a laptop does.
_ON_CPU, _ON_ACCELERATORS = (16, draws.CHUNK_VALUES), (100, 3 * draws.CHUNK_VALUES)


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
    pictures, values = _room()
    most = max(1, min(pictures, values // arrays[0][0].size))
    size = -(-count // -(-count // most))
    parts = []
    for first in range(0, count, size):
        picked = jnp.minimum(jnp.arange(first, first + size), count - 1)
        parts.append(function(*(array[picked] for array in arrays)))
    return jnp.concatenate(parts)[:count]


def draws_held(pictures: Array) -> int:
    """The most draws of a picture held at once beside those of its batch.

    Example, on a CPU:
        >>> import jax.numpy as jnp
        >>> draws_held(jnp.zeros((100, 32, 32, 3))), draws_held(jnp.zeros((100, 224, 224, 3)))
        (20, 1)
    """
    at_once, values = _room()
    batch = pictures[0].size * min(at_once, pictures.shape[0])
    return max(1, min(DRAWS, values // batch))


def _room() -> tuple[int, int]:
    """The most pictures, and values of noisy copies, that are held at once."""
    return _ON_CPU if jax.default_backend() == "cpu" else _ON_ACCELERATORS
