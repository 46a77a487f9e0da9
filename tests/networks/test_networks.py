"""Networks against PyTorch, layer by layer, in float64 and float32."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from pagjax.convert import torch_resnets
from pagjax.networks import NORMALIZERS, Normalizer
from pagjax.networks.base import BaseNetwork, Description, base_network
from peers import torch_networks

# Small widths keep the tests quick; names, blocks and strides are the published ones.
NETWORKS = {
    "resnet50": (lambda: torch_networks.resnet50(10, width=8), (64, 72)),
    "resnet18": (lambda: torch_networks.resnet18(10, width=8), (65, 33)),
    "cohen-20": (lambda: torch_networks.cohen_cifar(20), (32, 32)),
    "akamaster-20": (lambda: torch_networks.akamaster_cifar(20), (32, 32)),
    "madry-cifar-50": (lambda: torch_networks.madry_cifar_resnet50(width=8), (32, 32)),
}
everywhere = pytest.mark.parametrize("name", NETWORKS)


def _both(name: str, dtype: torch.dtype) -> tuple[torch.nn.Module, BaseNetwork, np.ndarray]:
    make, size = NETWORKS[name]
    network = torch_networks.randomise(make().to(dtype), seed=1)
    state = {k: v.numpy() for k, v in network.state_dict().items() if "tracked" not in k}
    found = torch_resnets.identify(state)
    description = Description(
        found.name, found.config, found.num_classes, NORMALIZERS["none"], size
    )
    ours = base_network(description, torch_resnets.convert(state, found))
    images = np.random.default_rng(0).random((2, *size, 3))
    return network, ours, images.astype(torch.zeros(0, dtype=dtype).numpy().dtype)


def _channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


@pytest.mark.usefixtures("x64")
@everywhere
def test_logits_and_input_gradients_in_float64(name):
    theirs, ours, images = _both(name, torch.float64)
    given = _channels_first(images).requires_grad_(True)
    logits = theirs(given)
    logits[:, 3].sum().backward()
    training_form = jax.jit(ours.network.apply)(ours.variables, images).logits
    np.testing.assert_allclose(training_form, logits.detach().numpy(), rtol=1e-9)

    def score(images):
        logits = ours.logits_fn(images)
        return logits[:, 3].sum(), logits

    slope, fused = jax.jit(jax.grad(score, has_aux=True))(jnp.asarray(images))
    np.testing.assert_allclose(fused, logits.detach().numpy(), rtol=1e-9)
    expected = given.grad.numpy().transpose(0, 2, 3, 1)
    error = np.linalg.norm(slope - expected) / np.linalg.norm(expected)
    assert error < 1e-9


def _flax_path(torch_name: str) -> tuple[str, ...]:
    """Where a PyTorch batch norm's output appears among the Flax intermediates."""
    if torch_name == "bn1":
        return ("stem",)
    stage, block, layer = torch_name.split(".")[:3]
    child = "shortcut" if layer in ("downsample", "shortcut") else f"layer{layer[-1]}"
    return (f"stage{stage[-1]}_block{int(block) + 1}", child)


@pytest.mark.parametrize("name", ["resnet50", "cohen-20", "akamaster-20", "madry-cifar-50"])
def test_every_layer_in_float32(name):
    theirs, ours, images = _both(name, torch.float32)
    seen: dict[str, np.ndarray] = {}
    for layer, module in theirs.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(
                lambda _, __, output, layer=layer: seen.update(
                    {layer: output.numpy().transpose(0, 2, 3, 1)}
                )
            )
    with torch.no_grad():
        logits = theirs(_channels_first(images)).numpy()
    fused = ours.logits_fn.func.network
    for network, variables in ((ours.network, ours.variables), (fused, ours.logits_fn.args[0])):
        look = jax.jit(
            partial(network.apply, capture_intermediates=True, mutable=["intermediates"])
        )
        outputs, kept = look(variables, jnp.asarray(images))
        np.testing.assert_allclose(outputs.logits, logits, rtol=1e-4, atol=1e-4)
        for torch_name, expected in seen.items():
            tree = kept["intermediates"]
            for part in _flax_path(torch_name):
                tree = tree[part]
            actual = tree["__call__"][0]
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4, err_msg=torch_name)


def test_features_lead_to_logits():
    _, ours, images = _both("cohen-20", torch.float32)
    head = ours.variables["params"]["head"]
    features = jax.jit(ours.features_fn)(jnp.asarray(images))
    assert features.shape == (2, 64)
    np.testing.assert_allclose(
        features @ head["kernel"] + head["bias"],
        jax.jit(ours.logits_fn)(images),
        rtol=1e-5,
        atol=1e-5,
    )


def test_the_normalizer_comes_after_the_noise():
    images = jnp.array([[[[-0.5, 0.5, 1.5]]]])
    plain, clamped = (Normalizer((0.5,) * 3, (0.25,) * 3, clamp=c) for c in (False, True))
    np.testing.assert_allclose(plain(images)[0, 0, 0], [-4, 0, 4])
    np.testing.assert_allclose(clamped(images)[0, 0, 0], [-2, 0, 2])
    np.testing.assert_allclose(
        NORMALIZERS["imagenet-centered"](jnp.ones((1, 1, 1, 3)))[0, 0, 0],
        [1 - 0.485, 1 - 0.456, 1 - 0.406],
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="sd above 0"):
        Normalizer((0.0,), (0.0,))


def test_the_same_network_compiles_once():
    traces = []

    @jax.jit
    def classify(logits_fn, images):
        traces.append(1)
        return logits_fn(images)

    for _ in range(2):
        _, ours, images = _both("cohen-20", torch.float32)
        classify(ours.logits_fn, images)
    assert len(traces) == 1


def test_descriptions_survive_json():
    import json

    description = Description(
        "cifar-resnet20-b",
        _both("cohen-20", torch.float32)[1].network.config,
        2,
        NORMALIZERS["cifar10-clamped"],
        (32, 40),
        ("a", "b"),
        0.5,
        {"source": "x"},
    )
    assert Description.from_json(json.loads(json.dumps(description.to_json()))) == description
    with pytest.raises(ValueError, match="format 99"):
        Description.from_json({**description.to_json(), "format": 99})
