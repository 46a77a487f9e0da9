"""The process's surroundings: compilation cache, memory, versions, devices."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from pagjax.jobs.memory import keep_freed_memory

_PACKAGES = ("pagjax", "jax", "jaxlib", "flax", "numpy", "pillow")


def prepare() -> None:
    """Makes a command fast: compiled programs are kept between runs, freed memory within one.

    ``JAX_COMPILATION_CACHE_DIR`` says where; the default is ``pagjax/compiled`` in the user's cache
    folder.
    """
    if jax.default_backend() == "cpu":
        keep_freed_memory()
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        jax.config.update("jax_compilation_cache_dir", str(Path(base) / "pagjax" / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def describe() -> dict[str, Any]:
    """Versions and devices, as JSON values for a record."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "platform": platform.platform(),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
        "cores": os.cpu_count(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
