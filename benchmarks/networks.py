"""The networks of the benchmarks: random weights, the same here and in PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np


class Shape(NamedTuple):
    """A network by the name of its function in `peers.torch_networks`.

    Attributes:
        peer: that function and its arguments.
        side: of its images, in pixels.
        told: of its configuration, what the tensors do not tell.
    """

    peer: tuple[Any, ...]
    side: int
    told: Mapping[str, Any] = MappingProxyType({})


SHAPES = {
    "resnet50": Shape(("resnet50",), 224),
    "shipped-128": Shape(("pagjax_128",), 128),
    "antialiased-128": Shape(("pagjax_128", 10, True), 128, {"antialias": True}),
    "shipped-32": Shape(("pagjax_32",), 32, {"stem": "space_to_depth"}),
    "cifar-resnet20": Shape(("cohen_cifar", 20), 32),
}


def torch_network(name: str) -> Any:
    """The network in PyTorch, without its weights."""
    from peers import torch_networks

    function, *arguments = SHAPES[name].peer
    return getattr(torch_networks, function)(*arguments)


def weights(name: str) -> dict[str, np.ndarray]:
    """Its random weights, by PyTorch's names."""
    from peers.torch_networks import randomise

    state = randomise(torch_network(name), seed=0).state_dict()
    return {key: value.numpy() for key, value in state.items()}


def base(
    name: str,
    weights: Mapping[str, np.ndarray],
    precision: str = "float32",
    backend: str | None = None,
) -> Any:
    """The same network as a `pagjax.networks.BaseNetwork`, in a backend's forms."""
    from pagjax.convert import torch_resnets
    from pagjax.networks import NORMALIZERS
    from pagjax.networks.base import Description, base_network

    state = {key: weights[key] for key in weights if not key.endswith("tracked")}
    shape = SHAPES[name]
    # Stems of blocks are pagjax's own, and no converter's business: it sees one of three channels.
    found = torch_resnets.identify({**state, "conv1.weight": state["conv1.weight"][:, :3]})
    found = dataclasses.replace(found, config=dataclasses.replace(found.config, **shape.told))
    sides = (shape.side, shape.side)
    description = Description(
        found.name, found.config, found.num_classes, NORMALIZERS["none"], sides
    )
    variables = torch_resnets.convert(state, found)
    return base_network(description, variables, precision, backend)  # type: ignore[arg-type]


def multiply_adds(name: str, side: int) -> int:
    """Of its convolutions and products at one image; an input gradient takes as many again."""
    import torch

    total = 0

    def count(module: Any, _: Any, output: Any) -> None:
        nonlocal total
        total += output[0].numel() * module.weight[0].numel()

    network = torch_network(name).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    return total
