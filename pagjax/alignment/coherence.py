"""Scattered features or one object: how large the features of a perturbation are, and how many."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

_FALLEN = math.exp(-1)


def correlation_length(perturbations: Array) -> Array:
    """The distance in pixels at which a perturbation no longer resembles itself.

    The autocorrelation ``C(d) = sum_x p(x) . p(x + d) / sum_x |p(x)|^2`` (over pixels and channels,
    zero beyond the borders) is averaged over displacements ``d`` of equal length, to the nearest
    pixel; its correlation length is where that mean first falls below 1/e, by linear interpolation.
    A Gaussian blob of width s, ``exp(-r^2 / (2 s^2))``, has ``2 s`` (to a few hundredths, for the
    rounding to pixels); white noise less than a pixel.

    Args:
        perturbations: shape ``[batch, height, width, channels]``.

    Returns:
        Shape ``[batch]``, in pixels, at most half the shorter side; 0 for a perturbation of zeros.

    Reference: Goodman (1976), "Some fundamental properties of speckle", for the correlation length
    of random patterns; the radial mean and the interpolation are ours.

    Example, alternating columns and a blob of width 3:
        >>> import jax.numpy as jnp
        >>> x = jnp.arange(64.0) - 32
        >>> blob = jnp.exp(-(x[:, None] ** 2 + x**2) / (2 * 3**2))
        >>> stripes = jnp.broadcast_to((-1.0) ** jnp.arange(64.0), (64, 64))
        >>> found = correlation_length(jnp.stack([stripes, blob])[..., None])
        >>> [round(length, 1) for length in found.tolist()]
        [0.4, 5.9]
    """
    profile = _radial_autocorrelation(perturbations)
    below = profile < _FALLEN
    fallen = below.any(axis=1)
    end = jnp.where(fallen, below.argmax(axis=1), profile.shape[1] - 1)
    before, after = (
        jnp.take_along_axis(profile, index[:, None], axis=1)[:, 0]
        for index in (jnp.maximum(end - 1, 0), end)
    )
    drop = before - after
    share = jnp.where(drop > 0, (before - _FALLEN) / jnp.where(drop > 0, drop, 1), 1)
    length = (end - 1).astype(share.dtype) + jnp.clip(share, 0, 1)
    there = profile[:, 0] > 0
    return jnp.where(there, jnp.where(fallen, length, profile.shape[1] - 1.0), 0.0)


def number_of_features(perturbations: Array) -> Array:
    """How many features of its own correlation length a perturbation's area holds.

    The area that changed, ``(sum_x e)^2 / sum_x e^2`` of the energy ``e(x) = |p(x)|^2`` at each
    pixel (its participation ratio), over the area ``pi l^2 / 2`` of a feature of correlation length
    l: 1 for one Gaussian blob, m for m equal ones that lie apart, thousands for noise. The smaller,
    the more the perturbation is one coherent object; the larger, the more scattered features.

    Args:
        perturbations: shape ``[batch, height, width, channels]``.

    Returns:
        Shape ``[batch]``; 0 for a perturbation of zeros.

    Reference: Kaur, Cohen and Lipton (2019), section 4 and figure 4, see one object at large sigma
    and scattered features at small; the measure is ours. The participation ratio is Bell and Dean's
    (1970).

    Example, one blob and four of them:
        >>> import jax.numpy as jnp
        >>> x = jnp.arange(64.0)
        >>> def blob(row, column):
        ...     return jnp.exp(-((x[:, None] - row) ** 2 + (x - column) ** 2) / (2 * 2**2))
        >>> four = blob(16, 16) + blob(16, 48) + blob(48, 16) + blob(48, 48)
        >>> pictures = jnp.stack([blob(32, 32), four])[..., None]
        >>> [round(count, 1) for count in number_of_features(pictures).tolist()]
        [1.0, 4.1]
    """
    energy = jnp.square(_scaled(perturbations)).sum(axis=-1)
    total, squared = energy.sum(axis=(1, 2)), jnp.square(energy).sum(axis=(1, 2))
    there = squared > 0
    area = jnp.square(total) / jnp.where(there, squared, 1)
    length = jnp.where(there, correlation_length(perturbations), 1)
    return jnp.where(there, area / (math.pi / 2 * jnp.square(length)), 0)


def _scaled(perturbations: Array) -> Array:
    """With a largest value of 1, so that squares of squares neither vanish nor overflow."""
    largest = jnp.abs(perturbations).max(axis=(1, 2, 3), keepdims=True)
    return perturbations / jnp.where(largest > 0, largest, 1)


def _radial_autocorrelation(perturbations: Array) -> Array:
    """Mean autocorrelation by distance 0, 1, ... pixels: shape ``[batch, half the side + 1]``."""
    _, height, width, _ = perturbations.shape
    double = (2 * height, 2 * width)  # room for every displacement without wrapping around
    energy = jnp.square(jnp.abs(jnp.fft.rfft2(_scaled(perturbations), s=double, axes=(1, 2)))).sum(
        axis=-1
    )
    correlation = jnp.fft.irfft2(energy, s=double, axes=(1, 2))
    origin = correlation[:, :1, :1]
    correlation = correlation / jnp.where(origin > 0, origin, 1)
    down, across = (jnp.fft.fftfreq(2 * side, 1 / (2 * side)) for side in (height, width))
    distance = jnp.rint(jnp.hypot(down[:, None], across)).astype(int).ravel()
    bins = min(height, width) // 2 + 1

    def of_one(values: Array) -> Array:
        sums = jax.ops.segment_sum(values.ravel(), distance, num_segments=bins)
        counts = jax.ops.segment_sum(
            jnp.ones(distance.size, values.dtype), distance, num_segments=bins
        )
        return sums / counts

    return jax.vmap(of_one)(correlation)
