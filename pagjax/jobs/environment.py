"""The process's surroundings: compilation cache, memory, versions, devices."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

import jax

from pagjax.core.mesh import num_cores, use_cores
from pagjax.jobs.memory import keep_freed_memory

_PACKAGES = ("pagjax", "jax", "jaxlib", "flax", "numpy", "pillow")
# Of a batch on a core: with fewer, products have too few rows.
_LEAST_IMAGES = 32
_LEVEL = "--xla_backend_optimization_level"


def before_computing() -> None:
    """Makes every core a device and programs quick to compile; before anything asks for devices."""
    use_cores()
    compile_quickly()


def before_training(batch_size: int) -> None:
    """Makes cores devices that share each batch; before anything asks for devices.

    Two cores so take 0.85 of the time of one device, whose operations they divide. As many are used
    as split the batch evenly, with enough images each.

    Args:
        batch_size: images of a step.

    Example:
        >>> before_training(128)
    """
    most = min(num_cores(), batch_size // _LEAST_IMAGES)
    use_cores(next((count for count in range(most, 1, -1) if batch_size % count == 0), 1))


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


def compile_quickly() -> None:
    """Programs for CPUs in two thirds of the time, as fast as others; before the first computation.

    Sets XLA's level of optimisation to 1 (0 makes slow programs) in this process's ``XLA_FLAGS``,
    unless they name one. Nothing is changed where there may be a GPU or a TPU.

    Example:
        >>> compile_quickly()
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _LEVEL not in flags and _only_cpus():
        os.environ["XLA_FLAGS"] = f"{flags} {_LEVEL}=1".strip()


def _only_cpus() -> bool:
    """Whether JAX has nothing else, without asking it, which would start it."""
    if _platforms() == "cpu":
        return True
    plugins = metadata.entry_points(group="jax_plugins")
    return not plugins and not any(map(util.find_spec, ("jax_plugins", "libtpu")))


def _platforms() -> str | None:
    """What ``JAX_PLATFORMS`` or the user's own code allows, None where that is everything."""
    return getattr(jax.config, "jax_platforms", None)


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
