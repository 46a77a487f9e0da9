"""A small network with random weights on disk: enough for everything but beauty."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np

from pagjax.checkpoints import store
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description

LABELS = ("cat", "dog", "golf ball")


def save(folder: Path) -> Path:
    description = Description(
        "tiny",
        ResNetConfig("cifar", "basic", (1,), 8),
        len(LABELS),
        NORMALIZERS["cifar10"],
        (16, 16),
        LABELS,
        0.25,
    )
    image = np.zeros((1, 16, 16, 3), np.float32)
    variables = jax.jit(description.network().init)(jax.random.key(0), image)
    return store.save(folder / "tiny", description, variables)
