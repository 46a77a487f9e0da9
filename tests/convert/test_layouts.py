"""Every publisher's wrapping of a residual network, and relatives that must be refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pagjax.checkpoints import CheckpointError
from pagjax.convert import layouts, torch_resnets
from peers import torch_networks


def _state(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in network.state_dict().items()}


def _prefixed(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {prefix + key: value for key, value in state.items()}


RESNET50 = _state(torch_networks.resnet50(10, width=8))
COHEN = _state(torch_networks.cohen_cifar(20))
AKAMASTER = _state(torch_networks.akamaster_cifar(20))
MADRY = _state(torch_networks.madry_cifar_resnet50(width=8))
STATS = {"new_mean": np.full((3, 1, 1), 0.5), "new_std": np.full((3, 1, 1), 0.25)}


def _madry(inner: str) -> dict[str, np.ndarray]:
    prefixes = (f"module.{inner}", f"module.attacker.{inner}")
    state = {}
    for prefix in prefixes:
        state |= _prefixed(MADRY, prefix)
    state |= _prefixed(STATS, "module.normalizer.")
    return state | _prefixed(STATS, "module.attacker.normalize.")


CASES = {
    "cohen-imagenet": (
        {"epoch": 90, "arch": "resnet50", "state_dict": _prefixed(RESNET50, "1.module.")},
        ("Cohen", "1.module.", "resnet50-width8", "downsample"),
    ),
    "cohen-cifar": (
        {"epoch": 90, "arch": "cifar_resnet20", "state_dict": _prefixed(COHEN, "1.")},
        ("Cohen", "1.", "cifar-resnet20-b", "downsample"),
    ),
    "akamaster": (
        {"state_dict": _prefixed(AKAMASTER, "module."), "best_prec1": 91.7},
        ("akamaster", "module.", "cifar-resnet20-a", "downsample"),
    ),
    "madry": (
        {"model": _madry("model."), "epoch": 150},
        ("MadryLab", "module.model.", "cifar-resnet50-width8", "shortcut"),
    ),
    "robust-models-transfer": (
        {"model": _madry("model.model.")},
        ("robust-models-transfer", "module.model.model.", "cifar-resnet50-width8", "shortcut"),
    ),
    "torchvision": (dict(RESNET50), ("torchvision", "", "resnet50-width8", "downsample")),
    "robustbench": (
        {
            "state_dict": _prefixed(RESNET50, "model.")
            | {"normalize.mean": np.zeros((1, 3, 1, 1)), "normalize.std": np.ones((1, 3, 1, 1))}
        },
        ("RobustBench", "model.", "resnet50-width8", "downsample"),
    ),
    "robustbench-cifar": (
        {**MADRY, "mu": np.full((1, 3, 1, 1), 0.4), "sigma": np.full((1, 3, 1, 1), 0.2)},
        ("RobustBench", "", "cifar-resnet50-width8", "shortcut"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_published_layouts(case):
    content, (name, prefix, architecture, shortcut) = CASES[case]
    layout = layouts.recognise(content)
    assert name in layout.name
    assert layout.prefix == prefix
    found = torch_resnets.identify(layout.state)
    assert found.name == architecture
    assert found.shortcut == shortcut
    variables = torch_resnets.convert(layout.state, found)
    assert set(variables) == {"params", "batch_stats"}
    assert layout.ambiguous_normalizer == case.startswith("cohen")


def test_normalizer_buffers_are_read():
    buffers = {case: layouts.recognise(CASES[case][0]).normalizer_buffers for case in CASES}
    assert buffers["madry"] == ((0.5,) * 3, (0.25,) * 3)
    assert buffers["robustbench"] == ((0.0,) * 3, (1.0,) * 3)
    assert buffers["robustbench-cifar"] == ((0.4,) * 3, (0.2,) * 3)
    assert buffers["cohen-imagenet"] is None


def test_copies_that_differ_are_refused():
    content = {"model": _madry("model.")}
    key = "module.attacker.model.layer1.0.conv1.weight"
    content["model"][key] = content["model"][key] + 1
    with pytest.raises(CheckpointError, match=r"differ in 1 tensors \(layer1.0.conv1.weight\)"):
        layouts.recognise(content)


def test_all_that_is_wrong_is_listed_at_once():
    state = dict(layouts.recognise(RESNET50).state)
    found = torch_resnets.identify(state)
    del state["layer2.0.bn1.bias"]
    state["surplus.weight"] = np.zeros(3)
    state["fc.bias"] = np.zeros(11)
    with pytest.raises(CheckpointError) as caught:
        torch_resnets.convert(state, found)
    message = str(caught.value)
    assert "missing (1): layer2.0.bn1.bias" in message
    assert "unexpected (1): surplus.weight" in message
    assert "fc.bias is (11,), expected (10,)" in message


def test_broken_weights_are_refused():
    state = dict(layouts.recognise(RESNET50).state)
    state["fc.bias"] = np.full(10, np.nan)
    with pytest.raises(CheckpointError, match=r"non-finite weights:\n.*fc.bias"):
        torch_resnets.convert(state, torch_resnets.identify(state))


def _grouped(state):
    state["layer1.0.conv2.weight"] = np.zeros((16, 4, 3, 3))


def _deep_stem(state):
    state["conv1.0.weight"] = state.pop("conv1.weight")


def _pooled_shortcut(state):
    state["layer1.0.downsample.1.weight"] = state["layer1.0.downsample.0.weight"]


def _pre_activation(state):
    for name in ("weight", "bias", "running_mean", "running_var"):
        del state[f"bn1.{name}"]


def _squeeze(state):
    state["layer1.0.se.fc1.weight"] = np.zeros((4, 4, 1, 1))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_grouped, "ResNeXt"),
        (_deep_stem, "ResNet-C/D"),
        (_pooled_shortcut, "ResNet-C/D"),
        (_pre_activation, "pre-activation"),
        (_squeeze, "squeeze-and-excitation"),
    ],
)
def test_relatives_are_refused_by_name(change, name):
    state = dict(layouts.recognise(RESNET50).state)
    change(state)
    with pytest.raises(CheckpointError, match=name):
        torch_resnets.identify(layouts.recognise(state).state)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "a list, not a dict"),
        ({"epoch": 3}, "no tensors"),
        ({"weight": np.zeros(3)}, "no residual network"),
    ],
)
def test_other_content_is_refused(content, message):
    with pytest.raises(CheckpointError, match=message):
        layouts.recognise(content)
