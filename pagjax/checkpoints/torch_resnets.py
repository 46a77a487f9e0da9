"""PyTorch's residual networks in Flax: which shape a state dict has, and where each tensor goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints.layouts import StateDict
from pagjax.checkpoints.store import CheckpointError
from pagjax.networks.resnet import ResNet, ResNetConfig

_IMAGENET_NAMES: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}
_BATCH_NORM = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}


@dataclass(frozen=True)
class Architecture:
    """A recognised network: its name for people, shape, classes, and the names of its parts."""

    name: str
    config: ResNetConfig
    num_classes: int
    head: str
    shortcut: str


def identify(state: StateDict) -> Architecture:
    """Finds the architecture from names and shapes alone.

    Args:
        state: a bare state dict, see `pagjax.checkpoints.layouts`.

    Returns:
        The `Architecture`.

    Raises:
        CheckpointError: for a relative that pagjax does not have (ResNet-D, wide ResNet, ResNeXt,
            pre-activation ResNet), by name, and for anything else.
    """
    _refuse_relatives(state)
    head = next((name for name in ("fc", "linear") if f"{name}.weight" in state), None)
    if head is None or "conv1.weight" not in state or state["conv1.weight"].ndim != 4:
        raise CheckpointError(
            "the state dict has no conv1.weight or no classifier named fc or linear: "
            f"it starts with {', '.join(list(state)[:5])}"
        )
    stem = state["conv1.weight"]
    block = "bottleneck" if "layer1.0.conv3.weight" in state else "basic"
    stage_sizes = _stage_sizes(state)
    has = {name: any(f".{name}.0." in key for key in state) for name in ("downsample", "shortcut")}
    shortcut_name = "shortcut" if has["shortcut"] else "downsample"
    config = ResNetConfig(
        stem="imagenet" if stem.shape[2] == 7 else "cifar",
        block="bottleneck" if block == "bottleneck" else "basic",
        stage_sizes=stage_sizes,
        width=stem.shape[0],
        shortcut="projection" if any(has.values()) else "padding",
    )
    return Architecture(
        _name(config), config, state[f"{head}.weight"].shape[0], head, shortcut_name
    )


def choices(architecture: Architecture) -> dict[str, tuple[Any, ...]]:
    """What the tensors cannot tell, by name: possible values, the usual one first."""
    imagenet = architecture.config.stem == "imagenet"
    open_: dict[str, tuple[Any, ...]] = {
        "stem_stride": (2, 1) if imagenet else (1, 2),
        "max_pool": (imagenet, not imagenet),
    }
    if architecture.config.block == "bottleneck":
        open_["stride_on"] = ("3x3", "1x1")
    return open_


def choose(architecture: Architecture, **values: Any) -> Architecture:
    """The architecture with some of its `choices` made."""
    usual = {name: allowed[0] for name, allowed in choices(architecture).items()}
    if usual | values != usual:
        raise ValueError("not yet")
    return architecture


def convert(state: StateDict, architecture: Architecture) -> dict[str, Any]:
    """Lays a PyTorch state dict out as Flax variables.

    Kernels go from OIHW to HWIO, the classifier is transposed, batch norms are renamed.

    Args:
        state: a bare state dict.
        architecture: from `identify`.

    Returns:
        Collections ``"params"`` and ``"batch_stats"`` with arrays of the file's types.

    Raises:
        CheckpointError: listing every missing key, unexpected key and wrong shape at once.
    """
    places = _places(architecture)
    shapes = _expected_shapes(architecture, places)
    missing = [key for key in places if key not in state]
    unexpected = [key for key in state if key not in places]
    wrong = [
        f"{key} is {state[key].shape}, expected {shapes[key]}"
        for key in places
        if key in state and state[key].shape != shapes[key]
    ]
    if missing or unexpected or wrong:
        raise CheckpointError(
            f"the state dict does not fit a {architecture.name}:"
            + _listed("missing", missing)
            + _listed("unexpected", unexpected)
            + _listed("wrong shape", wrong)
        )
    broken = [key for key in places if not np.all(np.isfinite(np.float32(state[key])))]
    if broken:
        raise CheckpointError(f"non-finite weights:{_listed('tensors', broken)}")
    variables: dict[str, Any] = {}
    for key, path in places.items():
        parent = variables
        for part in path[:-1]:
            parent = parent.setdefault(part, {})
        parent[path[-1]] = _transposed(state[key])
    return variables


def _places(architecture: Architecture) -> dict[str, tuple[str, ...]]:
    """For every PyTorch key, the path of collections and modules it goes to."""
    config = architecture.config
    places: dict[str, tuple[str, ...]] = {}

    def conv_norm(conv: str, norm: str, *path: str) -> None:
        places[f"{conv}.weight"] = ("params", *path, "conv", "kernel")
        for torch_name, (collection, flax_name) in _BATCH_NORM.items():
            places[f"{norm}.{torch_name}"] = (collection, *path, "norm", flax_name)

    conv_norm("conv1", "bn1", "stem")
    for block, torch_name, has_shortcut in _blocks(config):
        for layer in range(1, 4 if config.block == "bottleneck" else 3):
            conv_norm(
                f"{torch_name}.conv{layer}", f"{torch_name}.bn{layer}", block, f"layer{layer}"
            )
        if has_shortcut:
            shortcut = f"{torch_name}.{architecture.shortcut}"
            conv_norm(f"{shortcut}.0", f"{shortcut}.1", block, "shortcut")
    places[f"{architecture.head}.weight"] = ("params", "head", "kernel")
    places[f"{architecture.head}.bias"] = ("params", "head", "bias")
    return places


def _blocks(config: ResNetConfig) -> list[tuple[str, str, bool]]:
    """Flax name, PyTorch name, and whether there is a projection, of every block."""
    blocks = []
    for stage, count in enumerate(config.stage_sizes, start=1):
        for index in range(count):
            changes = index == 0 and (stage > 1 or config.block == "bottleneck")
            projects = changes and config.shortcut == "projection"
            blocks.append((f"stage{stage}_block{index + 1}", f"layer{stage}.{index}", projects))
    return blocks


def _expected_shapes(
    architecture: Architecture, places: dict[str, tuple[str, ...]]
) -> dict[str, tuple[int, ...]]:
    network = ResNet(architecture.config, architecture.num_classes)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), image)
    shapes = {}
    for key, path in places.items():
        leaf: Any = variables
        for part in path:
            leaf = leaf[part]
        shape = leaf.shape
        shapes[key] = (*shape[:-3:-1], *shape[:2]) if len(shape) == 4 else shape[::-1]
    return shapes


def _transposed(tensor: np.ndarray) -> np.ndarray:
    return tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T


def _stage_sizes(state: StateDict) -> tuple[int, ...]:
    blocks = {match.groups() for key in state if (match := re.match(r"layer(\d+)\.(\d+)\.", key))}
    stages = sorted({int(stage) for stage, _ in blocks})
    if stages != list(range(1, len(stages) + 1)) or not stages or len(stages) > 8:
        raise CheckpointError(f"stages {stages}: expected layer1, layer2, ... without a gap")
    return tuple(1 + max(int(i) for s, i in blocks if int(s) == stage) for stage in stages)


def _name(config: ResNetConfig) -> str:
    if config.stem == "imagenet":
        name = _IMAGENET_NAMES.get((config.block, config.stage_sizes))
        standard_width = 64
    elif config.block == "bottleneck":
        name = "cifar-resnet50" if config.stage_sizes == (3, 4, 6, 3) else None
        standard_width = 64
    else:
        option = {"projection": "b", "padding": "a"}[config.shortcut]
        even = len(config.stage_sizes) == 3 and len(set(config.stage_sizes)) == 1
        name = f"cifar-resnet{6 * config.stage_sizes[0] + 2}-{option}" if even else None
        standard_width = 16
    if name is None:
        name = f"{config.stem}-{config.block}-resnet-{'-'.join(map(str, config.stage_sizes))}"
    return name if config.width == standard_width else f"{name}-width{config.width}"


def _refuse_relatives(state: StateDict) -> None:
    if "conv1.0.weight" in state or any(
        key.endswith("downsample.1.weight") and value.ndim == 4 for key, value in state.items()
    ):
        _refuse("ResNet-C/D (deep stem or average-pooled shortcuts)")
    if "layer1.0.conv3.weight" in state:
        inner, outer = state["layer1.0.conv2.weight"].shape, state["layer1.0.conv3.weight"].shape
        if len(inner) == 4 and inner[0] != inner[1]:
            _refuse("ResNeXt (grouped convolutions)")
        if outer[0] != 4 * inner[0]:
            _refuse("wide ResNet (bottlenecks wider than a quarter of their output)")
    if "bn1.weight" not in state and "layer1.0.bn1.weight" in state:
        _refuse("pre-activation ResNet (no batch norm after the stem)")
    if any(".se." in key or ".fc1." in key for key in state):
        _refuse("squeeze-and-excitation ResNet")


def _refuse(relative: str) -> None:
    raise CheckpointError(
        f"this is a {relative}, which pagjax does not have: its weights would fit a ResNet's names "
        "but compute another function"
    )


def _listed(title: str, entries: list[str]) -> str:
    return f"\n  {title} ({len(entries)}): " + "; ".join(entries) if entries else ""
