"""The loop as the TPU's own compiler makes it, where that is installed; no TPU is needed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import pagjax
from pagjax.core.mesh import make_mesh
from pagjax.core.program import collectives, lower
from pagjax.networks import ResNet, ResNetConfig, fuse
from peers.tpu_slices import topology

SIDE = 8


@pytest.fixture(scope="module")
def devices():
    pytest.importorskip("libtpu", reason="the TPU's compiler: pip install -e '.[tpu-compiler]'")
    return topology("v5e", 4)


@pytest.fixture(scope="module")
def network():
    shape = ResNet(ResNetConfig("cifar", "basic", (1,), 4), 3)
    variables = shape.init(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 3)))
    fused, folded = fuse(shape, variables, backend="tpu")
    return jax.tree_util.Partial(lambda held, x: fused.apply(held, x).logits, folded)


def _compiled(network, devices, *, pictures, draws, chunk_size=None):
    recipe = pagjax.Recipe(0.25, 1.0, 0.1, num_steps=3, num_samples=draws)
    mesh = make_mesh(pictures, draws, devices)
    shape = (pictures, SIDE, SIDE, 3)
    return lower(network, shape, recipe, mesh=mesh, chunk_size=chunk_size).compile()


def test_draws_meet_in_one_all_reduce_and_take_no_more_memory(network, devices):
    few, many = (_compiled(network, devices, pictures=1, draws=n, chunk_size=2) for n in (16, 64))
    names = [[name for name, _ in collectives(each.as_text())] for each in (few, many)]
    assert names == [["all-reduce"], ["all-reduce"]]
    held = [each.memory_analysis().temp_size_in_bytes for each in (few, many)]
    assert 0 < held[1] <= 1.01 * held[0]


def test_pictures_on_chips_of_their_own_send_nothing(network, devices):
    assert collectives(_compiled(network, devices, pictures=4, draws=2).as_text()) == []
