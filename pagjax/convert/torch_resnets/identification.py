"""Which network a state dict is of, from names and shapes alone."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import StateDict
from pagjax.convert.torch_resnets.architecture import Architecture, Names, name_of
from pagjax.convert.torch_resnets.relatives import relative
from pagjax.networks.config import ResNetConfig, Shortcut

_HEADS = ("fc", "linear", "classifier", "head", "last_linear")
_BLOCKS = re.compile(r"(layer(\d{1,2})\.|block(\d{1,2})\.layer\.)(\d{1,4})\.")
_UNUSED = "sub_block1."


def identify(state: StateDict) -> Architecture:
    """Finds the architecture from names and shapes alone, in time linear in their number.

    Args:
        state: a bare state dict, see `pagjax.convert.layouts`.

    Returns:
        The `Architecture`, with the usual where they cannot tell, see `choices`.

    Raises:
        CheckpointError: for a relative that pagjax does not have, by name (see `relative`), for a
            network without a classifier or with one of several layers, and for anything else.
    """
    other = relative(state)
    if other is not None:
        raise CheckpointError(
            f"this is {other}, which pagjax does not have: its weights would not fit, or fit and "
            "compute another function"
        )
    stem = state.get("conv1.weight")
    if stem is None or stem.ndim != 4:
        raise CheckpointError(f"no first convolution conv1.weight: {_beginning(state)}")
    head = _head(state)
    wide = "block1.layer.0.conv1.weight" in state
    names = _wide_names(state, head) if wide else _names(state, head)
    config = _config(state, names, _stage_sizes(state, wide))
    unused, notes = _unused(state) if wide else ((), ())
    classes = state[f"{head}.weight"].shape[0]
    if classes == 0:
        raise CheckpointError(f"{head}.weight is {state[f'{head}.weight'].shape}: no classes")
    return Architecture(name_of(config), config, classes, names, notes, unused)


def _beginning(state: StateDict) -> str:
    return f"the state dict starts with {', '.join(list(state)[:5]) or 'nothing'}"


def _head(state: StateDict) -> str:
    """What the only dense layer is called, which may stand in a sequence."""
    dense = [
        key.removesuffix(".weight")
        for key, value in state.items()
        if key.endswith(".weight") and value.ndim == 2 and not _BLOCKS.match(key)
    ]
    heads = [name for name in dense if name.split(".")[0] in _HEADS] or dense
    if len(heads) > 1:
        raise CheckpointError(
            f"a classifier of several layers ({', '.join(heads[:5])}), which pagjax does not have"
        )
    if not heads:
        parts = dict.fromkeys(key.split(".")[0] for key in state)
        raise CheckpointError(
            f"no classifier, such as fc or linear: the network has {', '.join(list(parts)[:12])} "
            "and would give features, no logits"
        )
    return heads[0]


def _names(state: StateDict, head: str) -> Names:
    preactivated = "bn1.weight" not in state
    if not preactivated and state["bn1.weight"].shape != state["conv1.weight"].shape[:1]:
        raise CheckpointError(
            f"bn1.weight is {state['bn1.weight'].shape}, conv1.weight "
            f"{state['conv1.weight'].shape}: this is a pre-activation network whose last batch "
            "norm is called bn1, as in meliketoy's WideResNet, which pagjax does not have"
        )
    has_shortcut = any(".shortcut." in key for key in state)
    final = "bn" if preactivated and "bn.weight" in state else None
    return Names(head, "shortcut" if has_shortcut else "downsample", final_norm=final)


def _wide_names(state: StateDict, head: str) -> Names:
    usual = any(".convShortcut." in key for key in state)
    shortcut = "convShortcut" if usual else "shortcut"
    return Names(head, shortcut, "block{stage}.layer.{index}", "bn1", shortcut_alone=True)


def _config(state: StateDict, names: Names, stage_sizes: tuple[int, ...]) -> ResNetConfig:
    first = names.block.format(stage=1, index=0)
    stem_width, channels, size = state["conv1.weight"].shape[:3]
    preactivated = names.shortcut_alone or "bn1.weight" not in state
    if channels != 3 or size not in ((3,) if preactivated else (3, 7)):
        kind = "pre-activation networks have 3x3" if preactivated else "ResNets have 3x3 or 7x7"
        raise CheckpointError(
            f"conv1.weight is {state['conv1.weight'].shape}: a first convolution of {size}x{size} "
            f"on {channels} channels, where pagjax's {kind} on 3"
        )
    last = state.get(f"{first}.conv3.weight")
    block: Literal["basic", "bottleneck"] = "basic" if last is None else "bottleneck"
    convolution = state.get(f"{first}.conv1.weight")
    width = inner = stem_width if convolution is None else convolution.shape[0]
    if last is not None:
        width = last.shape[0] // 4
    shortcut: Shortcut = "projection"
    marks = (f".{names.shortcut}.0.", f".{names.shortcut}.weight")
    if not preactivated and not any(mark in key for key in state for mark in marks):
        shortcut = "padding" if len(stage_sizes) > 1 else "projection"
    try:
        config = ResNetConfig(
            "imagenet" if size == 7 else "cifar",
            block,
            stage_sizes,
            width,
            shortcut,
            stem_width=stem_width,
            preactivation=preactivated,
            final_norm=names.final_norm is not None,
        )
        return dataclasses.replace(config, inner_width=inner) if last is not None else config
    except ValueError as error:
        raise CheckpointError(f"no network that pagjax has: {error}") from error


def _stage_sizes(state: StateDict, wide: bool) -> tuple[int, ...]:
    found: dict[int, set[int]] = {}
    for key in state:
        match = _BLOCKS.match(key)
        if match and (match[2] is None) == wide:
            found.setdefault(int(match[2] or match[3]), set()).add(int(match[4]))
    stages = sorted(found)
    if stages != list(range(1, len(stages) + 1)) or not stages:
        raise CheckpointError(
            f"stages {stages}: expected layer1, layer2, ... without a gap; {_beginning(state)}"
        )
    for stage, indices in found.items():
        if len(indices) != max(indices) + 1:
            raise CheckpointError(
                f"stage {stage} has {len(indices)} blocks, the last of them number {max(indices)}"
            )
    return tuple(len(found[stage]) for stage in stages)


def _unused(state: StateDict) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The copy of the first stage that some published files carry and their code never runs."""
    copy = {key for key in state if key.startswith(_UNUSED)}
    if not copy:
        return (), ()
    shapes = {key.removeprefix("sub_"): state[key].shape for key in copy}
    if shapes != {key: value.shape for key, value in state.items() if key.startswith("block1.")}:
        raise CheckpointError("sub_block1 has other tensors than block1: no WideResNet known here")
    return (_UNUSED,), (
        f"left out {len(copy)} tensors of sub_block1, which TRADES's WideResNet has and never runs",
    )
