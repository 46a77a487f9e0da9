"""Checkpoints: where they lie, how they are read and written, and how PyTorch's become ours."""

from __future__ import annotations

from pathlib import Path

from pagjax.checkpoints import shipped, store
from pagjax.checkpoints.store import CheckpointError as CheckpointError
from pagjax.networks.base import BaseNetwork, base_network


def load(name_or_path: str | Path) -> BaseNetwork:
    """A base network, ready for inference on JAX's default backend.

    Args:
        name_or_path: a shipped network's name, or the directory of a converted checkpoint.

    Returns:
        A `pagjax.networks.base.BaseNetwork`: ``.logits_fn(images)``, ``.labels``,
        ``.image_shape``, ``.training_sigma``, ``.metadata``.

    Raises:
        CheckpointError: if there is no such checkpoint; the message lists the shipped names.
    """
    description, variables = store.restore(shipped.path(name_or_path))
    return base_network(description, variables)
