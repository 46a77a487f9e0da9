"""Training convolutions against XLA's, forward and backward, in float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pagjax.networks.convolutions.training import by_products, conv_general_dilated, directly

LAYOUTS = ("NHWC", "HWIO", "NHWC")


def _xla(x, kernel, stride):
    pads = ((kernel.shape[0] // 2,) * 2,) * 2
    return lax.conv_general_dilated(x, kernel, (stride,) * 2, pads, dimension_numbers=LAYOUTS)


def _arguments(size, side, dtype):
    x = jax.random.normal(jax.random.key(0), (3, side, side + 2, 5), dtype)
    return x, jax.random.normal(jax.random.key(1), (size, size, 5, 4), dtype)


forms = pytest.mark.parametrize("form", [by_products, directly])


@forms
@pytest.mark.parametrize(
    ("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1), (5, 2), (7, 2)]
)
def test_forms_equal_the_convolution_and_its_gradients(form, size, stride, x64):
    x, kernel = _arguments(size, 8, jnp.float64)
    ours, pull = jax.vjp(lambda x, kernel: form(x, kernel, stride), x, kernel)
    theirs, pull_theirs = jax.vjp(lambda x, kernel: _xla(x, kernel, stride), x, kernel)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    cotangent = jnp.cos(3 * theirs)
    for a, b in zip(pull(cotangent), pull_theirs(cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@forms
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_second_derivatives_are_the_convolutions(form, size, stride, x64):
    """Of a loss of both gradients, by the input, the kernel and the cotangent."""
    x, kernel = _arguments(size, 4, jnp.float64)

    def slopes(convolution):
        def loss(x, kernel, scale):
            result, pull = jax.vjp(lambda x, kernel: convolution(x, kernel, stride), x, kernel)
            of_x, of_kernel = pull(jnp.cos(scale * result))
            return jnp.sin(of_x).sum() + jnp.tanh(of_kernel / 9).sum()

        return jax.jit(jax.grad(loss, (0, 1, 2)))(x, kernel, jnp.float64(1.5))

    for ours, theirs in zip(slopes(form), slopes(_xla), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


@forms
def test_bfloat16_operands_are_summed_in_float32(form):
    x, kernel = _arguments(3, 8, jnp.bfloat16)
    exact = _xla(x.astype(jnp.float32), kernel.astype(jnp.float32), 1)
    ours = form(x, kernel, 1)
    assert ours.dtype == jnp.bfloat16
    np.testing.assert_allclose(ours.astype(jnp.float32), exact, rtol=2**-8, atol=2**-8)


@pytest.mark.parametrize("features", [4, 128])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_either_form_is_taken_and_gives_the_operands_type(features, dtype):
    x, _ = _arguments(3, 8, dtype)
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 5, features))
    ours, pull = jax.vjp(
        lambda x, kernel: conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1))), x, kernel
    )
    of_x, of_kernel = pull(ours)
    assert (ours.dtype, of_x.dtype, of_kernel.dtype) == (dtype, dtype, jnp.float32)
    exact = _xla(x.astype(jnp.float32), kernel, 2)
    np.testing.assert_allclose(ours.astype(jnp.float32), exact, rtol=2**-5, atol=2**-4)


def test_what_the_forms_do_not_cover_goes_to_xla():
    x, kernel = _arguments(3, 7, jnp.float32)
    given = {"dimension_numbers": LAYOUTS}
    odd = conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1)), **given)
    np.testing.assert_allclose(odd, _xla(x, kernel, 2), rtol=1e-5, atol=1e-5)
    valid = conv_general_dilated(x, kernel, (1, 1), ((0, 0), (0, 0)), **given)
    assert valid.shape == (3, 5, 7, 4)
