"""Strides that see a blurred input: what they compute, where they are, what stays as it was."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.networks import ResNet, ResNetConfig, fuse
from pagjax.networks.base import Description
from pagjax.networks.convolutions.antialiasing import antialiased, blurred
from pagjax.networks.convolutions.training import conv_general_dilated
from pagjax.networks.normalizer import Normalizer
from pagjax.training.settings import Settings

SHAPE = ("cifar", "basic", (1, 1, 1), 4)


def _convolve(x, kernel, stride, pad):
    layouts = ("NHWC", "HWIO", "NHWC")
    pads = ((pad, pad), (pad, pad))
    return jax.lax.conv_general_dilated(x, kernel, (stride,) * 2, pads, dimension_numbers=layouts)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("size", [1, 3])
def test_it_is_a_blur_and_a_convolution_away_from_the_border(size):
    keys = jax.random.split(jax.random.key(size), 2)
    x = jax.random.normal(keys[0], (2, 12, 10, 3))
    kernel = jax.random.normal(keys[1], (size, size, 3, 5))
    line = jnp.array([0.25, 0.5, 0.25])
    blur = jnp.outer(line, line)[:, :, None, None] * jnp.eye(3)
    expected = _convolve(_convolve(x, blur, 1, 1), kernel, 2, size // 2)
    pad = size // 2 + 1
    actual = _convolve(x, blurred(kernel), 2, pad)
    np.testing.assert_allclose(actual[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-12)
    assert float(blurred(kernel).sum()) == pytest.approx(float(kernel.sum()))
    trained = antialiased(conv_general_dilated)
    pads = ((size // 2, size // 2),) * 2
    np.testing.assert_allclose(trained(x, kernel, (2, 2), pads), actual, atol=1e-12)


def test_only_strides_of_blocks_change_and_weights_stay_the_same_arrays():
    plain, blurring = (ResNet(ResNetConfig(*SHAPE, antialias=a), 3) for a in (False, True))
    images = jax.random.uniform(jax.random.key(0), (2, 16, 16, 3))
    variables = jax.jit(plain.init)(jax.random.key(1), images)
    shapes = jax.eval_shape(blurring.init, jax.random.key(1), images)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, shapes)
    own, theirs = (jax.jit(n.apply)(variables, images).logits for n in (plain, blurring))
    assert float(jnp.abs(own - theirs).max()) > 1e-3
    one_stage = ResNetConfig("cifar", "basic", (1,), 4, antialias=True)
    flat = ResNet(one_stage, 3), ResNet(ResNetConfig("cifar", "basic", (1,), 4), 3)
    few = jax.jit(flat[0].init)(jax.random.key(1), images)
    np.testing.assert_array_equal(*(jax.jit(n.apply)(few, images).logits for n in flat))


def test_training_and_inference_see_the_same_blur():
    network = ResNet(ResNetConfig(*SHAPE, antialias=True), 3)
    images = jax.random.uniform(jax.random.key(0), (4, 16, 16, 3))
    variables = jax.jit(network.init)(jax.random.key(1), images)
    for _ in range(150):  # the running statistics become the batch's
        outputs, changed = _trained(network, variables, images)
        variables = {**variables, **changed}
    fused, folded = fuse(network, variables)
    np.testing.assert_allclose(
        jax.jit(fused.apply)(folded, images).logits, outputs.logits, rtol=1e-2, atol=1e-2
    )


@jax.jit(static_argnums=0)
def _trained(network, variables, images):
    return network.apply(variables, images, train=True, mutable=["batch_stats"])


def test_a_description_without_it_is_that_of_before():
    before = Description("resnet", ResNetConfig(*SHAPE), 10, Normalizer(), (16, 16))
    told = before.to_json()
    assert "antialias" not in told["config"]
    assert Description.from_json(told) == before
    after = Description("resnet", ResNetConfig(*SHAPE, antialias=True), 10, Normalizer(), (16, 16))
    assert after.to_json()["config"]["antialias"] is True
    assert Description.from_json(after.to_json()) == after


def test_settings_ask_for_it():
    settings = Settings("cifar10", antialias=True)
    assert settings.config.antialias
    assert Settings.from_json(settings.to_json()) == settings
    assert "antialias" not in Settings("cifar10").to_json()


def test_a_shortcut_that_drops_pixels_is_refused():
    with pytest.raises(ValueError, match="shortcut 'padding': with antialias choose a projection"):
        ResNetConfig("cifar", "basic", (1, 1), 4, "padding", antialias=True)
    with pytest.raises(ValueError, match="antialias 1: must be true or false"):
        ResNetConfig("cifar", "basic", (1, 1), 4, antialias=1)
