"""Shared fixtures: strict JAX, float64 where asked for, the shared data where it is present."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from pagjax.jobs import environment

SHARED = Path(__file__).resolve().parents[2] / "shared"

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "allow")
# Whichever test comes first; the commands' own choice is tested in processes of their own.
jax.config.update("jax_num_cpu_devices", 1)
# As the commands do.
environment.compile_quickly()
# What one test compiled, here or in a process of its own, the next need not. Each worker has a
# folder of its own within the controller's, so that none reads what another is about to write.
_CACHE = "JAX_COMPILATION_CACHE_DIR"
_WORKER = os.environ.get("PYTEST_XDIST_WORKER")
_COMPILED = Path(os.environ[_CACHE], _WORKER) if _WORKER else Path(tempfile.mkdtemp("-pagjax"))
os.environ[_CACHE] = str(_COMPILED)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"  # as the commands have it
jax.config.update("jax_compilation_cache_dir", str(_COMPILED))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def pytest_unconfigure() -> None:
    """Removes what was compiled."""
    if not _WORKER:
        shutil.rmtree(_COMPILED, ignore_errors=True)


@pytest.fixture
def x64() -> Iterator[None]:
    """Computations in float64, for finite differences and comparisons with PyTorch."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def shared() -> Path:
    """The folder of published files and data sets beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared, the published checkpoints and data sets beside the clone")
    return SHARED
