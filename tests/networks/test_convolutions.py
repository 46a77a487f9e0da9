"""Every prepared form of a convolution, and of pooling, against XLA's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pagjax.networks.convolutions import forms as convolutions
from pagjax.networks.convolutions.columns import Columns
from pagjax.networks.convolutions.forms import max_pool_3x3
from pagjax.networks.convolutions.rows import Rows
from pagjax.networks.convolutions.winograd import Winograd

pytestmark = pytest.mark.usefixtures("x64")
SIZES = [(8, 8), (9, 7), (7, 10), (4, 5), (16, 12), (3, 3)]
MANY = 17  # the fewest channels that minimal filtering is for


def _problem(size, kernel_size, channels=3):
    keys = jax.random.split(jax.random.key(kernel_size), 4)
    images = jax.random.normal(keys[0], (2, *size, channels))
    kernel = jax.random.normal(keys[1], (kernel_size, kernel_size, channels, channels + 2))
    kernel *= (3 / channels) ** 0.5
    return images, kernel, jax.random.normal(keys[2], (channels + 2,)), keys[3]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel_size", "channels"), [(1, 3), (3, 3), (3, 8), (3, MANY), (7, 3)])
@pytest.mark.parametrize(
    ("size", "backend"),
    [(size, "cpu") for size in SIZES]
    + [(size, "rows") for size in SIZES[1:4]]
    + [((9, 7), "gpu"), ((9, 7), "amx")],
)
def test_values_gradients_and_second_derivatives(size, kernel_size, channels, stride, backend):
    images, kernel, bias, key = _problem(size, kernel_size, channels)
    pad = kernel_size // 2
    if backend == "rows":
        prepared = Rows.of(kernel, bias, stride)
    else:
        prepared = convolutions.prepare(kernel, bias, stride, backend)

    def plain(x):
        return (
            lax.conv_general_dilated(
                x,
                kernel,
                (stride, stride),
                ((pad, pad), (pad, pad)),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            + bias
        )

    cotangent = jax.random.normal(key, jax.eval_shape(plain, images).shape)

    def curved(convolution, x):
        slope = jax.grad(lambda x: (convolution(x) ** 3).sum())(x)
        return (slope * images).sum()

    def evaluate(convolution):
        y, pull = jax.vjp(convolution, images)
        return y, pull(cotangent)[0], jax.grad(lambda x: curved(convolution, x))(images)

    actual, expected = (jax.jit(lambda f=f: evaluate(f))() for f in (prepared, plain))
    np.testing.assert_allclose(actual[0], expected[0], rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(actual[1], expected[1], atol=1e-10)
    np.testing.assert_allclose(actual[2], expected[2], rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize(("channels", "form"), [(16, Columns), (MANY, Winograd)])
def test_frozen_kernels_have_no_silent_gradient(channels, form):
    images, kernel, bias, _ = _problem((8, 8), 3, channels)
    prepared = convolutions.prepare(kernel, bias, 1, "cpu")
    assert isinstance(prepared, form)
    slopes = jax.grad(lambda layer: layer(images).sum())(prepared)
    for leaf in jax.tree.leaves(slopes.forward):
        assert bool(jnp.all(jnp.isnan(leaf)))


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (1, 2)])
def test_pooling_with_pytorchs_padding(size):
    images = _problem(size, 3)[0]
    slices, window = (max_pool_3x3(images, backend) for backend in ("cpu", "gpu"))
    np.testing.assert_array_equal(slices, window)
    pulls = [
        jax.grad(lambda x, b=backend: (max_pool_3x3(x, b) ** 2).sum())(images)
        for backend in ("cpu", "gpu")
    ]
    np.testing.assert_allclose(*pulls)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("kernel_size", "backend"),
    [(1, "cpu"), (1, "gpu"), (3, "gpu"), (3, "amx"), (7, "amx")],
)
@pytest.mark.parametrize("size", [(8, 8), (9, 7)])
def test_narrow_operands_round_and_sum_wide(size, kernel_size, backend, stride):
    # Of few channels the units for narrow products get none.
    images, kernel, bias, key = _problem(size, kernel_size, 16 if backend == "amx" else 3)
    images, kernel, bias = (a.astype(jnp.float32) for a in (images, kernel, bias))
    wide = convolutions.prepare(kernel, bias, stride, "gpu")
    rounded = convolutions.prepare(_rounded(kernel), bias, stride, "gpu")
    narrow = convolutions.narrowed(convolutions.prepare(kernel, bias, stride, backend))
    expected, expected_pull = jax.vjp(rounded, _rounded(images))
    actual, pull = jax.vjp(narrow, images)
    # One rounding of the sum to eight bits is left.
    wide_actual = actual.astype(jnp.float32)
    np.testing.assert_allclose(wide_actual, expected, rtol=2**-8, atol=2**-6)
    cotangent = _rounded(jax.random.normal(key, expected.shape, jnp.float32))
    slopes, expected_slopes = pull(cotangent.astype(actual.dtype)), expected_pull(cotangent)
    np.testing.assert_allclose(slopes[0], expected_slopes[0], rtol=2**-7, atol=2**-6)
    assert actual.dtype == (jnp.float32 if backend == "cpu" else jnp.bfloat16)
    assert float(jnp.abs(wide_actual - wide(images)).max()) > 1e-4


def test_minimal_filtering_keeps_its_operands_wide():
    layer = convolutions.prepare(jnp.ones((3, 3, MANY, MANY)), jnp.zeros(MANY), 1, "cpu")
    assert isinstance(layer, Winograd)
    same = jax.tree.map(lambda a, b: a is b, convolutions.narrowed(layer), layer)
    assert all(jax.tree.leaves(same))


def _rounded(x):
    return x.astype(jnp.bfloat16).astype(jnp.float32)
