"""Every architecture and every choice that tensors cannot make, against PyTorch in float64."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from pagjax.convert import torch_resnets
from pagjax.networks import NORMALIZERS
from pagjax.networks.base import BaseNetwork, Description, base_network
from peers.torch_networks import Basic, Bottleneck, TorchResNet, randomise
from peers.torch_preactivation import TorchPreActResNet, TorchWideResNet

SIZE = (21, 18)


@pytest.fixture(autouse=True, scope="module")
def _quick_compilation() -> Iterator[None]:
    """Many small programs, each run once."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def _resnet(stem: str, block: type, sizes: tuple[int, ...] = (1, 1), **options: Any) -> TorchResNet:
    return TorchResNet(stem, block, sizes, 8, 10, **options)


# A network in PyTorch, and what has to be chosen for it beside its tensors.
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "cifar-pool": (lambda: _resnet("cifar", Basic, pools=True), {"max_pool": True}),
    "cifar-stride": (
        lambda: _resnet("cifar", Basic, stem_stride=2, pools=True),
        {"stem_stride": 2, "max_pool": True},
    ),
    "imagenet-no-pool": (lambda: _resnet("imagenet", Basic, pools=False), {"max_pool": False}),
    "imagenet-stride-1": (lambda: _resnet("imagenet", Basic, stem_stride=1), {"stem_stride": 1}),
    "padding": (lambda: _resnet("cifar", Basic, shortcut=None), {}),
    "padding-end": (
        lambda: _resnet("cifar", Basic, shortcut=None, pads_end=True),
        {"shortcut": "padding_end"},
    ),
    "bottleneck-v1": (
        lambda: _resnet("imagenet", Bottleneck, stride_first=True),
        {"stride_on": "1x1"},
    ),
    "bottleneck-twice-as-wide": (lambda: _resnet("imagenet", Bottleneck, widening=2), {}),
    "bottleneck-half-as-wide-again": (lambda: _resnet("cifar", Bottleneck, widening=1.5), {}),
    "wide-10-1": (lambda: TorchWideResNet(1, 1), {}),
    "wide-16-2": (lambda: TorchWideResNet(2, 2), {}),
    "preact": (lambda: TorchPreActResNet((2, 1)), {}),
    "preact-open": (lambda: TorchPreActResNet((1, 1), final_norm=False), {}),
    "preact-of-input": (
        lambda: TorchPreActResNet((1, 1), sees_input=True),
        {"shortcut": "projection_of_input"},
    ),
    "preact-stride": (lambda: TorchPreActResNet((1, 1), stem_stride=2), {"stem_stride": 2}),
    "preact-bottleneck": (lambda: TorchPreActResNet((1, 1), bottleneck=True), {}),
}


def _state(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in network.state_dict().items() if "tracked" not in k}


def _both(name: str, dtype: torch.dtype = torch.float64) -> tuple[torch.nn.Module, BaseNetwork]:
    make, values = NETWORKS[name]
    theirs = randomise(make().to(dtype), seed=3)
    state = _state(theirs)
    found = torch_resnets.choose(torch_resnets.identify(state), **values)
    description = Description(
        found.name, found.config, found.num_classes, NORMALIZERS["none"], SIZE
    )
    written = json.loads(json.dumps(description.to_json()))
    assert Description.from_json(written) == description
    variables = torch_resnets.convert(state, found)
    return theirs, base_network(Description.from_json(written), variables)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_and_input_gradients(name):
    theirs, ours = _both(name)
    images = np.random.default_rng(0).random((2, *SIZE, 3))
    given = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).requires_grad_(True)
    logits = theirs(given)
    logits[:, 3].sum().backward()
    expected = given.grad.numpy().transpose(0, 2, 3, 1)

    def training_form(x):
        return ours.network.apply(ours.variables, x).logits

    for form in (training_form, ours.logits_fn):

        def score(x, form=form):
            found = form(x)
            return found[:, 3].sum(), found

        slope, found = jax.jit(jax.grad(score, has_aux=True))(jnp.asarray(images))
        np.testing.assert_allclose(found, logits.detach().numpy(), rtol=1e-9)
        assert np.linalg.norm(slope - expected) < 1e-9 * np.linalg.norm(expected)
    assert np.linalg.norm(expected) > 1e-6


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["preact-open", "imagenet-stride-1"])
def test_noise_passes_the_stem_beside_the_image(name):
    _, ours = _both(name)
    generator = np.random.default_rng(1)
    image, noise = (jnp.asarray(generator.random((3, *SIZE, 3))) for _ in range(2))
    output, folded = ours.logits_fn.func, ours.logits_fn.args[0]
    beside = jax.jit(output.noisy)(folded, image, noise)
    np.testing.assert_allclose(beside, ours.logits_fn(image + noise), rtol=1e-9)


@pytest.mark.parametrize(("backend", "name"), [("cpu", "preact"), ("gpu", "preact-bottleneck")])
def test_pre_activations_in_half_precision(backend, name, monkeypatch):
    """The layouts of each backend, here on the CPU; folding is remembered by network."""
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    _, ours = _both(name, torch.float32)
    images = jnp.asarray(np.random.default_rng(0).random((4, *SIZE, 3), np.float32))
    description = Description.from_json(ours.metadata)
    narrow = base_network(description, ours.variables, "bfloat16").logits_fn(images)
    assert narrow.dtype == jnp.float32
    wide = ours.network.apply(ours.variables, images).logits
    assert 0 < float(jnp.linalg.norm(narrow - wide)) < 0.05 * float(jnp.linalg.norm(wide))


def test_pre_activations_train():
    """All parameters have a slope, and batch statistics move."""
    _, ours = _both("wide-10-1", torch.float32)
    images = jnp.asarray(np.random.default_rng(0).random((4, *SIZE, 3), np.float32))

    def loss(params):
        variables = {**ours.variables, "params": params}
        outputs, moved = ours.network.apply(variables, images, train=True, mutable=["batch_stats"])
        return (outputs.logits**2).sum(), moved["batch_stats"]

    slopes, moved = jax.jit(jax.grad(loss, has_aux=True))(ours.variables["params"])
    for path, slope in jax.tree_util.tree_leaves_with_path(slopes):
        assert float(jnp.abs(slope).max()) > 0, path
    same = jax.tree.map(lambda a, b: bool(jnp.allclose(a, b)), moved, ours.variables["batch_stats"])
    assert not any(jax.tree.leaves(same))
