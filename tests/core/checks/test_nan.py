"""NaN stays NaN from weights and pixels to votes, whatever a compiler makes of maxima."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pagjax
from pagjax import certification
from pagjax.checkpoints import shipped
from pagjax.core.gradients import smoothed_gradient
from pagjax.core.outputs import probabilities, vote
from pagjax.networks import NORMALIZERS, ResNet, ResNetConfig, fuse
from pagjax.networks.base import base_network
from pagjax.networks.convolutions.forms import max_pool_3x3
from pagjax.networks.rectifiers import clamp, rectify
from tests.core.checks.doors import BATCH, DESCRIPTION, KEY, SIDE, brightness, tiny_network

CONFIGS = {
    "basic": ResNetConfig("cifar", "basic", (1, 1), 4),
    "padding": ResNetConfig("cifar", "basic", (1, 1), 4, "padding"),
    "bottleneck": ResNetConfig("imagenet", "bottleneck", (1, 1), 4),
    "space_to_depth": ResNetConfig("space_to_depth", "basic", (1,), 4),
    "winograd": ResNetConfig("cifar", "basic", (1, 1), 24),
}
_run = jax.jit(lambda logits_fn, images: logits_fn(images))


def _with_nan(array: jax.Array, index: int = 0) -> jax.Array:
    return jnp.ravel(array).at[index].set(jnp.nan).reshape(array.shape)


@pytest.mark.parametrize("config", CONFIGS)
def test_nan_pixels_and_weights_give_nan_logits(config):
    """Both forms of a network, compiled in one piece."""
    clamped = "-clamped" if config == "bottleneck" else ""
    network = ResNet(CONFIGS[config], 3, NORMALIZERS[f"cifar10{clamped}"])
    images = jnp.full((2, 16, 16, 3), 0.5)
    variables = jax.jit(network.init)(jax.random.key(0), images)
    fused, folded = fuse(network, variables)
    broken = images.at[1, 5, 6, 0].set(jnp.nan)
    for form, held in ((network, variables), (fused, folded)):
        run = jax.jit(lambda v, x, form=form: form.apply(v, x).logits)
        assert np.isnan(run(held, broken)).all(axis=1).tolist() == [False, True]
        stem = jax.tree_util.tree_map_with_path(_break_stem, held)
        assert np.isnan(run(stem, images)).all()


def _break_stem(path, leaf):
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    broken = "stem" in name and name.endswith(("bias", "scale"))
    return _with_nan(leaf) if broken else leaf


@functools.cache
def _shipped(name):
    return pagjax.load(name)


@pytest.mark.parametrize("name", shipped.names())
def test_nan_pixels_give_nan_logits_in_every_shipped_network(name):
    """Compiled, where no pixel is looked at; called by itself the network refuses them."""
    network = _shipped(name)
    image = jnp.full((1, *network.image_shape), 0.5)
    logits = _run(network.logits_fn, jnp.concatenate([_with_nan(image, 1000), image]))
    assert np.isnan(logits).all(axis=1).tolist() == [True, False]
    with pytest.raises(ValueError, match="non-finite pixels"):
        network.logits_fn(_with_nan(image, 1000))


def test_rectifiers_have_the_gradient_of_a_maximum():
    x = jnp.array([-1.0, -0.0, 0.0, 2.0])
    np.testing.assert_array_equal(
        jax.jit(jax.vmap(jax.grad(rectify)))(x), jax.vmap(jax.grad(jax.nn.relu))(x)
    )
    edges = jnp.array([-0.5, 0.0, 0.5, 1.0, 1.5])
    slope = jax.vmap(jax.grad(lambda x: clamp(x, 0, 1)))(edges)
    assert slope.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]  # as PyTorch's clamp has it


@pytest.mark.parametrize("place", [(0, 0), (4, 4), (7, 7), (3, 6)])
def test_pools_keep_nan(place):
    x = jax.random.uniform(KEY, (1, 8, 8, 2))
    pooled = jax.jit(max_pool_3x3)(x.at[0, *place, 0].set(jnp.nan))
    clean = max_pool_3x3(x)
    touched = np.zeros((4, 4), bool)
    for row in range(4):
        for column in range(4):
            near = abs(2 * row - place[0]) <= 1 and abs(2 * column - place[1]) <= 1
            touched[row, column] = near
    np.testing.assert_array_equal(np.isnan(pooled[0, :, :, 0]), touched)
    np.testing.assert_array_equal(pooled[0, :, :, 1], clean[0, :, :, 1])


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
@pytest.mark.parametrize("place", [0, -1])
def test_a_nan_logit_is_a_vote_for_none(classes, place):
    logits = jnp.arange(classes, dtype=jnp.float32).at[place].set(jnp.nan)
    draws = jnp.stack([logits, jnp.arange(classes, dtype=jnp.float32)])
    for function in (jax.vmap, lambda f: jax.jit(jax.vmap(f))):
        assert function(vote)(draws).sum(axis=1).tolist() == [0, 1]
        likely = np.asarray(function(probabilities)(draws))
        assert np.isnan(likely[0]).all()
        assert np.isclose(likely[1].sum(), 1)


@pytest.mark.parametrize("classes", [2, 1000])
def test_a_network_with_a_nan_logit_is_never_certified(classes):
    def network(images):
        logits = jnp.broadcast_to(jnp.arange(classes, dtype=jnp.float32), (len(images), classes))
        return logits.at[:, 0].set(jnp.nan) + 0 * images.mean()

    images = jnp.full((1, SIDE, SIDE, 3), 0.5)
    assert BATCH["smoothed_votes"](images, network=network).sum() == 0
    assert np.isnan(BATCH["smoothed_probabilities"](images, network=network)).all()
    for door in ("certify", "predict"):
        with pytest.raises(ValueError, match="NaN or tied under all"):
            BATCH[door](images, network=network)
    with pytest.raises(ValueError, match="probabilities are NaN under all"):
        BATCH["certify_soft"](images, network=network, num_estimation=1000)
    found = certification.certify_class(network, images, [0], KEY, sigma=0.25, num_draws=20)
    assert found.prediction.tolist() == [certification.ABSTAIN]
    assert found.radius.tolist() == [0.0]


@pytest.mark.parametrize("objective", ["tcm", "ce"])
def test_a_nan_logit_moves_nothing_and_stays_in_the_trace(objective):
    def network(images):
        return brightness(images).at[:, 2].set(jnp.nan).at[:, 0].set(jnp.nan)

    images = jnp.full((1, SIDE, SIDE, 3), 0.5)
    result = BATCH["targeted_pgd"](images, network=network, objective=objective)
    np.testing.assert_array_equal(result.images, images)
    assert np.isnan(result.trace.objective).all()
    estimate = smoothed_gradient(
        network, objective, images[0], 0, KEY, sigma=0.25, num_samples=4, chunk_size=2
    )
    assert np.isnan(estimate.value)


BREAKAGES = {
    "NaN": ("params/head/kernel", lambda x: x.at[0, 0].set(jnp.nan), "NaN or infinite"),
    "infinity": ("params/stem/conv/kernel", lambda x: x + jnp.inf, "NaN or infinite"),
    "negative variance": ("batch_stats/stem/norm/var", lambda x: x.at[0].set(-0.1), "variance"),
    "integers": ("params/head/bias", lambda x: x.astype(jnp.int32), "int32"),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_broken_weights_are_refused_by_name(what):
    where, broken, message = BREAKAGES[what]

    def change(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        return broken(leaf) if name == where else leaf

    variables = jax.tree_util.tree_map_with_path(change, tiny_network().variables)
    with pytest.raises(ValueError, match=rf"{where} .*{message}"):
        base_network(DESCRIPTION, variables)
