"""Convolutions by minimal filtering against XLA's, beyond what every prepared form is put to."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.networks.convolutions import winograd
from pagjax.networks.convolutions.direct import convolve


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("stride", [1, 2])
def test_mapped_axes_join_the_images(stride):
    keys = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(keys[0], (2, 3, 1, 6, 7, 4))
    kernel = jax.random.normal(keys[1], (3, 3, 4, 5))
    layer = winograd.Winograd.of(kernel, jnp.zeros(5), stride)
    cotangent = jax.random.normal(keys[2], (2, 3, 1, *((6, 7) if stride == 1 else (3, 4)), 5))

    def slope(convolution, x, cotangent):
        return jax.vjp(convolution, x)[1](cotangent)[0]

    def plain(x):
        return convolve(x, kernel, stride, ((1, 1), (1, 1)))

    twice = jax.vmap(jax.vmap(layer))
    np.testing.assert_allclose(twice(images), jax.vmap(jax.vmap(plain))(images), atol=1e-11)
    slopes = jax.vmap(jax.vmap(lambda x, c: slope(layer, x, c)))(images, cotangent)
    expected = jax.vmap(jax.vmap(lambda x, c: slope(plain, x, c)))(images, cotangent)
    np.testing.assert_allclose(slopes, expected, atol=1e-11)
    positions = len(winograd.FILTERINGS[stride][0].inputs) ** 2
    tiles = 2 * 3 * 2 * 2 if stride == 1 else 2 * 3
    assert f"f64[{positions},{tiles},5]" in str(jax.make_jaxpr(twice)(images))


@pytest.mark.usefixtures("x64")
def test_mapped_kernels():
    keys = jax.random.split(jax.random.key(1), 2)
    images = jax.random.normal(keys[0], (2, 1, 5, 5, 3))
    kernels = jax.random.normal(keys[1], (2, 3, 3, 3, 2))

    def apply(kernel, x):
        return winograd.Winograd.of(kernel, jnp.zeros(2), 1)(x)

    expected = jnp.stack([apply(*pair) for pair in zip(kernels, images, strict=True)])
    np.testing.assert_allclose(jax.vmap(apply)(kernels, images), expected, atol=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("count", [1, 9])
def test_few_tiles_are_small(monkeypatch, stride, count):
    monkeypatch.setattr(winograd, "_CACHED", 0)
    keys = jax.random.split(jax.random.key(2), 3)
    images = jax.random.normal(keys[0], (count, 7, 5, 4))
    kernel = jax.random.normal(keys[1], (3, 3, 4, 6))
    layer = winograd.Winograd.of(kernel, jnp.zeros(6), stride)

    def plain(x):
        return convolve(x, kernel, stride, ((1, 1), (1, 1)))

    y, pull = jax.vjp(layer, images)
    expected, expected_pull = jax.vjp(plain, images)
    np.testing.assert_allclose(y, expected, atol=1e-11)
    cotangent = jax.random.normal(keys[2], y.shape)
    np.testing.assert_allclose(pull(cotangent)[0], expected_pull(cotangent)[0], atol=1e-11)
    tables = winograd.SMALL_FILTERINGS if count == 1 else winograd.FILTERINGS
    filtering = tables[stride][0]
    tiles = count * filtering.tiles(y.shape[1]) * filtering.tiles(y.shape[2])
    products = f"f64[{len(filtering.inputs) ** 2},{tiles},6] = dot_general"
    assert products in str(jax.make_jaxpr(layer)(images))
