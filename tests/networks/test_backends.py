"""Every backend's forms of a network against the network as it was trained, on this machine.

The default backend's are tested with all architectures in `test_networks.py`.
"""

from __future__ import annotations

import collections
import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pagjax
from pagjax.networks import NORMALIZERS, ResNet, ResNetConfig, fuse
from pagjax.networks.base import Description, base_network
from pagjax.networks.convolutions import forms
from tests.support import tiny_checkpoint

CONFIGS = {
    "resnet50": ResNetConfig("imagenet", "bottleneck", (1, 1), 4),
    "cifar": ResNetConfig("cifar", "basic", (1, 1), 6, "padding"),
    "preactivation": ResNetConfig("cifar", "basic", (1, 1), 6, preactivation=True),
    "antialiased": ResNetConfig("cifar", "basic", (1, 1), 16, antialias=True),
    "antialiased-bottleneck": ResNetConfig("cifar", "bottleneck", (1, 1), 4, antialias=True),
}
SIZES = [(26, 37), (15, 16), (16, 13), (14, 11), (17, 12)]
BACKENDS = ["cpu", "gpu", "tpu", "amx"]


def _drawn(network):
    """Variables at which every batch norm does something."""
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    shapes = jax.eval_shape(network.init, jax.random.key(0), image)
    random = np.random.default_rng(0)

    def draw(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        values = random.standard_normal(leaf.shape)
        if name.endswith("kernel"):
            return jnp.asarray(values * (2 / np.prod(leaf.shape[:-1])) ** 0.5)
        positive = name.endswith(("var", "scale"))
        return jnp.asarray(0.5 + np.abs(values) if positive else 0.3 * values)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def _value_and_slope(apply, images, noise=None):
    def score(images):
        given = {} if noise is None else {"noise": noise}
        logits = apply(images, **given).logits
        return logits[:, 1].sum(), logits

    (_, logits), slope = jax.jit(jax.value_and_grad(score, has_aux=True))(images)
    return logits, slope


@functools.cache
def _problem(config):
    """A network, images with odd sides, and what the plain network makes of them."""
    name, size = config
    network = ResNet(CONFIGS[name], 3, NORMALIZERS["cifar10"])
    variables = _drawn(network)
    images, noise = jnp.asarray(np.random.default_rng(1).random((2, 2, *size, 3)))
    expected = _value_and_slope(partial(network.apply, variables), images + noise)
    return network, variables, images, noise, expected


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize("config", list(zip(CONFIGS, SIZES, strict=True)), ids=list(CONFIGS))
def test_forms_agree_with_the_plain_network(config, backend):
    network, variables, images, noise, expected = _problem(config)
    fused, folded = fuse(network, variables, backend=backend)
    plain = partial(fused.apply, folded)
    for actual, theirs in zip(_value_and_slope(plain, images, noise), expected, strict=True):
        assert jnp.linalg.norm(actual - theirs) < 1e-9 * jnp.linalg.norm(theirs)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_nan_pixels_and_weights_give_nan_logits(backend):
    network = ResNet(ResNetConfig("cifar", "basic", (1,), 4), 3)
    variables, images = _drawn(network), jnp.full((2, 16, 16, 3), 0.5)
    fused, folded = fuse(network, variables, backend=backend)
    run = jax.jit(lambda held, images: fused.apply(held, images).logits)
    broken = images.at[1, 5, 6, 0].set(jnp.nan)
    assert np.isnan(run(folded, broken)).all(axis=1).tolist() == [False, True]
    scale = variables["params"]["stem"]["norm"]["scale"]
    variables["params"]["stem"]["norm"]["scale"] = scale.at[0].set(jnp.nan)
    assert np.isnan(run(fuse(network, variables, backend=backend)[1], images)).all()


def test_rectifiers_on_accelerators_leave_what_they_take_to_the_compiler():
    """Each pre-activation is used once, so that it can be fused into its convolution."""
    network = ResNet(CONFIGS["resnet50"], 3)
    variables = jax.eval_shape(lambda: _drawn(network))
    folded = jax.eval_shape(lambda v: fuse(network, v, "bfloat16", "gpu")[1], variables)
    fused = network.clone(fused=True, backend="gpu")

    def slope(folded, image, noise):
        return jax.grad(lambda x: fused.apply(folded, x, noise=noise).logits[:, 1].sum())(image)

    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    program = jax.make_jaxpr(slope)(folded, image, image).jaxpr
    equations = list(_equations(program))
    uses = collections.Counter(id(v) for e in equations for v in e.invars)
    rectifiers = [e for e in equations if e.primitive.name == "max"]
    assert len(rectifiers) == 7
    assert [uses[id(e.invars[0])] for e in rectifiers] == [1] * 7
    kinds = collections.Counter(e.primitive.name for e in equations)
    # Two 3x3 and a shortcut, the stem for image and noise; all but the noise's back again.
    assert kinds["conv_general_dilated"] == 9 + 5
    # Back through five 1x1 convolutions of stride 1; the head both ways.
    assert kinds["dot_general"] == 5 + 2
    assert kinds["select_and_scatter_add"] == kinds["select_and_gather_add"] == 0


def _equations(jaxpr):
    """All equations, those of calls in place of the calls."""
    for equation in jaxpr.eqns:
        inner = [v for v in equation.params.values() if hasattr(v, "jaxpr") or hasattr(v, "eqns")]
        if inner:
            for each in inner:
                yield from _equations(getattr(each, "jaxpr", each))
        else:
            yield equation


@pytest.mark.parametrize("backend", ["gpu", "amx"])
def test_bfloat16_is_near(backend):
    network = ResNet(CONFIGS["resnet50"], 3)
    variables = _drawn(network)
    images = jnp.asarray(np.random.default_rng(1).random((2, 16, 16, 3)), jnp.float32)
    logits = []
    for precision in ("float32", "bfloat16"):
        fused, folded = fuse(network, variables, precision, backend)
        logits.append(_value_and_slope(partial(fused.apply, folded), images)[0])
    assert logits[1].dtype == jnp.float32
    assert 0 < jnp.linalg.norm(logits[1] - logits[0]) < 0.05 * jnp.linalg.norm(logits[0])


def test_a_backend_is_an_argument_of_every_door(tmp_path):
    folder = tiny_checkpoint.save(tmp_path)
    networks = {name: pagjax.load(folder, backend=name) for name in BACKENDS}
    assert pagjax.load(folder).logits_fn.func == networks[jax.default_backend()].logits_fn.func
    image = jnp.full((1, 16, 16, 3), 0.5)
    answers = [network.logits_fn(image) for network in networks.values()]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("has_units", [False, True])
def test_narrow_units_are_taken_where_products_are_narrow_and_nobody_says_otherwise(
    has_units, monkeypatch
):
    monkeypatch.setattr(forms, "has_narrow_units", lambda: has_units)
    assert forms.as_backend(None) == jax.default_backend() == "cpu"
    assert forms.as_backend(None, "bfloat16") == ("amx" if has_units else "cpu")
    assert forms.as_backend("cpu", "bfloat16") == "cpu"


def test_an_unknown_backend_is_refused_with_the_names_there_are(tmp_path):
    told = "backend 'cuda': choose 'cpu', 'gpu', 'tpu' or 'amx'"
    folder = tiny_checkpoint.save(tmp_path)
    network = pagjax.load(folder)
    description = Description.from_json(network.metadata)
    for door in (
        lambda: pagjax.load(folder, backend="cuda"),
        lambda: fuse(network.network, network.variables, backend="cuda"),
        lambda: base_network(description, network.variables, backend="cuda"),
    ):
        with pytest.raises(ValueError, match=told):
            door()
