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
    image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    shapes = jax.eval_shape(description.network().init, jax.random.key(0), image)
    random = np.random.default_rng(seed)

    def drawn(path: Any, leaf: Any) -> Any:
        if jax.tree_util.keystr(path).endswith(("['var']", "['scale']")):
            return jnp.asarray(random.uniform(0.5, 2, leaf.shape), jnp.float32)
        scale = np.sqrt(2 / max(1, np.prod(leaf.shape[:-1])))
        return jnp.asarray(scale * random.standard_normal(leaf.shape), jnp.float32)

    variables = jax.tree_util.tree_map_with_path(drawn, shapes)
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
    build.build(folder, networks, given_runtime=package, kernels="float32", tell=lambda _: None)
    return folder
