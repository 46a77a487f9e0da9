"""A page of two small networks with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.checkpoints import load, store
from pagjax.io.files.errors import RefusedError
from pagjax.live_page import build, runtime
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description

LABELS = ("cat", "dog", "golf ball")
SIDE = 16


def saved(folder: Path, name: str, sigma: float | None, seed: int) -> Path:
    """A checkpoint of random weights."""
    config = ResNetConfig("cifar", "basic", (1, 1), 8)
    description = Description(
        "tiny", config, len(LABELS), NORMALIZERS["cifar10"], (SIDE, SIDE), LABELS, sigma
    )
    image = np.zeros((1, SIDE, SIDE, 3), np.float32)
    variables = jax.jit(description.network().init)(jax.random.key(seed), image)
    # Larger weights at the head: scores of different classes, not all near 0.
    variables = jax.tree.map(jnp.asarray, variables)
    head = variables["params"]["head"]
    head["kernel"] = 4 * head["kernel"]
    return store.save(folder / name, description, variables)


@pytest.fixture(scope="session")
def package() -> Path:
    """The browser's runtime, or a reason to skip."""
    pytest.importorskip("onnx", reason="needs onnx: pip install 'pagjax[onnx]'")
    try:
        return runtime.package()
    except RefusedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    return {
        "tiny-gaussian-0.25": saved(folder, "tiny-gaussian-0.25", 0.25, 0),
        "tiny-vanilla": saved(folder, "tiny-vanilla", None, 1),
    }


@pytest.fixture(scope="session")
def live(tmp_path_factory: Any, package: Path, checkpoints: dict[str, Path]) -> Path:
    """The page's folder."""
    folder = tmp_path_factory.mktemp("live") / "page"
    networks = {str(path): load(path) for path in checkpoints.values()}
    build.build(folder, networks, given_runtime=package, tell=lambda _: None)
    return folder
