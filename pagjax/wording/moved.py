"""Names under which modules were imported before they had rooms; they go on working."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_CORE = (
    *("checks", "class_gaussians", "draws", "gradients", "mesh", "objectives", "outputs"),
    *("pgd", "projections", "sampling", "smoothing", "targeted"),
)
MOVED = {
    **{f"pagjax.{name}": f"pagjax.core.{name}" for name in _CORE},
    "pagjax.attribution": "pagjax.alignment.attribution",
    "pagjax.certificates": "pagjax.certified_logs",
    "pagjax.checkpoints.convert": "pagjax.convert.conversion",
    "pagjax.checkpoints.torch_resnets": "pagjax.convert.torch_resnets",
    "pagjax.images": "pagjax.io.pictures.images",
    "pagjax.io.class_folders": "pagjax.io.data.class_folders",
    "pagjax.paper": "pagjax.presets.paper",
    "pagjax.samples": "pagjax.io.pictures.samples",
    "pagjax.torch_files": "pagjax.convert.torch_files",
}


def _now(name: str) -> str:
    """A module's name today; submodules moved with their packages."""
    if not name.startswith("pagjax."):
        return name
    parts = name.split(".")
    for length in (3, 2):
        if (home := ".".join(parts[:length])) in MOVED:
            return ".".join([MOVED[home], *parts[length:]])
    return name


class _SameModule:
    """Gives the module itself under its earlier name: there is one of each, never a copy."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(_now(spec.name))
        self.own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own  # which the import system has just replaced


class _Finder:  # by its form: importlib.abc, which names it, takes as long as all of pagjax
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        loader: Any = _SameModule()
        return ModuleSpec(fullname, loader) if _now(fullname) != fullname else None


def install() -> None:
    """Makes earlier names importable, once.

    Example:
        >>> import pagjax.projections as earlier
        >>> earlier.__name__
        'pagjax.core.projections'
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
