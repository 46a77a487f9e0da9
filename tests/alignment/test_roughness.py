"""Grain and shapes: waves whose spectrum is known, white noise, total variation by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.alignment import roughness

SIDE = 16


def _wave(across: int, down: int) -> np.ndarray:
    """A cosine of whole cycles across and down a square, one channel."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.cos(2 * np.pi * (across * x + down * y) / SIDE)[..., None]


@pytest.mark.parametrize(
    ("across", "down", "high"),
    [(0, 0, 0), (2, 0, 0), (0, 2, 0), (1, 1, 0), (2, 1, 1), (2, 2, 1), (3, 0, 1), (8, 8, 1)],
)
def test_a_waves_energy_lies_at_its_frequency(across, down, high):
    """A quarter of the Nyquist frequency is two cycles across sixteen pixels."""
    found = roughness.high_frequency_share(jnp.asarray(_wave(across, down)[None], jnp.float32))
    assert float(found[0]) == pytest.approx(high, abs=1e-5)


def test_energies_add_over_waves_and_channels():
    slow, fast = _wave(1, 0), _wave(5, 3)
    mixed = np.concatenate([3 * slow + fast, 2 * fast, slow], axis=-1)
    found = roughness.high_frequency_share(jnp.asarray(mixed[None], jnp.float32))
    assert float(found[0]) == pytest.approx((1 + 4) / (9 + 1 + 4 + 1), rel=1e-5)
    assert float(roughness.high_frequency_share(jnp.zeros((1, 8, 8, 3)))[0]) == 0


def test_white_noise_has_its_known_roughness():
    noise = jax.random.normal(jax.random.key(0), (64, SIDE, SIDE, 3))
    frequencies = np.fft.fftfreq(SIDE)
    count = np.sum(np.hypot(frequencies[:, None], frequencies) > 0.125)
    share = np.asarray(roughness.high_frequency_share(noise), np.float64)
    error = share.std(ddof=1) / 8
    assert abs(share.mean() - count / SIDE**2) < 5 * error
    total = np.asarray(roughness.total_variation(noise), np.float64)
    pairs = 2 * SIDE * (SIDE - 1) * 3
    error = total.std(ddof=1) / 8
    assert abs(total.mean() - pairs * 2 / np.sqrt(np.pi)) < 5 * error


def test_total_variation_by_hand():
    image = np.zeros((1, 3, 3, 2))
    image[0, 1, 1] = [0.5, 0.25]
    assert float(roughness.total_variation(jnp.asarray(image))[0]) == pytest.approx(4 * 0.75)
    relative = roughness.relative_total_variation(jnp.asarray(-3 * image))
    assert float(relative[0]) == pytest.approx(4)
    assert float(roughness.relative_total_variation(jnp.zeros((1, 3, 3, 1)))[0]) == 0
