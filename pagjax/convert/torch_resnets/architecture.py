"""A recognised network: what its tensors tell of it, and what they cannot tell."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from pagjax.checkpoints.store import CheckpointError
from pagjax.networks.config import ResNetConfig

_IMAGENET_NAMES: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}


@dataclass(frozen=True)
class Names:
    """What a publisher calls the parts.

    Attributes:
        head: the classifier.
        shortcut: what changes a block's shape; its tensors are ``shortcut.0.weight`` and so on,
            or ``shortcut.weight`` where it is ``shortcut_alone``.
        block: a block, with fields for its stage and its index.
        final_norm: the batch norm after the last block, or None.
        shortcut_alone: whether a shortcut is a convolution and no sequence.
    """

    head: str
    shortcut: str = "downsample"
    block: str = "layer{stage}.{index}"
    final_norm: str | None = None
    shortcut_alone: bool = False


@dataclass(frozen=True)
class Architecture:
    """A recognised network.

    Attributes:
        name: for people.
        config: its shape, with the usual where the tensors cannot tell, see `choices`.
        num_classes: number of logits.
        names: of its parts in the file.
        notes: what was found beside it and left out, for people.
        unused: beginnings of the keys that were left out.
    """

    name: str
    config: ResNetConfig
    num_classes: int
    names: Names
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """What the file calls the classifier."""
        return self.names.head

    @property
    def shortcut(self) -> str:
        """What the file calls shortcuts."""
        return self.names.shortcut


def choices(architecture: Architecture) -> dict[str, tuple[Any, ...]]:
    """What names and shapes cannot tell of a network, with the values that fit, the usual first.

    Args:
        architecture: from `identify`.

    Returns:
        By name of the field of `pagjax.networks.ResNetConfig`. All values take the same weights,
        and make other functions of them.

    Example:
        >>> vgg_face = ResNetConfig("imagenet", "bottleneck", (3, 4, 6, 3), 64)
        >>> choices(Architecture("resnet50", vgg_face, 8631, Names("classifier")))["stride_on"]
        ('3x3', '1x1')
    """
    config = architecture.config
    found: dict[str, tuple[Any, ...]] = {"stem_stride": (1, 2), "max_pool": (False, True)}
    if config.stem == "imagenet":
        found = {"stem_stride": (2, 1), "max_pool": (True, False)}
    if config.preactivation:
        del found["max_pool"]
        if architecture.names.shortcut != "convShortcut":  # TRADES's WideResNet is of one kind
            found["shortcut"] = ("projection", "projection_of_input")
    elif config.shortcut.startswith("padding"):
        found["shortcut"] = ("padding", "padding_end")
    if config.block == "bottleneck" and len(config.stage_sizes) > 1:
        found["stride_on"] = ("3x3", "1x1")
    return found


def choose(architecture: Architecture, **values: Any) -> Architecture:
    """The architecture with other values where the tensors cannot tell.

    Args:
        architecture: from `identify`.
        values: by the names of `choices`.

    Raises:
        CheckpointError: for a name or a value that `choices` does not offer, with those it does.

    Example:
        >>> cifar = ResNetConfig("cifar", "basic", (2, 2, 2, 2), 64)
        >>> choose(Architecture("resnet18", cifar, 10, Names("fc")), max_pool=True).config.max_pool
        True
    """
    offered = choices(architecture)
    for name, value in values.items():
        if name not in offered:
            raise CheckpointError(
                f"{name}: of a {architecture.name} choose {', '.join(offered) or 'nothing'}"
            )
        if not any(value == known and type(value) is type(known) for known in offered[name]):
            listed = ", ".join(map(repr, offered[name]))
            raise CheckpointError(f"{name} {value!r}: for a {architecture.name} choose {listed}")
    return dataclasses.replace(
        architecture, config=dataclasses.replace(architecture.config, **values)
    )


def name_of(config: ResNetConfig) -> str:
    """What people call a network of this shape."""
    sizes, width = config.stage_sizes, config.width
    even = len(sizes) == 3 and len(set(sizes)) == 1
    if config.preactivation and even and config.block == "basic" and config.stem_width == 16:
        wide = f"wide-resnet{6 * sizes[0] + 4}"
        return f"{wide}-{width // 16}" if width % 16 == 0 else f"{wide}-width{width}"
    name: str | None = _IMAGENET_NAMES.get((config.block, sizes))
    standard = 64
    if config.preactivation:
        name = name and f"preact-{name}"
    elif config.stem != "imagenet" and config.block == "basic":
        option = "b" if config.shortcut == "projection" else "a"
        if even:
            name, standard = f"cifar-resnet{6 * sizes[0] + 2}-{option}", 16
        else:
            name = name and f"cifar-{name}"
    elif config.stem != "imagenet":
        name = name and f"cifar-{name}"
    if name is None:
        order = "preact-" if config.preactivation else ""
        name = f"{config.stem}-{order}{config.block}-resnet-{'-'.join(map(str, sizes))}"
    wider = (config.inner_width or width) / width
    if wider != 1:
        name = f"wide_{name}_{wider:g}"
    return name if width == standard else f"{name}-width{width}"
