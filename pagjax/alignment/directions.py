"""Directions: cosines between gradients or perturbations and what leads to a class."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core.projections import safe_norm


def cosine(first: Array, second: Array) -> Array:
    """Cosine of the angle between arrays, picture by picture.

    Args:
        first, second: shape ``[batch, ...]``.

    Returns:
        Shape ``[batch]``, in [-1, 1]; 0 where one of the two is zero.

    Example:
        >>> import jax.numpy as jnp
        >>> one, other = jnp.array([[3.0, 4.0], [1.0, 0.0]]), jnp.array([[6.0, 8.0], [0.0, 0.0]])
        >>> cosine(one, other).tolist()
        [1.0, 0.0]
    """

    def unit(vector: Array) -> Array:
        norm = safe_norm(vector)
        return jnp.where(norm > 0, vector / jnp.where(norm > 0, norm, 1), 0)

    flat = (array.reshape(array.shape[0], -1) for array in (first, second))
    one, other = (jax.vmap(unit)(array) for array in flat)
    return jnp.clip((one * other).sum(axis=-1), -1, 1)


def alignment(vectors: Array, starts: Array, references: Array) -> Array:
    """Mean cosine of a vector with the directions from its start to one or several references.

    With the mean image of the target class as the reference this is Ganz et al.'s "class mean",
    with its nearest training image their "nearest neighbour".

    Args:
        vectors: gradients at x0, or ``x* - x0``; shape ``[batch, height, width, channels]``.
        starts: x0, same shape.
        references: shape ``[batch, height, width, channels]``, or ``[batch, k, ...]`` for k each.

    Returns:
        Shape ``[batch]``.

    Reference: Ganz, Kawar and Elad (2023), "Do perceptually aligned gradients imply robustness?",
    section 4.

    Example:
        >>> import jax.numpy as jnp
        >>> start, mean = jnp.zeros((1, 1, 2, 1)), jnp.ones((1, 1, 2, 1))
        >>> round(float(alignment(mean, start, 3 * mean)[0]), 6)
        1.0
    """
    if references.ndim == starts.ndim:
        references = references[:, None]
    towards = references - starts[:, None]
    return jax.vmap(cosine, in_axes=(None, 1), out_axes=1)(vectors, towards).mean(axis=1)


def nearest(starts: Array, candidates: Array, count: int = 1) -> tuple[Array, Array]:
    """The candidates nearest to each start by l2 distance.

    Args:
        starts: shape ``[batch, height, width, channels]``.
        candidates: shape ``[n, height, width, channels]``, such as images of the target class.
        count: how many, at most n.

    Returns:
        Their numbers and distances, each of shape ``[batch, count]``, nearest first.

    Raises:
        ValueError: for more than there are.

    Example:
        >>> import jax.numpy as jnp
        >>> line = jnp.arange(4.0).reshape(4, 1, 1, 1)
        >>> numbers, distances = nearest(line[:1] + 2.2, line, 2)
        >>> numbers.tolist(), [round(float(d), 4) for d in distances[0]]
        ([[2, 3]], [0.2, 0.8])
    """
    if not 1 <= count <= candidates.shape[0]:
        raise ValueError(f"{count} nearest of {candidates.shape[0]} images: ask for fewer")

    def of_start(start: Array) -> tuple[Array, Array]:
        squared = jnp.square(candidates - start).sum(axis=(1, 2, 3))
        closest, numbers = jax.lax.top_k(-squared, count)
        return numbers, jnp.sqrt(-closest)

    return jax.lax.map(of_start, starts)


def other_classes(key: Array, targets: Array, num_classes: int) -> Array:
    """A random class that is not the target, each equally likely: what a chance cosine is.

    Args:
        key: a typed key; picture i draws from ``fold_in(key, i)``.
        targets: class indices, shape ``[batch]``.
        num_classes: at least 2.

    Returns:
        Class indices, shape ``[batch]``.

    Raises:
        ValueError: for fewer than two classes.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> other_classes(jax.random.key(0), jnp.array([0, 1, 0]), 2).tolist()
        [1, 0, 1]
    """
    if num_classes < 2:
        raise ValueError(f"{num_classes} classes: another than the target needs two")
    targets = jnp.asarray(targets)

    def draw(number: Array) -> Array:
        return jax.random.randint(jax.random.fold_in(key, number), (), 1, num_classes)

    return (targets + jax.vmap(draw)(jnp.arange(targets.shape[0]))) % num_classes
