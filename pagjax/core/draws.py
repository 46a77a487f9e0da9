"""Noise draws: one key per image, step and draw, visited in chunks of bounded memory.

Keys are folded from indices, never split from a running state. Hence the i-th draw of an image is
the same array whatever the chunk size, whatever else is in the batch and wherever a run was
interrupted (the habit of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.core.checks import as_key

Carry = TypeVar("Carry")
Result = TypeVar("Result")

# Twenty draws at 224x224x3, the paper's N: what a laptop holds for a ResNet-50.
CHUNK_VALUES = 20 * 224 * 224 * 3

# Where nothing is differentiated, CPUs are fastest with what stays in their caches and still gives
# their matrix products enough rows: measured for small networks at 32x32 and 128x128 and for a
# ResNet-50 at 224x224. Accelerators want to be filled: with two gigabytes of a ResNet-50's
# activations, twice as two chunks are under way.
_CACHED_VALUES, _CACHED_DRAWS = 64 * 32 * 32 * 3, 16
_FILLING_VALUES = 8192 * 32 * 32 * 3
# Draws of all images together: accelerators are filled by, and hold, so many laptops' chunks.
_ACCELERATOR_CHUNKS = 4


def image_keys(key: Array, count: int) -> Array:
    """One key per image of a batch.

    Args:
        key: a typed key (`jax.random.key`), or already one key per image, shape ``[count]``. Pass
            the latter when the same image must meet the same draws in batches of other make-up.
        count: number of images in the batch.

    Returns:
        Keys of shape ``[count]``; image i gets ``fold_in(key, i)``.

    Raises:
        ValueError: if `key` is an array of keys of another length.
        TypeError: for a seed, or anything else that is no key.

    Example:
        >>> import jax
        >>> image_keys(jax.random.key(0), 3).shape
        (3,)
    """
    key = as_key(key)
    if key.ndim == 0:
        return jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.arange(count))
    if key.shape != (count,):
        raise ValueError(
            f"keys of shape {key.shape} for {count} images: pass one key, or one key per image"
        )
    return key


def gaussian(key: Array, indices: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """Standard normal draws number `indices` of one image and step.

    Args:
        key: the key of an image (and step).
        indices: integers, shape ``[c]``: which draws.
        shape: shape of an image, ``(height, width, channels)``.
        dtype: floating type of the draws.

    Returns:
        Draws of shape ``[c, *shape]``, each from its own key.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> gaussian(jax.random.key(0), jnp.arange(4), (8, 8, 3), jnp.float32).shape
        (4, 8, 8, 3)
    """

    def draw(index: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(key, index), shape, dtype)

    return jax.vmap(draw)(indices)


def balanced_chunk(num_samples: int, chunk_size: int | None, values_per_draw: int) -> int:
    """The chunk size used for `num_samples` draws, at most the one asked for.

    Chunks are made equal, so that at most one short chunk's worth of draws is computed in vain:
    20 draws in chunks of at most 8 go as 7, 7 and 6.

    Args:
        num_samples: number of draws, at least 1.
        chunk_size: the largest number of draws held at once; None chooses it so that the noisy
            copies of one image stay below 12 MB in float32.
        values_per_draw: height x width x channels.

    Example:
        >>> balanced_chunk(20, 8, 3072)
        7
    """
    if chunk_size is None:
        chunk_size = max(1, CHUNK_VALUES // values_per_draw)
    num_chunks = math.ceil(num_samples / chunk_size)
    return math.ceil(num_samples / num_chunks)


def forward_chunk(values_per_draw: int, platform: str) -> int:
    """How many draws to evaluate at once where nothing is differentiated.

    Args:
        values_per_draw: height x width x channels.
        platform: of the devices, ``"cpu"``, ``"gpu"`` or ``"tpu"``.

    Returns:
        The most draws, at least 1.

    Example:
        >>> [forward_chunk(32 * 32 * 3, platform) for platform in ("cpu", "gpu")]
        [64, 8192]
    """
    if platform == "cpu":
        return max(_CACHED_DRAWS, _CACHED_VALUES // values_per_draw)
    return max(1, _FILLING_VALUES // values_per_draw)


def images_at_once(values_per_image: int, platform: str, share: int = 1) -> int:
    """How many images are visited at once, so that memory does not grow with the batch.

    Args:
        values_per_image: chunk size x height x width x channels.
        platform: of the devices, ``"cpu"``, ``"gpu"`` or ``"tpu"``.
        share: of how many devices that share a CPU's memory.

    Returns:
        The most images, at least 1.

    Example:
        >>> [images_at_once(20 * 32 * 32 * 3, platform) for platform in ("cpu", "gpu")]
        [49, 196]
    """
    most = CHUNK_VALUES // share if platform == "cpu" else _ACCELERATOR_CHUNKS * CHUNK_VALUES
    return max(1, most // values_per_image)


def in_blocks(function: Callable[..., Result], most: int, *rows: Any) -> Result:
    """``function(*rows)`` for a function that treats every row by itself, block after block.

    Args:
        function: pytrees of arrays with a leading axis to one with that axis.
        most: rows at once. Blocks are of one size, chosen so that few rows are computed in vain.
        rows: what it takes, keys among it.

    Returns:
        As `function`; up to `most` rows go without a loop.

    Example:
        >>> in_blocks(lambda x: 2 * x, 2, jnp.arange(5)).tolist()
        [0, 2, 4, 6, 8]
    """
    count = jax.tree.leaves(rows)[0].shape[0]
    if count <= most:
        return function(*rows)
    size = min(range(-(-most // 2), most + 1), key=lambda size: (-count % size, -size))
    blocks = -(-count // size)
    picked = jnp.minimum(jnp.arange(blocks * size), count - 1).reshape(blocks, size)
    results = lax.map(lambda block: function(*jax.tree.map(lambda leaf: leaf[block], rows)), picked)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], results)


def fold_chunks(
    body: Callable[[Carry, Array, Array], Carry],
    carry: Carry,
    num_samples: int,
    chunk_size: int,
    *,
    first: Array | int = 0,
    end: int | None = None,
) -> Carry:
    """Folds `body` over the draw indices, a chunk at a time.

    Args:
        body: ``(carry, indices [c], valid [c]) -> carry``; where `valid` is false the index lies
            past the last draw and must not count.
        carry: the starting value.
        num_samples: number of draws to visit.
        chunk_size: draws a chunk, from `balanced_chunk`.
        first: the first draw's number; with `end`, a device's share of all draws.
        end: draws from this number on do not count; None means ``first + num_samples``.

    Returns:
        The carry after the last chunk. One chunk runs without a loop around it.
    """
    offsets = jnp.arange(chunk_size)

    def visit(chunk: Array | int, carry: Carry) -> Carry:
        positions = chunk * chunk_size + offsets
        indices, valid = first + positions, positions < num_samples
        return body(carry, indices, valid if end is None else valid & (indices < end))

    num_chunks = math.ceil(num_samples / chunk_size)
    if num_chunks == 1:
        return visit(0, carry)
    return lax.fori_loop(0, num_chunks, visit, carry)
