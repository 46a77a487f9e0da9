"""A graph of ONNX operators, and the layers of our networks with their backward passes.

Activations are NCHW, which is what the format's convolutions take. A layer gives its result and a
function that pulls a gradient back through it; both passes of a convolution read one kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

OPSET, IR_VERSION = 18, 9


class Value(NamedTuple):
    """A value in the graph: its name, and its channels, height and width."""

    name: str
    channels: int
    height: int
    width: int


Back = Callable[[str], str]


class Graph:
    """Nodes and constants in the order in which they are added.

    Attributes:
        half: whether large kernels are stored in half precision; a runtime widens them as it loads
            the file.
    """

    def __init__(self, half: bool) -> None:
        """An empty graph."""
        self.half = half
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: dict[bytes, str] = {}

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds an operator of one result, and gives the result's name."""
        return self.ops(kind, inputs, [output or f"v{len(self.nodes)}"], **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: list[str], **attributes: Any
    ) -> list[str]:
        """Adds an operator, and gives its results' names."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant; the same one twice is stored once."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(value, dtype)
        key = repr((array.shape, array.dtype)).encode() + array.tobytes()
        if key not in self._known:
            self._known[key] = f"c{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def whole(self, *values: int) -> str:
        """A list of whole numbers, as shapes and axes are given."""
        return self.constant(values, np.int64)

    def kernel(self, value: np.ndarray) -> str:
        """A convolution's kernel HWIO, as the format has it: OIHW."""
        laid = np.asarray(value, np.float32).transpose(3, 2, 0, 1)
        if not self.half:
            return self.constant(laid)
        return self.op("Cast", self.constant(laid, np.float16), to=1)


def convolution(
    graph: Graph, x: Value, weights_and_bias: tuple[np.ndarray, np.ndarray], stride: int
) -> tuple[Value, Back]:
    """A convolution padded by half its size; its gradient reads the same kernel, HWIO."""
    kernel, bias = weights_and_bias
    size, features = kernel.shape[0], kernel.shape[3]
    pad = size // 2
    form: dict[str, Any] = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
    weights = graph.kernel(kernel)
    name = graph.op("Conv", x.name, weights, graph.constant(bias), **form)
    height, width = -(-x.height // stride), -(-x.width // stride)
    more = [
        side - ((count - 1) * stride + size - 2 * pad)
        for side, count in ((x.height, height), (x.width, width))
    ]

    def back(gradient: str) -> str:
        return graph.op("ConvTranspose", gradient, weights, output_padding=more, **form)

    return Value(name, features, height, width), back


def blur(graph: Graph, x: Value) -> tuple[Value, Back]:
    """Binomial averages whose border goes on beyond itself, which are their own adjoint."""
    line = np.array([0.25, 0.5, 0.25])
    kernel = np.broadcast_to(np.outer(line, line), (x.channels, 1, 3, 3))
    weights, beyond = graph.constant(kernel), graph.whole(0, 0, 1, 1, 0, 0, 1, 1)

    def averaged(name: str) -> str:
        wider = graph.op("Pad", name, beyond, mode="edge")
        return graph.op("Conv", wider, weights, kernel_shape=[3, 3], group=x.channels)

    return x._replace(name=averaged(x.name)), averaged


def rectifier(graph: Graph, x: Value) -> tuple[Value, Back]:
    """The positive part, whose gradient is read from the result."""
    name = graph.op("Relu", x.name)
    return x._replace(name=name), lambda g: graph.op("Mul", g, graph.op("Sign", name))


def affine(graph: Graph, x: Value, gain: np.ndarray, bias: np.ndarray) -> tuple[Value, Back]:
    """A batch norm that no convolution precedes."""
    factor = graph.constant(gain.reshape(-1, 1, 1))
    name = graph.op("Add", graph.op("Mul", x.name, factor), graph.constant(bias.reshape(-1, 1, 1)))
    return x._replace(name=name), lambda g: graph.op("Mul", g, factor)


def padded(graph: Graph, x: Value, features: int, low: int, stride: int) -> tuple[Value, Back]:
    """Every `stride`-th pixel, and channels padded with zeros: a shortcut without weights."""
    axes, ends = graph.whole(2, 3), graph.whole(x.height, x.width)
    name = x.name
    if stride > 1:
        name = graph.op("Slice", name, graph.whole(0, 0), ends, axes, graph.whole(stride, stride))
    high = features - x.channels - low
    name = graph.op("Pad", name, graph.whole(0, low, 0, 0, 0, high, 0, 0))
    height, width = -(-x.height // stride), -(-x.width // stride)

    def back(gradient: str) -> str:
        own = graph.whole(low), graph.whole(low + x.channels), graph.whole(1)
        kept = graph.op("Slice", gradient, *own)
        if stride == 1:
            return kept
        apart = graph.op("Reshape", kept, graph.whole(-1, x.channels, height, 1, width, 1))
        more = graph.whole(0, 0, 0, 0, 0, 0, 0, 0, 0, stride - 1, 0, stride - 1)
        spread = graph.op("Pad", apart, more)
        sides = x.channels, stride * height, stride * width
        wide = graph.op("Reshape", spread, graph.whole(-1, *sides))
        return graph.op("Slice", wide, graph.whole(0, 0), ends, axes)

    return Value(name, features, height, width), back


def max_pool(graph: Graph, x: Value) -> tuple[Value, Back]:
    """3x3 max-pooling of stride 2; of equals one has the gradient."""
    outputs = [f"v{len(graph.nodes)}", f"v{len(graph.nodes)}_places"]
    name, places = graph.ops(
        "MaxPool", [x.name], outputs, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4
    )

    def back(gradient: str) -> str:
        flat = graph.whole(-1)
        nothing = graph.op("Mul", graph.op("Reshape", x.name, flat), graph.constant(0.0))
        parts = graph.op("Reshape", places, flat), graph.op("Reshape", gradient, flat)
        summed = graph.op("ScatterElements", nothing, *parts, axis=0, reduction="add")
        return graph.op("Reshape", summed, graph.whole(-1, x.channels, x.height, x.width))

    return x._replace(name=name, height=-(-x.height // 2), width=-(-x.width // 2)), back


def blocks_to_channels(graph: Graph, x: Value, side: int) -> tuple[Value, Back]:
    """Blocks of pixels laid into channels, rows of a block first."""
    name = graph.op("SpaceToDepth", x.name, blocksize=side)
    laid = Value(name, x.channels * side**2, x.height // side, x.width // side)
    return laid, lambda g: graph.op("DepthToSpace", g, blocksize=side, mode="DCR")


def mean_over_pixels(graph: Graph, x: Value) -> tuple[Value, Back]:
    """The mean over height and width, ``[n, channels]``."""
    name = graph.op("ReduceMean", x.name, graph.whole(2, 3), keepdims=0)

    def back(gradient: str) -> str:
        small = graph.op("Reshape", gradient, graph.whole(-1, x.channels, 1, 1))
        share = graph.op("Mul", small, graph.constant(1 / (x.height * x.width)))
        return graph.op("Expand", share, graph.op("Shape", x.name))

    return Value(name, x.channels, 1, 1), back
