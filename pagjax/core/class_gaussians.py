"""Gaussians fitted to the images of a class: seeds for synthesis, and densities in closed form.

One form serves every fit. An image is ``mean + sum_i z_i factors_i + sqrt(regulariser) z'`` with
standard normal z and z', so its covariance is ``factors^T factors + regulariser I``: exact where
the factors are the centred images over ``sqrt(n - 1)`` (Santurkar et al. 2019 draw seeds of it), of
low rank where they are principal directions times standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from pagjax.core.checks import as_images, check_count, check_non_negative


class ClassGaussian(NamedTuple):
    """A Gaussian over images; several of them share one with a leading axis of classes.

    Attributes:
        mean: shape ``[height, width, channels]``, pixels in [0, 1].
        factors: shape ``[rank, height, width, channels]``; rows of zeros change nothing.
        regulariser: scalar, variance of every pixel beside the factors', in squared pixel units.
    """

    mean: Array
    factors: Array
    regulariser: Array


def from_images(images: Array, *, regulariser: float = 0.0) -> ClassGaussian:
    """The Gaussian with the mean and the unbiased covariance of some images, by the images.

    Args:
        images: shape ``[n, height, width, channels]`` in [0, 1], at least two.
        regulariser: variance added to every pixel, in squared pixel units.

    Returns:
        A `ClassGaussian` of rank n.

    Raises:
        ValueError: for fewer than two images or a negative regulariser.

    Example:
        >>> import jax.numpy as jnp
        >>> fit = from_images(jnp.stack([jnp.zeros((2, 2, 3)), jnp.ones((2, 2, 3))]))
        >>> float(fit.mean[0, 0, 0]), float((fit.factors**2).sum(0)[0, 0, 0])
        (0.5, 0.5)
    """
    images = as_images(images)
    check_non_negative("regulariser", regulariser, "a variance in squared pixel units")
    count = images.shape[0]
    if count < 2:
        raise ValueError(f"{count} images: a covariance needs at least two")
    mean = images.mean(axis=0)
    factors = (images - mean) / jnp.sqrt(jnp.asarray(count - 1, images.dtype))
    return ClassGaussian(mean, factors, jnp.asarray(regulariser, images.dtype))


def stack(gaussians: Sequence[ClassGaussian]) -> ClassGaussian:
    """Gaussians of several ranks as one with a leading axis, ranks filled up with zeros.

    Raises:
        ValueError: for an empty list.

    Example:
        >>> import jax.numpy as jnp
        >>> fits = [from_images(jnp.zeros((n, 2, 2, 3))) for n in (2, 5)]
        >>> stack(fits).factors.shape
        (2, 5, 2, 2, 3)
    """
    if not gaussians:
        raise ValueError("no Gaussians to stack: pass one per class")
    rank = max(gaussian.factors.shape[0] for gaussian in gaussians)

    def filled(factors: Array) -> Array:
        return jnp.pad(factors, [(0, rank - factors.shape[0]), *[(0, 0)] * (factors.ndim - 1)])

    return ClassGaussian(
        jnp.stack([gaussian.mean for gaussian in gaussians]),
        jnp.stack([filled(gaussian.factors) for gaussian in gaussians]),
        jnp.stack([gaussian.regulariser for gaussian in gaussians]),
    )


def draw_seeds(
    gaussian: ClassGaussian, key: Array, numbers: ArrayLike, *, factor: int = 1
) -> Array:
    """Draws of a class Gaussian, clamped to [0, 1] and enlarged: where synthesis starts.

    Args:
        gaussian: of one class.
        key: a typed key; seed number i comes from ``fold_in(key, i)`` alone.
        numbers: which seeds, integers of shape ``[n]``.
        factor: every pixel becomes a block of ``factor x factor``.

    Returns:
        Shape ``[n, factor * height, factor * width, channels]``, in [0, 1].

    Raises:
        ValueError: for a factor below 1.

    Reference: Kaur, Cohen and Lipton (2019), section 2; Santurkar et al. (2019), section 3.1.

    Example, a class of one grey:
        >>> import jax, jax.numpy as jnp
        >>> grey = from_images(jnp.full((3, 2, 2, 3), 0.5))
        >>> seeds = draw_seeds(grey, jax.random.key(0), jnp.arange(4), factor=2)
        >>> seeds.shape, float(seeds.min()), float(seeds.max())
        ((4, 4, 4, 3), 0.5, 0.5)
    """
    check_count("factor", factor)
    return _draw_seeds(gaussian, key, jnp.asarray(numbers), factor=factor)


def block_mean(images: Array, factor: int) -> Array:
    """Images at a `factor` times lower resolution, each pixel the mean of a block.

    Args:
        images: shape ``[n, height, width, channels]``.
        factor: side of a block; must divide height and width.

    Raises:
        ValueError: if it does not.

    Example:
        >>> import jax.numpy as jnp
        >>> block_mean(jnp.arange(4.0).reshape(1, 2, 2, 1), 2).tolist()
        [[[[1.5]]]]
    """
    check_count("factor", factor)
    count, height, width, channels = images.shape
    if height % factor or width % factor:
        raise ValueError(f"factor {factor} divides no image of {height}x{width}: choose a divisor")
    blocks = images.reshape(count, height // factor, factor, width // factor, factor, channels)
    return blocks.mean(axis=(2, 4))


def repeat_pixels(images: Array, factor: int) -> Array:
    """Images enlarged by whole pixels, the inverse of `block_mean` on images of equal blocks.

    Args:
        images: shape ``[n, height, width, channels]``.
        factor: every pixel becomes a block of ``factor x factor``.

    Example:
        >>> import jax.numpy as jnp
        >>> repeat_pixels(jnp.ones((1, 2, 3, 3)), 4).shape
        (1, 8, 12, 3)
    """
    check_count("factor", factor)
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


@partial(jax.jit, static_argnames="factor")
def _draw_seeds(gaussian: ClassGaussian, key: Array, numbers: Array, *, factor: int) -> Array:
    rank = gaussian.factors.shape[0]
    dtype = gaussian.mean.dtype

    def draw(number: Array) -> Array:
        own = jax.random.fold_in(key, number)
        along = jax.random.normal(jax.random.fold_in(own, 0), (rank,), dtype)
        beside = jax.random.normal(jax.random.fold_in(own, 1), gaussian.mean.shape, dtype)
        spread = jnp.tensordot(along, gaussian.factors, axes=1)
        return gaussian.mean + spread + jnp.sqrt(gaussian.regulariser) * beside

    return repeat_pixels(jnp.clip(jax.vmap(draw)(numbers), 0, 1), factor)
