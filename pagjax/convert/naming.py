"""Other names of the same parts: Hugging Face's, and classifiers of every name."""

from __future__ import annotations

import re

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import Contents, StateDict
from pagjax.convert.finding import COUNTERS, Network, levels

HUGGING_FACE = "encoder.stages."
# Names under which `torch_resnets` looks for a classifier.
_PLAIN_HEADS = ("fc", "linear")
# Parts of a network that hold no classifier, whatever the shapes of their tensors.
_BODY = re.compile(r"(layer|block|sub_block|stage)s?\d*\.|encoder\.|embedder\.")
_PARTS = {"convolution": "conv", "normalization": "bn"}
_SHORTCUT_PARTS = {"convolution": "0", "normalization": "1"}


def canonical(
    network: Network, contents: Contents, owners: dict[str, str | None]
) -> tuple[StateDict, str | None]:
    """A network's tensors under torchvision's names, its classifier among them.

    Args:
        network: from `pagjax.convert.finding`.
        contents: of the file.
        owners: of its tensors, see `pagjax.convert.finding.Found`.

    Returns:
        The state, and the classifier's name in the file where it is not a plain one.

    Raises:
        CheckpointError: where the network has no classifier, or one of several layers.
    """
    state = {torchvision_name(name): tensor for name, tensor in network.state.items()}
    if any(f"{head}.weight" in state for head in (*_PLAIN_HEADS, "logits")):
        return state, None
    head = _head(network, contents, owners)
    own = head.removeprefix(network.path)
    for part in ("weight", "bias"):
        state.pop(f"{own}.{part}", None)
        if f"{head}.{part}" in contents.tensors:
            state[f"fc.{part}"] = contents.tensors[f"{head}.{part}"]
    return state, head


def torchvision_name(name: str) -> str:
    """What torchvision calls a part of a Hugging Face ResNet; other names stay.

    Example:
        >>> torchvision_name("encoder.stages.1.layers.0.layer.2.normalization.bias")
        'layer2.0.bn3.bias'
        >>> torchvision_name("encoder.stages.0.layers.0.shortcut.convolution.weight")
        'layer1.0.downsample.0.weight'
        >>> torchvision_name("embedder.embedder.normalization.running_var")
        'bn1.running_var'
    """
    if match := re.fullmatch(r"embedder\.embedder\.(convolution|normalization)\.(\w+)", name):
        return f"{_PARTS[match[1]]}1.{match[2]}"
    match = re.fullmatch(
        r"encoder\.stages\.(\d{1,6})\.layers\.(\d{1,6})\.(?:layer\.(\d{1,6})|shortcut)"
        r"\.(convolution|normalization)\.(\w+)",
        name,
    )
    if match is None:
        return name
    stage, block, layer, part, tensor = match.groups()
    block = f"layer{int(stage) + 1}.{block}"
    if layer is None:
        return f"{block}.downsample.{_SHORTCUT_PARTS[part]}.{tensor}"
    return f"{block}.{_PARTS[part]}{int(layer) + 1}.{tensor}"


def _head(network: Network, contents: Contents, owners: dict[str, str | None]) -> str:
    """The name of the one linear layer that is the network's classifier.

    It is looked for among the network's own tensors, then at every level around it up to the
    file's top, where no other network owns it.
    """
    around = list(levels(network.path + "x"))
    linear: dict[str, list[str]] = {level: [] for level in around}
    for name, tensor in contents.tensors.items():
        if tensor.ndim != 2 or not name.endswith(".weight"):
            continue
        owned = owners[name]
        if owned == network.path and not _BODY.match(name.removeprefix(network.path)):
            linear[network.path].append(name)
        elif owned is None:
            for level in levels(name):
                if level in linear:
                    linear[level].append(name)
    for level in reversed(around):
        if linear[level]:
            return _single(level, linear[level], contents)
    features = max((t.shape[0] for t in network.state.values() if t.ndim == 4), default=0)
    raise CheckpointError(
        f"an encoder of {features} features (under {network.name}) without a classifier: fc.weight "
        "and fc.bias are missing, and pagjax needs class scores; train a linear layer on it and "
        "save both in one state_dict()"
    )


def _single(level: str, linear: list[str], contents: Contents) -> str:
    heads = [name.removesuffix(".weight") for name in linear]
    if len(heads) > 1:
        shown = ", ".join(heads[:4]) + (", ..." if len(heads) > 4 else "")
        raise CheckpointError(
            f"the head has {len(heads)} linear layers ({shown}), as a projection head (MLP) or "
            "several heads have: pagjax has networks with a single linear classifier"
        )
    (head,) = heads
    root = level + head.removeprefix(level).split(".")[0] + "."
    beside = [
        name
        for name in contents.tensors
        if name.startswith(root)
        and name not in (f"{head}.weight", f"{head}.bias")
        and not name.endswith(COUNTERS)
    ]
    if beside and root != level:
        raise CheckpointError(
            f"the classifier {head} is not alone in {root.removesuffix('.')}: {beside[0]} and "
            f"{len(beside) - 1} more belong to layers that pagjax does not have"
        )
    return head
