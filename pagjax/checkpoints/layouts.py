"""Where the network lies in a published PyTorch checkpoint: wrappers, prefixes, duplicates.

A file's content goes in, the bare state dict of one residual network comes out, with what was
around it. Facts about the layouts are those of the publishers' own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pagjax.checkpoints.store import CheckpointError

StateDict = dict[str, np.ndarray]

# Under which key of the file the state dict lies; "" is the file's content itself.
_CONTAINERS = ("state_dict", "model", "last", "")

# Counters of batch norm that no inference needs.
_IGNORED_ENDINGS = (".num_batches_tracked",)

# Buffers of normalisers, by the ends of their names: (mean, sd).
_NORMALIZER_BUFFERS = (
    ("normalizer.new_mean", "normalizer.new_std"),
    ("normalize.new_mean", "normalize.new_std"),
    ("normalize.mean", "normalize.std"),
    ("mu", "sigma"),
    ("mean", "std"),
)


@dataclass(frozen=True)
class Layout:
    """A recognised checkpoint.

    Attributes:
        name: whose layout it is, for people.
        state: the network's own keys, without prefix and without counters.
        prefix: what was stripped.
        normalizer_family: ``"clamped"`` for Madry Lab's, ``"plain"`` otherwise.
        normalizer_buffers: mean and sd as stored in the file, or None.
        ambiguous_normalizer: whether networks of this layout come with one of two normalisers that
            the file does not name.
        facts: small entries beside the network (epoch, arch, accuracy), JSON values.
    """

    name: str
    state: StateDict
    prefix: str
    normalizer_family: str
    normalizer_buffers: tuple[tuple[float, ...], tuple[float, ...]] | None
    ambiguous_normalizer: bool
    facts: dict[str, Any]


def recognise(content: Any) -> Layout:
    """Finds the network in a checkpoint's content.

    Args:
        content: what `pagjax.torch_files.read` gives: nested dicts with NumPy arrays.

    Returns:
        The `Layout`.

    Raises:
        CheckpointError: if no residual network is there, or it is there twice and the copies
            differ.

    Example:
        >>> import numpy as np
        >>> stem, bias = np.zeros((64, 3, 7, 7)), np.zeros(9)
        >>> arrays = {"1.module.conv1.weight": stem, "1.module.fc.bias": bias}
        >>> layout = recognise({"epoch": 90, "arch": "resnet50", "state_dict": arrays})
        >>> layout.prefix, sorted(layout.state)
        ('1.module.', ['conv1.weight', 'fc.bias'])
    """
    container, flat = _find_state_dict(content)
    prefixes = _network_prefixes(flat)
    if not prefixes:
        shown = ", ".join(list(flat)[:5])
        raise CheckpointError(
            f"no residual network found among {len(flat)} tensors ({shown}, ...): expected a stem "
            "named conv1.weight under some prefix"
        )
    prefix = prefixes[0]
    state = _strip(flat, prefix)
    for other in prefixes[1:]:
        _check_same(state, _strip(flat, other), prefix, other)
    around = [key for key in flat if not key.startswith(tuple(p for p in prefixes if p))]
    buffers = _normalizer_buffers(flat)
    if prefix == "":
        state = {key: value for key, value in state.items() if key not in _buffer_names(flat)}
        around = []
    name = _publisher(container, prefix, flat, state)
    return Layout(
        name=name,
        state=state,
        prefix=prefix,
        normalizer_family="clamped" if name in (_MADRY, _TRANSFER) else "plain",
        normalizer_buffers=buffers,
        ambiguous_normalizer=name == _COHEN,
        facts={**_facts(content), "keys_beside_the_network": sorted(around)[:8]},
    )


_COHEN = "Cohen et al. / Salman et al. (locuslab/smoothing)"
_MADRY = "MadryLab/robustness"
_TRANSFER = "microsoft/robust-models-transfer"
_AKAMASTER = "akamaster/pytorch_resnet_cifar10"
_ROBUSTBENCH = "RobustBench"
_PLAIN = "torchvision / timm"


def _publisher(container: str, prefix: str, flat: StateDict, state: StateDict) -> str:
    if prefix.startswith("1."):
        return _COHEN
    if prefix == "module.model.model.":
        return _TRANSFER
    if prefix == "module.model.":
        return _MADRY
    has_projection = any(".shortcut.0." in key or ".downsample.0." in key for key in state)
    if prefix == "module." and "linear.weight" in state and not has_projection:
        return _AKAMASTER
    if prefix or container or _buffer_names(flat) or "linear.weight" in state:
        return _ROBUSTBENCH
    return _PLAIN


def _find_state_dict(content: Any) -> tuple[str, StateDict]:
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"the file holds a {type(content).__name__}, not a dict of tensors: save the model's "
            "state_dict() and convert that"
        )
    for container in _CONTAINERS:
        candidate = content.get(container) if container else content
        if isinstance(candidate, Mapping):
            tensors = {
                key: value
                for key, value in candidate.items()
                if isinstance(key, str) and isinstance(value, np.ndarray)
            }
            if tensors:
                return container, tensors
    names = ", ".join(repr(key) for key in list(content)[:8])
    raise CheckpointError(
        f"no tensors under {[c for c in _CONTAINERS if c]} nor at the top of the file, which has "
        f"{names}: save the model's state_dict() and convert that"
    )


def _network_prefixes(flat: StateDict) -> list[str]:
    """Every prefix under which a whole residual network lies, shortest first."""
    stems = ("conv1.weight", "conv1.0.weight")
    found = []
    for key in flat:
        for stem in stems:
            prefix = key.removesuffix(stem)
            if key != prefix and (prefix == "" or prefix.endswith(".")):
                has_stages = any(other.startswith(f"{prefix}layer1.") for other in flat)
                has_head = any(f"{prefix}{head}.bias" in flat for head in ("fc", "linear"))
                if has_stages or has_head:
                    found.append(prefix)
    return sorted(set(found), key=lambda prefix: (len(prefix), prefix))


def _strip(flat: StateDict, prefix: str) -> StateDict:
    return {
        key.removeprefix(prefix): value
        for key, value in flat.items()
        if key.startswith(prefix) and not key.endswith(_IGNORED_ENDINGS)
    }


def _check_same(state: StateDict, copy: StateDict, prefix: str, other: str) -> None:
    differing = [
        key
        for key in sorted(state.keys() | copy.keys())
        if key not in state
        or key not in copy
        or not np.array_equal(state[key], copy[key], equal_nan=True)
    ]
    if differing:
        raise CheckpointError(
            f"the file holds the network twice, under {prefix!r} and {other!r}, and the copies "
            f"differ in {len(differing)} tensors ({', '.join(differing[:5])}): the file is damaged "
            "or holds two networks; extract the one you want"
        )


def _buffer_names(flat: StateDict) -> set[str]:
    names = set()
    for pair in _NORMALIZER_BUFFERS:
        for ending in pair:
            names |= {
                key
                for key, value in flat.items()
                if (key == ending or key.endswith(f".{ending}")) and value.size in (1, 3)
            }
    return names


def _normalizer_buffers(
    flat: StateDict,
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    for mean_ending, sd_ending in _NORMALIZER_BUFFERS:
        for key in sorted(_buffer_names(flat), key=len):
            start = key.removesuffix(mean_ending)
            partner = flat.get(start + sd_ending)
            if key.endswith(mean_ending) and partner is not None:
                mean, sd = (np.ravel(value).astype(np.float64) for value in (flat[key], partner))
                return tuple(mean.tolist()), tuple(sd.tolist())
    return None


def _facts(content: Any) -> dict[str, Any]:
    """Scalars that stand beside the network, as JSON values."""
    facts = {}
    for key, value in content.items():
        if isinstance(value, (np.number, np.ndarray)) and np.size(value) == 1:
            value = np.asarray(value).item()
        if isinstance(key, str) and isinstance(value, (bool, int, float, str)):
            facts[key[:80]] = value[:200] if isinstance(value, str) else value
    return dict(list(facts.items())[:20])
