"""A base network by its name or its folder."""

from __future__ import annotations

from pathlib import Path

from pagjax.checkpoints import shipped, store
from pagjax.checkpoints.errors import CheckpointError
from pagjax.networks.base import BaseNetwork, base_network
from pagjax.networks.convolutions.forms import Backend, Precision, as_backend


def load(
    name_or_path: str | Path,
    *,
    precision: Precision = "float32",
    backend: Backend | None = None,
) -> BaseNetwork:
    """A base network, ready for inference.

    Args:
        name_or_path: a shipped network's name, or the directory of a converted checkpoint.
        precision: ``"bfloat16"`` narrows the operands of the convolutions' products, which sum in
            float32: a ResNet-50 takes half the time on processors with AMX; logits exact to two or
            three digits. It is another function than the ``"float32"`` one; certificates hold for
            the one that they were made with.
        backend: whose forms of layers to use: ``"cpu"``, ``"gpu"``, ``"tpu"`` or, for CPUs with
            Intel's units for narrow products, ``"amx"``; None means JAX's default backend, and in
            bfloat16 these units where they are. They run everywhere and agree but for rounding, so
            that a program for another machine can be compiled and read here; see
            `pagjax.core.program.lower`.

    Returns:
        A `pagjax.networks.base.BaseNetwork`: ``.logits_fn(images)``, ``.labels``,
        ``.image_shape``, ``.training_sigma``, ``.description``.

    Raises:
        CheckpointError: if there is no such checkpoint, where the message lists the shipped names;
            or if a weight is not finite or a variance negative.
        ValueError: for an unknown backend.
    """
    backend = as_backend(backend, precision)
    description, variables = store.restore(shipped.path(name_or_path))
    try:
        return base_network(description, variables, precision, backend)
    except ValueError as error:
        raise CheckpointError(f"{name_or_path}: {error}") from error
