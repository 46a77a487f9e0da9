"""A PyTorch state dict laid out as Flax variables."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import StateDict
from pagjax.convert.torch_resnets.architecture import Architecture
from pagjax.networks.config import ResNetConfig
from pagjax.networks.resnet import ResNet

_BATCH_NORM = {
    "weight": ("params", "scale"),
    "bias": ("params", "bias"),
    "running_mean": ("batch_stats", "mean"),
    "running_var": ("batch_stats", "var"),
}
_MOST_LISTED = 20

Path = tuple[str, ...]


def convert(state: StateDict, architecture: Architecture) -> dict[str, Any]:
    """Lays a PyTorch state dict out as Flax variables.

    Kernels go from OIHW to HWIO, the classifier is transposed, batch norms are renamed.

    Args:
        state: a bare state dict.
        architecture: from `identify`.

    Returns:
        Collections ``"params"`` and ``"batch_stats"`` with arrays of the file's types.

    Raises:
        CheckpointError: listing every missing key, unexpected key and wrong shape at once; or
            those that are not of floating-point numbers, not finite, or variances below 0.
    """
    places = _places(architecture)
    shapes = _expected_shapes(architecture, places)
    missing = [key for key in places if key not in state]
    unexpected = [
        key for key in state if key not in places and not key.startswith(architecture.unused)
    ]
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
    _check_numbers({key: state[key] for key in places})
    variables: dict[str, Any] = {}
    for key, path in places.items():
        parent = variables
        for part in path[:-1]:
            parent = parent.setdefault(part, {})
        parent[path[-1]] = _transposed(state[key])
    return variables


def _check_numbers(state: StateDict) -> None:
    kinds = [
        f"{key} is {value.dtype}"
        for key, value in state.items()
        if not jnp.issubdtype(value.dtype, jnp.floating)
    ]
    if kinds:
        raise CheckpointError(f"weights are floating-point numbers:{_listed('others', kinds)}")
    with np.errstate(over="ignore"):
        broken = [key for key, value in state.items() if not np.isfinite(np.float32(value)).all()]
    if broken:
        raise CheckpointError(f"non-finite weights:{_listed('tensors', broken)}")
    negative = [
        key
        for key, value in state.items()
        if key.endswith("running_var") and (np.float32(value) < 0).any()
    ]
    if negative:
        raise CheckpointError(f"variances below 0:{_listed('tensors', negative)}")


def _places(architecture: Architecture) -> dict[str, Path]:
    """For every PyTorch key, the path of collections and modules it goes to."""
    config, names = architecture.config, architecture.names
    places: dict[str, Path] = {}

    def conv(torch_name: str, *path: str) -> None:
        places[f"{torch_name}.weight"] = ("params", *path, "conv", "kernel")

    def norm(torch_name: str, *path: str) -> None:
        for ending, (collection, flax_name) in _BATCH_NORM.items():
            places[f"{torch_name}.{ending}"] = (collection, *path, "norm", flax_name)

    before = config.preactivation  # batch norms come before their convolutions
    layers = 3 if config.block == "bottleneck" else 2
    conv("conv1", "stem")
    if not before:
        norm("bn1", "stem")
    for flax_name, torch_name, changes in _blocks(config, names.block):
        if before:
            norm(f"{torch_name}.bn1", flax_name, "before")
        for layer in range(1, layers + 1):
            conv(f"{torch_name}.conv{layer}", flax_name, f"layer{layer}")
            if not before or layer < layers:
                norm(f"{torch_name}.bn{layer + before}", flax_name, f"layer{layer}")
        if changes and config.shortcut.startswith("projection"):
            shortcut = f"{torch_name}.{names.shortcut}"
            conv(shortcut if names.shortcut_alone else f"{shortcut}.0", flax_name, "shortcut")
            if not before:
                norm(f"{shortcut}.1", flax_name, "shortcut")
    if names.final_norm is not None:
        norm(names.final_norm, "after")
    places[f"{names.head}.weight"] = ("params", "head", "kernel")
    places[f"{names.head}.bias"] = ("params", "head", "bias")
    return places


def _blocks(config: ResNetConfig, torch_name: str) -> list[tuple[str, str, bool]]:
    """Flax name, PyTorch name, and whether its shape changes, of every block."""
    blocks = []
    features = config.stem_width
    for stage, count in enumerate(config.stage_sizes, start=1):
        ours = config.width * 2 ** (stage - 1) * (4 if config.block == "bottleneck" else 1)
        for index in range(count):
            changes = index == 0 and (stage > 1 or features != ours)
            name = torch_name.format(stage=stage, index=index)
            blocks.append((f"stage{stage}_block{index + 1}", name, changes))
    return blocks


def _expected_shapes(
    architecture: Architecture, places: dict[str, Path]
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


def _listed(title: str, entries: list[str]) -> str:
    if not entries:
        return ""
    more = f"; and {len(entries) - _MOST_LISTED} more" if len(entries) > _MOST_LISTED else ""
    return f"\n  {title} ({len(entries)}): " + "; ".join(entries[:_MOST_LISTED]) + more
