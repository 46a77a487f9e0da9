"""What a whole pickled module tells beyond its tensors: strides, pools, and layers of other kinds.

A state dict holds none of this. Nothing of a module is run: its attributes are read as data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import Contents, Module
from pagjax.convert.finding import Network
from pagjax.convert.naming import torchvision_name
from pagjax.networks.resnet import BATCH_NORM_EPSILON

# Rectifiers of pagjax's networks are max(x, 0).
_OTHER_ACTIVATIONS = re.compile(
    "[CGS]?ELU|GLU|Hard.*|LeakyReLU|(Log)?Softmax|(Log)?Sigmoid|Mish|[PR]ReLU|ReLU6|SiLU|Softplus|"
    "Softsign|Swish|Tanh"
)
# Attributes of a convolution that are read, as they are written: they may be anything.
_PLAIN_CONVOLUTION = {"groups": ("1",), "dilation": ("1", "(1, 1)"), "padding_mode": ("'zeros'",)}


def read(network: Network, contents: Contents) -> tuple[dict[str, Any], list[str]]:
    """What the modules of a network say of its structure.

    Args:
        network: from `pagjax.convert.finding`.
        contents: of the file.

    Returns:
        Decided choices as of `pagjax.convert.undecided`, and what people should know; both
        empty where the file holds no whole module.

    Raises:
        CheckpointError: if a module computes what no network of pagjax does.
    """
    modules = dict(_of_network(network, contents))
    if not modules:
        return {}, []
    for name, module in modules.items():
        _check(network.path + name, module)
    decided: dict[str, Any] = {}
    strides = {name: _stride(module) for name, module in modules.items()}
    if strides.get("conv1") is not None:
        decided["stem_stride"] = strides["conv1"]
    kinds = {name: module.kind for name, module in modules.items()}
    if kinds.get("maxpool") in ("MaxPool2d", "Identity"):
        decided["max_pool"] = kinds["maxpool"] == "MaxPool2d"
    halving = {
        match[1]
        for name, stride in strides.items()
        if stride == 2 and (match := re.fullmatch(r"layer\d+\.0\.conv([12])", name))
    }
    if "layer1.0.conv3" in modules and len(halving) == 1:
        decided["stride_on"] = "1x1" if halving == {"1"} else "3x3"
    return decided, [
        "the file holds a whole module: read its tensors and strides; its code is not in the file "
        "and was taken to be a ResNet's"
    ]


def _of_network(network: Network, contents: Contents) -> Iterator[tuple[str, Module]]:
    for path, module in contents.modules.items():
        if path.startswith(network.path):
            name = path.removeprefix(network.path).removesuffix(".")
            # Endings as of a tensor, so that Hugging Face's names are translated.
            yield torchvision_name(f"{name}.weight").removesuffix(".weight"), module


def _check(name: str, module: Module) -> None:
    kind, attributes = module.kind, module.attributes
    if _OTHER_ACTIVATIONS.fullmatch(kind):
        _refuse(name, kind)
    if kind == "Conv2d":
        for attribute, plain in _PLAIN_CONVOLUTION.items():
            value = repr(attributes[attribute])[:80] if attribute in attributes else plain[0]
            if value not in plain:
                _refuse(name, f"a convolution with {attribute} {value}")
    if kind.startswith("BatchNorm"):
        epsilon = attributes.get("eps", BATCH_NORM_EPSILON)
        if not isinstance(epsilon, float) or epsilon != BATCH_NORM_EPSILON:
            _refuse(name, f"a batch norm with eps {epsilon!r:.80} (not {BATCH_NORM_EPSILON})")


def _refuse(name: str, what: str) -> None:
    raise CheckpointError(f"{name} is {what}, which pagjax's networks do not have")


def _stride(module: Module) -> int | None:
    stride = module.attributes.get("stride")
    if isinstance(stride, tuple) and repr(stride) == repr(stride[:1] * 2):
        stride = stride[0]
    return stride if module.kind == "Conv2d" and isinstance(stride, int) else None
