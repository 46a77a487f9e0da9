"""A network's passes as ONNX operators, read from its shape and its trained variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from pagjax.networks.base import BaseNetwork
from pagjax.networks.config import ResNetConfig
from pagjax.networks.normalizer import Normalizer
from pagjax.networks.resnet import BATCH_NORM_EPSILON
from pagjax.onnx_files import graph as layers
from pagjax.onnx_files.graph import Back, Graph, Value

Arrays = Mapping[str, Any]
_BLOCK_SIDES = {"space_to_depth": 2, "space_to_depth_4": 4}


class Passes(NamedTuple):
    """Names of what a network's forward pass gives, and how gradients come back.

    Attributes:
        logits: shape ``[n, classes]``.
        back: a gradient of the logits to one of the images: of each, ``[n, 3, h, w]``, or where
            `summed` of all together, ``[1, 3, h, w]``.
        summed: whether what comes back is the sum over the images.
    """

    logits: str
    back: Back
    summed: bool


def passes(graph: Graph, network: BaseNetwork, images: str) -> Passes:
    """Both passes of a network.

    Args:
        graph: to add them to.
        network: of any shape there is.
        images: the name of images ``[n, 3, h, w]`` in [0, 1].

    Returns:
        `Passes`. The backward one is added when ``back`` is called.
    """
    config, variables = network.network.config, folded(network)
    height, width, channels = network.image_shape
    backs: list[Back] = []
    x = Value(images, channels, height, width)
    x, undo = _normalised(graph, x, network.network.normalizer)
    side = _BLOCK_SIDES.get(config.stem)
    into_channels: Back | None = None
    if side is not None:
        x, into_channels = layers.blocks_to_channels(graph, x, side)
    x, of_stem = layers.convolution(graph, x, variables["stem"], config.stem_stride or 1)
    if not config.preactivation:
        x = _then(backs, layers.rectifier(graph, x))
    if config.max_pool:
        x = _then(backs, layers.max_pool(graph, x))
    for stage, count in enumerate(config.stage_sizes):
        for index in range(count):
            own = variables[f"stage{stage + 1}_block{index + 1}"]
            x = _then(backs, _block(graph, x, config, own, 2 if stage > 0 and index == 0 else 1))
    if config.final_norm:
        x = _then(backs, layers.affine(graph, x, *variables["after"]))
        x = _then(backs, layers.rectifier(graph, x))
    x = _then(backs, layers.mean_over_pixels(graph, x))
    kernel, bias = (np.asarray(variables["head"][name]) for name in ("kernel", "bias"))
    weights = graph.constant(kernel)
    logits = graph.op("Gemm", x.name, weights, graph.constant(bias))
    summed = not network.network.normalizer.clamp

    def back(gradient: str) -> str:
        gradient = graph.op("Gemm", gradient, weights, transB=1)
        for one in reversed(backs):
            gradient = one(gradient)
        if summed:  # the first convolution is linear: all draws pass it together
            gradient = graph.op("ReduceSum", gradient, graph.whole(0), keepdims=1)
        gradient = of_stem(gradient)
        return undo(gradient if into_channels is None else into_channels(gradient))

    return Passes(logits, back, summed)


def _then(backs: list[Back], layer: tuple[Value, Back]) -> Value:
    backs.append(layer[1])
    return layer[0]


def _normalised(graph: Graph, x: Value, normalizer: Normalizer) -> tuple[Value, Back]:
    mean, sd = (
        graph.constant(np.reshape(numbers, (-1, 1, 1)))
        for numbers in (normalizer.mean, normalizer.sd)
    )
    zero, one = graph.constant(0.0), graph.constant(1.0)
    inside = graph.op("Clip", x.name, zero, one) if normalizer.clamp else x.name
    name = graph.op("Div", graph.op("Sub", inside, mean), sd)

    def back(gradient: str) -> str:
        gradient = graph.op("Div", gradient, sd)
        if not normalizer.clamp:
            return gradient
        unmoved = graph.op("Cast", graph.op("Equal", inside, x.name), to=1)
        return graph.op("Mul", gradient, unmoved)

    return x._replace(name=name), back


def _block(
    graph: Graph, x: Value, config: ResNetConfig, own: Arrays, stride: int
) -> tuple[Value, Back]:
    backs: list[Back] = []
    before: list[Back] = []
    y = x
    if config.preactivation:
        y = _then(before, layers.affine(graph, y, *own["before"]))
        y = _then(before, layers.rectifier(graph, y))
    of_input = config.shortcut == "projection_of_input" or not config.preactivation
    projected = x if of_input else y
    names = sorted(name for name in own if name.startswith("layer"))
    smooth = config.antialias and stride == 2
    on = 1 if config.block == "basic" or config.stride_on == "1x1" else 2
    for index, name in enumerate(names, start=1):
        if index > 1:
            y = _then(backs, layers.rectifier(graph, y))
        if smooth and index == on:
            y = _then(backs, layers.blur(graph, y))
        y = _then(backs, layers.convolution(graph, y, own[name], stride if index == on else 1))
    across: list[Back] = []
    z = x
    if "shortcut" in own or x[1:] != y[1:]:
        z = projected if "shortcut" in own else x
        if smooth:
            z = _then(across, layers.blur(graph, z))
        if "shortcut" in own:
            z = _then(across, layers.convolution(graph, z, own["shortcut"], stride))
        else:
            low = (y.channels - x.channels) // 2 if config.shortcut == "padding" else 0
            z = _then(across, layers.padded(graph, z, y.channels, low, stride))
    total = y._replace(name=graph.op("Add", y.name, z.name))
    ends: list[Back] = []
    if not config.preactivation:
        total = _then(ends, layers.rectifier(graph, total))

    def back(gradient: str) -> str:
        for one in ends:
            gradient = one(gradient)
        main = gradient
        for one in reversed(backs):
            main = one(main)
        other = gradient
        for one in reversed(across):
            other = one(other)
        behind = bool(across) and not of_input  # the shortcut hangs behind the first norm
        if behind:
            main = graph.op("Add", main, other)
        for one in reversed(before):
            main = one(main)
        return main if behind else graph.op("Add", main, other)

    return total, back


def folded(network: BaseNetwork) -> dict[str, Any]:
    """A network's layers by name as pairs of arrays: kernel and bias, or gain and bias."""
    variables = jax.tree.map(np.asarray, network.variables)
    found = _folded(variables["params"], variables.get("batch_stats", {}))
    return {**found, "head": variables["params"]["head"]}


def _folded(params: Arrays, statistics: Arrays) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, own in params.items():
        if "conv" in own or "norm" in own:
            found[name] = _layer(own, statistics.get(name, {}))
        elif name != "head":
            found[name] = _folded(own, statistics.get(name, {}))
    return found


def _layer(params: Arrays, statistics: Arrays) -> tuple[np.ndarray, np.ndarray]:
    kernel = params["conv"]["kernel"] if "conv" in params else None
    if "norm" not in params:
        assert kernel is not None
        return kernel, np.zeros(kernel.shape[-1], kernel.dtype)
    norm, seen = params["norm"], statistics["norm"]
    gain = norm["scale"] / np.sqrt(seen["var"] + BATCH_NORM_EPSILON)
    return gain if kernel is None else kernel * gain, norm["bias"] - seen["mean"] * gain
