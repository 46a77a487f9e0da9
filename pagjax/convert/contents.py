"""A file's content as one flat table of tensors, and what whole modules in it say of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.torch_files import Placeholder

StateDict = dict[str, np.ndarray]

# More than any checkpoint: objects that hold one another twice are endless when written out.
_MOST_ENTRIES = 2_000_000
_DEEPEST = 200
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True)
class Module:
    """What a pickled module says of itself: the name of its class and its attributes."""

    kind: str
    attributes: Mapping[str, Any]


@dataclass
class Contents:
    """All tensors of a file.

    Attributes:
        tensors: by their names with those of all mappings around them, joined by dots.
        containers: for each tensor, how many letters of its name are those of mappings around it,
            or around the whole module that it is part of.
        modules: the whole modules in the file, by name; the dot at the end is theirs.
    """

    tensors: StateDict = field(default_factory=dict)
    containers: dict[str, int] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)


def flatten(content: Any) -> Contents:
    """Collects the tensors of nested mappings, lists and whole modules, in the file's order.

    Args:
        content: what `pagjax.convert.torch_files.read` gives.

    Returns:
        The `Contents`.

    Raises:
        CheckpointError: if two tensors would have one name, or the content has no end.

    Example:
        >>> import numpy as np
        >>> x = np.ones(1)
        >>> found = flatten({"epoch": 3, "net": {"fc.bias": x}, "old": [{"x": x}]})
        >>> list(found.tensors), found.containers["net.fc.bias"]
        (['net.fc.bias', 'old.0.x'], 4)
    """
    contents = Contents()
    entries = 0
    stack: list[tuple[str, int, int | None, Any]] = [("", 0, None, content)]
    while stack:
        path, depth, module, value = stack.pop()
        entries += 1
        if entries > _MOST_ENTRIES or depth > _DEEPEST:
            raise CheckpointError(
                f"the file's content is nested more than {_DEEPEST} levels deep, or expands to "
                f"more than {_MOST_ENTRIES:,} entries: no checkpoint needs this"
            )
        if is_module(value):
            contents.modules[path] = Module(value.name, value.state)
            module = len(path) if module is None else module
        inner = []
        for name, child in _children(value):
            if isinstance(child, np.ndarray):
                _add(contents, path + name, child, len(path) if module is None else module)
            else:
                inner.append((f"{path}{name}.", depth + 1, module, child))
        stack += reversed(inner)
    return contents


def is_module(value: Any) -> bool:
    """Whether a value stands for a pickled module, with its parts in its state."""
    return (
        isinstance(value, Placeholder)
        and isinstance(value.state, Mapping)
        and all(isinstance(value.state.get(part), Mapping) for part in _MODULE_PARTS)
    )


def _add(contents: Contents, name: str, tensor: np.ndarray, container: int) -> None:
    if name in contents.tensors:
        raise CheckpointError(f"two tensors of the file are both named {name}: rename one of them")
    contents.tensors[name] = tensor
    contents.containers[name] = container


def _children(value: Any) -> Iterable[tuple[str, Any]]:
    """Tensors in a container, and containers that may hold some."""
    pairs: Iterable[tuple[Any, Any]] = ()
    if is_module(value):
        pairs = (pair for part in _MODULE_PARTS for pair in value.state[part].items())
    elif isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for key, child in pairs:
        holds = isinstance(child, np.ndarray | Mapping | list | tuple) or is_module(child)
        if holds and isinstance(key, str | int):
            yield str(key), child
