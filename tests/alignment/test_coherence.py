"""Size and number of features: blobs whose answer is known, and what must not matter."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from pagjax.alignment.coherence import correlation_length, number_of_features

SIDE = 96


def _blobs(centres: list[tuple[float, float]], width: float, signs: list[float]) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    total = np.zeros((SIDE, SIDE))
    for (row, column), sign in zip(centres, signs, strict=True):
        total += sign * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))
    return np.repeat(total[..., None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize("width", [2.0, 3.5, 6.0])
def test_a_blob_is_one_feature_of_twice_its_width(width):
    blob = jnp.asarray(_blobs([(48, 48)], width, [1.0]))[None]
    assert float(correlation_length(blob)[0]) == pytest.approx(2 * width, rel=0.03)
    assert float(number_of_features(blob)[0]) == pytest.approx(1, rel=0.06)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.lists(st.sampled_from([-1.0, 1.0]), min_size=9, max_size=9))
def test_blobs_that_lie_apart_are_counted(count, signs):
    places = [(row, column) for row in (16, 48, 80) for column in (16, 48, 80)][:count]
    found = number_of_features(jnp.asarray(_blobs(places, 2.5, signs[:count]))[None])
    assert float(found[0]) == pytest.approx(count, rel=0.1)


def test_the_autocorrelation_is_that_of_scipy():
    noise = np.random.default_rng(0).standard_normal((40, 56, 3))
    smooth = ndimage.gaussian_filter(noise, (2, 2, 0)).astype(np.float32)
    full = sum(signal.correlate(smooth[..., c], smooth[..., c], method="direct") for c in range(3))
    down, across = np.mgrid[-39:40, -55:56]
    distance = np.rint(np.hypot(down, across)).astype(int)
    # Displacements as long as the picture, at which nothing overlaps, count as zeros.
    profile = np.array([full[distance == r].sum() / (distance == r).sum() for r in range(21)])
    profile /= profile[0]
    end = int(np.argmax(profile < np.exp(-1)))
    expected = end - 1 + (profile[end - 1] - np.exp(-1)) / (profile[end - 1] - profile[end])
    found = float(correlation_length(jnp.asarray(smooth)[None])[0])
    assert found == pytest.approx(expected, rel=1e-4)


def test_neither_size_nor_sign_nor_place_matters():
    blob = _blobs([(30, 40)], 3.0, [1.0])
    others = np.stack([blob, -1e-12 * blob, 1e12 * blob, np.roll(blob, (9, 13), (0, 1))])
    for measure in (correlation_length, number_of_features):
        found = np.asarray(measure(jnp.asarray(others)))
        np.testing.assert_allclose(found, found[0], rtol=1e-3)


def test_noise_is_thousands_of_features_and_nothing_is_none():
    noise = jax.random.normal(jax.random.key(0), (1, SIDE, SIDE, 3))
    pictures = jnp.concatenate([noise, jnp.zeros_like(noise)])
    counts = np.asarray(number_of_features(pictures))
    assert counts[0] > 1000
    assert counts[1] == 0
    lengths = np.asarray(correlation_length(pictures))
    assert 0 < lengths[0] < 1
    assert lengths[1] == 0


def test_what_never_falls_off_has_the_largest_length():
    wide = jnp.ones((1, 8, 64, 1))
    assert float(correlation_length(wide)[0]) <= 4
