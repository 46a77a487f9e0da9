"""What the files compute: the gradient step of a noisy objective, or logits alone."""

from __future__ import annotations

from typing import Any, Literal

from pagjax.networks.base import BaseNetwork
from pagjax.onnx_files.graph import IR_VERSION, OPSET, Graph
from pagjax.onnx_files.network import passes

What = Literal["step", "forward"]
ObjectiveName = Literal["tcm", "ce"]

STEP_INPUTS = ("image", "noise", "target_weights")
STEP_OUTPUTS = ("objective", "standard_error", "gradient", "probabilities", "logits")


def step(network: BaseNetwork, *, half: bool, objective: ObjectiveName = "tcm") -> Any:
    """The gradient step as an ``onnx.ModelProto``.

    Inputs, all float32: ``image`` ``[h, w, 3]`` in [0, 1]; ``noise`` ``[n, h, w, 3]``, sigma times
    standard normal draws; ``target_weights`` ``[classes]``, not negative, usually 1 for the target
    and 0 for the others.

    Outputs: ``objective``; its ``standard_error``, as if draws were independent; ``gradient``
    ``[h, w, 3]``; ``probabilities`` ``[classes]``, the mean over draws; ``logits``
    ``[n, classes]``. A NaN in image or noise makes objective and gradient NaN.

    Args:
        network: any.
        half: whether large kernels are stored in half precision.
        objective: ``"tcm"``, the mean over draws of weights times logits; or ``"ce"``, the log of
            the mean over draws of weights times probabilities.
    """
    graph = Graph(half)
    height, width, _ = network.image_shape
    last = graph.whole(1)
    image = graph.op("Unsqueeze", graph.op("Transpose", "image", perm=[2, 0, 1]), graph.whole(0))
    draws = graph.op("Transpose", "noise", perm=[0, 3, 1, 2])
    found = passes(graph, network, graph.op("Add", image, draws))
    classes = len(network.labels)
    weights = graph.op("Reshape", "target_weights", graph.whole(1, classes))
    of_draws = graph.op("Softmax", found.logits, axis=1)
    # Maxima of other runtimes may drop NaN; a sum does not.
    seen = graph.op("Add", graph.op("ReduceSum", image), graph.op("ReduceSum", draws))
    broken = graph.op("Mul", graph.op("Mul", seen, graph.constant(0.0)), graph.constant(1.0))
    count = graph.op("Cast", graph.op("Shape", "noise", start=0, end=1), to=1)
    if objective == "tcm":
        terms = graph.op("ReduceSum", graph.op("Mul", found.logits, weights), last, keepdims=1)
        value = mean = graph.op("ReduceMean", terms, keepdims=0)
        spread = graph.constant(1.0)
        share = graph.op("Div", weights, count)
        cotangent = graph.op("Add", share, graph.op("Mul", found.logits, graph.constant(0.0)))
    else:
        terms, cotangent, value, mean = _log_of_mean(graph, found.logits, weights)
        spread = mean
    squares = graph.op("ReduceSum", _square(graph, graph.op("Sub", terms, mean)), keepdims=0)
    one = graph.constant(1.0)
    freedom = graph.op("Max", graph.op("Sub", count, one), one)
    variance = graph.op("Div", graph.op("Div", squares, freedom), count)
    error = graph.op("Div", graph.op("Sqrt", variance), spread)
    noisy = graph.op("Greater", graph.op("ReduceMax", graph.op("Abs", draws), keepdims=0),
                     graph.constant(0.0))  # fmt: skip
    single = graph.op("And", graph.op("Less", count, graph.constant(1.5)), noisy)
    error = graph.op("Where", single, graph.constant(float("inf")), error)
    whole = graph.whole()
    graph.op("Add", value, graph.op("Reshape", broken, whole), output="objective")
    graph.op("Reshape", error, whole, output="standard_error")
    gradient = found.back(cotangent)
    if not found.summed:
        gradient = graph.op("ReduceSum", gradient, graph.whole(0), keepdims=1)
    flat = graph.op("Transpose", graph.op("Squeeze", gradient, graph.whole(0)), perm=[1, 2, 0])
    graph.op("Add", flat, graph.op("Reshape", broken, whole), output="gradient")
    graph.op("ReduceMean", of_draws, graph.whole(0), keepdims=0, output="probabilities")
    graph.op("Identity", found.logits, output="logits")
    inputs = [[height, width, 3], ["draws", height, width, 3], [classes]]
    outputs = [[], [], [height, width, 3], [classes], ["draws", classes]]
    named = (
        dict(zip(STEP_INPUTS, inputs, strict=True)),
        dict(zip(STEP_OUTPUTS, outputs, strict=True)),
    )
    return _model(graph, "pagjax_step", *named)


def forward(network: BaseNetwork, *, half: bool) -> Any:
    """Logits as an ``onnx.ModelProto``: ``images`` ``[n, h, w, 3]`` to ``logits`` ``[n, classes]``.

    NaN in an image makes its logits NaN.
    """
    graph = Graph(half)
    height, width, _ = network.image_shape
    images = graph.op("Transpose", "images", perm=[0, 3, 1, 2])
    found = passes(graph, network, images)
    seen = graph.op("ReduceSum", images, graph.whole(1, 2, 3), keepdims=0)
    broken = graph.op("Mul", graph.op("Unsqueeze", seen, graph.whole(1)), graph.constant(0.0))
    graph.op("Add", found.logits, broken, output="logits")
    outputs = {"logits": ["images", len(network.labels)]}
    return _model(graph, "pagjax_logits", {"images": ["images", height, width, 3]}, outputs)


def _square(graph: Graph, x: str) -> str:
    return graph.op("Mul", x, x)


def _log_of_mean(graph: Graph, logits: str, weights: str) -> tuple[str, str, str, str]:
    """Terms in units of the largest, the gradient by logits, the value, and the terms' mean."""
    logs = graph.op("LogSoftmax", logits, axis=1)
    weighed = graph.op("Add", logs, graph.op("Log", weights))
    classes = graph.whole(1)
    scores = graph.op("ReduceLogSumExp", weighed, classes, keepdims=1)
    top = graph.op("ReduceMax", scores, keepdims=1)
    terms = graph.op("Exp", graph.op("Sub", scores, top))
    mean = graph.op("ReduceMean", terms, keepdims=0)
    value = graph.op("Add", graph.op("Reshape", top, graph.whole()), graph.op("Log", mean))
    # d/dl of log mean exp(score): each draw's share times (softmax of weighed - softmax of logits)
    share = graph.op("Div", terms, graph.op("ReduceSum", terms, keepdims=0))
    apart = graph.op("Sub", graph.op("Softmax", weighed, axis=1), graph.op("Exp", logs))
    return terms, graph.op("Mul", share, apart), value, mean


def _model(graph: Graph, name: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    from onnx import TensorProto, checker, helper

    def told(shapes: dict[str, Any]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]

    made = helper.make_graph(graph.nodes, name, told(inputs), told(outputs), graph.constants)
    model = helper.make_model(
        made, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    checker.check_model(model)
    return model
