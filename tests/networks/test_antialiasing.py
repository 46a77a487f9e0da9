"""Strides that see a blurred input: what they compute, where they are, what stays as it was."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pagjax.convert import torch_resnets
from pagjax.networks import ResNet, ResNetConfig, fuse
from pagjax.networks.base import Description, base_network
from pagjax.networks.convolutions.antialiasing import blur
from pagjax.networks.normalizer import Normalizer
from pagjax.networks.resnet import Block, ConvNorm
from pagjax.training.settings import Settings

SHAPE = ("cifar", "basic", (1, 1, 1), 4)


@pytest.mark.usefixtures("x64")
def test_blur_averages_over_repeated_borders_and_is_its_own_adjoint():
    x, y = jax.random.normal(jax.random.key(0), (2, 2, 12, 9, 3))
    rows, columns = (_averages(side) for side in x.shape[1:3])
    np.testing.assert_allclose(blur(x), np.einsum("ih,jw,nhwc->nijc", rows, columns, x), atol=1e-12)
    np.testing.assert_allclose(blur(jnp.ones_like(x)), 1, atol=1e-12)
    assert float((blur(x) * y).sum()) == pytest.approx(float((x * blur(y)).sum()))
    check_grads(blur, (x[:1, :4, :4],), order=2, modes=["rev"])
    assert blur(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def _averages(side):
    """What averages three neighbours, as a matrix; the border counts itself twice."""
    matrix = np.zeros((side, side))
    for row in range(side):
        for column, share in ((row - 1, 0.25), (row, 0.5), (row + 1, 0.25)):
            matrix[row, np.clip(column, 0, side - 1)] += share
    return matrix


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_both_ways_through_a_block_see_the_blurred_image(block):
    """A block of stride 2, against blurs and plain blocks put together by hand."""
    config = ResNetConfig("cifar", block, (1,), 4, antialias=True)
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 3 if block == "basic" else 16))
    smooth = Block(config, 8, 2)
    variables = jax.jit(smooth.init)(jax.random.key(1), x)
    plain = Block(dataclasses.replace(config, antialias=False), 8, 2)
    ours = smooth.apply(variables, x)
    if block == "basic":
        np.testing.assert_allclose(ours, plain.apply(variables, blur(x)), atol=1e-5)
        return
    _, kept = plain.apply(variables, x, capture_intermediates=True, mutable=["intermediates"])
    inner = jax.nn.relu(kept["intermediates"]["layer1"]["__call__"][0])
    third = _part(variables, "layer2", ConvNorm(8, 3, 2), blur(inner))
    main = _part(variables, "layer3", ConvNorm(32, 1, 1), jax.nn.relu(third))
    beside = _part(variables, "shortcut", ConvNorm(32, 1, 2), blur(x))
    np.testing.assert_allclose(ours, jax.nn.relu(main + beside), atol=1e-5)


@pytest.mark.usefixtures("x64")
def test_logits_and_input_gradients_are_pytorchs():
    torch = pytest.importorskip("torch")
    from peers import torch_networks

    network = torch_networks.TorchResNet(
        "cifar", torch_networks.Basic, (1, 1, 1), 4, 10, antialias=True
    )
    theirs = torch_networks.randomise(network, seed=0).double()
    state = {name: value.numpy() for name, value in theirs.state_dict().items()}
    weights = {name: value for name, value in state.items() if "tracked" not in name}
    found = torch_resnets.identify(weights)
    config = dataclasses.replace(found.config, antialias=True)
    variables = torch_resnets.convert(weights, dataclasses.replace(found, config=config))
    base = base_network(Description("", config, 10, Normalizer(), (16, 16)), variables)
    images = np.random.default_rng(0).random((2, 16, 16, 3))
    seen = torch.tensor(images).permute(0, 3, 1, 2).requires_grad_()
    logits = theirs(seen)
    logits[:, 3].sum().backward()
    ours, pull = jax.vjp(base.logits_fn, jnp.asarray(images))
    np.testing.assert_allclose(ours, logits.detach().numpy(), rtol=1e-9, atol=1e-9)
    (gradient,) = pull(jnp.zeros_like(ours).at[:, 3].set(1))
    np.testing.assert_allclose(gradient, seen.grad.permute(0, 2, 3, 1), rtol=1e-8, atol=1e-9)


def _part(variables, name, layer, x):
    return layer.apply({kind: values[name] for kind, values in variables.items()}, x)


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


def test_shortcuts_that_drop_pixels_blur_them_before():
    smooth, plain = (
        Block(ResNetConfig("cifar", "basic", (1,), 4, "padding", antialias=a), 8, 2)
        for a in (True, False)
    )
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 4))
    variables = jax.jit(smooth.init)(jax.random.key(1), x)
    np.testing.assert_allclose(
        smooth.apply(variables, x), plain.apply(variables, blur(x)), atol=1e-6
    )


def test_a_choice_that_is_none_is_refused():
    with pytest.raises(ValueError, match="antialias 1: must be true or false"):
        ResNetConfig("cifar", "basic", (1, 1), 4, antialias=1)
