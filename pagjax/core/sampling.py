"""Kinds of noise draws for gradient estimates: independent, and dependent ones of less variance.

Each single draw is standard normal whatever its kind, so that means over draws are unbiased. Draws
come in groups: dependent within one, independent between them, so that the spread of the groups'
means gives a standard error. A certificate needs independent draws: these kinds carry none.
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.core import draws

__all__ = ("Sampling", "group_size", "sample")

Sampling = Literal["independent", "antithetic", "latin-hypercube"]

_MOST_IN_A_HYPERCUBE = 16


def group_size(sampling: Sampling, num_samples: int) -> int:
    """How many of `num_samples` draws depend on one another.

    Args:
        sampling: ``"independent"``, ``"antithetic"`` (pairs z, -z) or ``"latin-hypercube"``.
        num_samples: number of draws, at least 1.

    Returns:
        1; 2; or the largest divisor of `num_samples` up to 16 that leaves two groups.

    Raises:
        ValueError: if the draws do not go into groups; the message says which numbers do.

    Example:
        >>> [group_size(kind, 20) for kind in ("independent", "antithetic", "latin-hypercube")]
        [1, 2, 10]
    """
    if sampling == "independent":
        return 1
    if sampling == "antithetic":
        if num_samples % 2:
            raise ValueError(
                f"num_samples = {num_samples}: antithetic draws come in pairs, "
                "choose an even number"
            )
        return 2
    if sampling == "latin-hypercube":
        most = min(num_samples // 2, _MOST_IN_A_HYPERCUBE)
        sizes = [size for size in range(2, most + 1) if num_samples % size == 0]
        if not sizes:
            raise ValueError(
                f"num_samples = {num_samples}: Latin hypercubes come as two or more of one size, "
                "choose an even number of at least 4"
            )
        return max(sizes)
    raise ValueError(
        f"sampling {sampling!r}: choose 'independent', 'antithetic' or 'latin-hypercube'"
    )


def sample(
    sampling: Sampling,
    key: Array,
    indices: Array,
    shape: tuple[int, ...],
    dtype: jnp.dtype,
    *,
    group: int,
) -> Array:
    """Standard normal draws number `indices` of one image and step.

    Args:
        sampling: the kind.
        key: the key of an image and step.
        indices: consecutive integers, shape ``[c]``, whole groups where these are pairs.
        shape: shape of an image.
        dtype: floating type of the draws.
        group: from `group_size` (static).

    Returns:
        Draws of shape ``[c, *shape]``; memory is that of the draws themselves.

    Reference: Hammersley and Morton (1956), antithetic variates; McKay, Beckman and Conover (1979),
    Latin hypercubes; Owen (1997) bounds their variance by n / (n - 1) times that of n independent
    draws.

    Example, a pair:
        >>> import jax, jax.numpy as jnp
        >>> key, two = jax.random.key(0), jnp.arange(2)
        >>> pair = sample("antithetic", key, two, (4,), jnp.float32, group=2)
        >>> bool(jnp.all(pair[0] == -pair[1]))
        True
    """
    if sampling == "independent":
        return draws.gaussian(key, indices, shape, dtype)
    if sampling == "antithetic":
        first = draws.gaussian(key, indices[::2] // 2, shape, dtype)
        return jnp.stack([first, -first], axis=1).reshape(indices.shape[0], *shape)
    return jax.vmap(lambda index: _in_hypercube(key, index, shape, dtype, group))(indices)


def _in_hypercube(
    key: Array, index: Array, shape: tuple[int, ...], dtype: jnp.dtype, group: int
) -> Array:
    """One draw of a hypercube: in each coordinate the group's draws fill `group` equal strata.

    Stratum a p + b modulo the group's size, with a invertible and a, b drawn for each coordinate,
    holds draw p: a permutation that no array of permutations need be kept for. Where the size is
    prime any two draws are jointly those of uniformly drawn permutations.
    """
    hypercube = jax.random.fold_in(key, index // group)
    slope_key, shift_key, within_key = (jax.random.fold_in(hypercube, part) for part in range(3))
    invertible = jnp.array([a for a in range(1, group + 1) if math.gcd(a, group) == 1])
    position = index % group
    slope = jax.random.choice(slope_key, invertible, shape)
    shift = jax.random.randint(shift_key, shape, 0, group)
    stratum = ((slope * position + shift) % group).astype(dtype)
    within = jax.random.uniform(jax.random.fold_in(within_key, position), shape, dtype)
    symmetric = (2 * (stratum + within) - group) / group
    edge = 1 - jnp.finfo(dtype).epsneg
    return math.sqrt(2) * lax.erf_inv(jnp.clip(symmetric, -edge, edge))
