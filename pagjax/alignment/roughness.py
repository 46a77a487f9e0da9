"""Grain or shapes: how much of a perturbation varies from pixel to pixel."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

QUARTER_NYQUIST = 0.125
"""A quarter of the Nyquist frequency (half a cycle a pixel), in cycles a pixel."""


def high_frequency_share(perturbations: Array, *, above: float = QUARTER_NYQUIST) -> Array:
    """Share of the spectral energy above a frequency, whatever its direction.

    The energy is that of the two-dimensional discrete Fourier transform of each channel; a
    frequency's magnitude is ``sqrt(fx^2 + fy^2)`` in cycles a pixel. White noise has 0.95 above a
    quarter of the Nyquist frequency, natural images a few hundredths.

    Args:
        perturbations: shape ``[batch, height, width, channels]``.
        above: frequencies strictly above this count, in cycles a pixel.

    Returns:
        Shape ``[batch]``, in [0, 1]; 0 for a perturbation of zeros.

    Reference: Yin et al. (2019), "A Fourier perspective on model robustness in computer vision",
    for the spectra of perturbations; the cut at a quarter of the Nyquist frequency is ours.

    Example, a constant and a checkerboard:
        >>> import jax.numpy as jnp
        >>> board = (-1.0) ** (jnp.arange(8.0)[:, None] + jnp.arange(8.0))
        >>> high_frequency_share(jnp.stack([jnp.ones((8, 8)), board])[..., None]).tolist()
        [0.0, 1.0]
    """
    height, width = perturbations.shape[1:3]
    energy = jnp.square(jnp.abs(jnp.fft.fft2(perturbations, axes=(1, 2)))).sum(axis=-1)
    magnitude = jnp.hypot(jnp.fft.fftfreq(height)[:, None], jnp.fft.fftfreq(width)[None, :])
    total = energy.sum(axis=(1, 2))
    high = jnp.where(magnitude > above, energy, 0).sum(axis=(1, 2))
    return jnp.where(total > 0, high / jnp.where(total > 0, total, 1), 0)


def total_variation(images: Array) -> Array:
    """Sum of the absolute differences of neighbours, down and across, over all channels.

    Args:
        images: shape ``[batch, height, width, channels]``, in pixel units of [0, 1].

    Returns:
        Shape ``[batch]``, in pixel units.

    Reference: Rudin, Osher and Fatemi (1992), in its anisotropic form.

    Example, one step of half a unit across two rows:
        >>> import jax.numpy as jnp
        >>> float(total_variation(jnp.array([[0.0, 0.5], [0.0, 0.5]])[None, ..., None])[0])
        1.0
    """
    down = jnp.abs(jnp.diff(images, axis=1)).sum(axis=(1, 2, 3))
    across = jnp.abs(jnp.diff(images, axis=2)).sum(axis=(1, 2, 3))
    return down + across


def relative_total_variation(perturbations: Array) -> Array:
    """Total variation over the sum of absolute values: free of the perturbation's size.

    Nearly 0 for shapes much larger than a pixel, ``2 sqrt(2) = 2.83`` in the mean of white noise,
    4 at most (a checkerboard).

    Args:
        perturbations: shape ``[batch, height, width, channels]``.

    Returns:
        Shape ``[batch]``; 0 for a perturbation of zeros.

    Example:
        >>> import jax.numpy as jnp
        >>> float(relative_total_variation(jnp.ones((1, 4, 4, 3)))[0])
        0.0
    """
    size = jnp.abs(perturbations).sum(axis=(1, 2, 3))
    return jnp.where(size > 0, total_variation(perturbations) / jnp.where(size > 0, size, 1), 0)
