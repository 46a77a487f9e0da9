"""Public names of a package, imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``, by which it has these names and shows no others.

    Args:
        package: its ``__name__``.
        homes: for each public name the module that defines it, relative to the package; a name
            that is a module's own is that module.

    Returns:
        What to bind to ``__getattr__`` and ``__dir__``.

    Example:
        >>> get, names = lazily("pagjax", {"load": "checkpoints", "certification": "certification"})
        >>> names()
        ['certification', 'load']
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        module = import_module(f"{package}.{homes[name]}")
        found = module if homes[name].rpartition(".")[2] == name else getattr(module, name)
        setattr(sys.modules[package], name, found)  # once: what is asked for often is at hand
        return found

    return get, lambda: sorted(homes)
