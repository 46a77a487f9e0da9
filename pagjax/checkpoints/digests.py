"""A digest of a checkpoint's weights and description, by which damage on disk is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints.descriptions import read_json
from pagjax.checkpoints.errors import CheckpointError
from pagjax.io.files.atomic import digest_json

FILE = "digest.json"
FORMAT = 1


def weights(variables: Mapping[str, Any]) -> str:
    """SHA-256 over the names, types, shapes and bytes of variables, as hex.

    Example:
        >>> import numpy as np
        >>> ones = {"params": {"bias": np.ones(3, np.float32)}}
        >>> weights(ones) == weights({"params": {"bias": np.ones(3, np.float16)}})
        False
    """
    total = hashlib.sha256()
    leaves = jax.tree_util.tree_leaves_with_path(dict(variables))
    for name, leaf in sorted((jax.tree_util.keystr(path), leaf) for path, leaf in leaves):
        array = np.asarray(leaf)
        told = f"{name} {array.dtype.name} {array.shape}\n"  # bfloat16 has a name, but no code
        total.update(told.encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def values(described: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """What `FILE` holds.

    Args:
        described: a description's JSON values as they are on disk; what another version of pagjax
            would add to them is not in the digest.
        variables: of the checkpoint.
    """
    return {
        "format": FORMAT,
        "weights_sha256": weights(variables),
        "description_sha256": digest_json(described),
    }


def check(folder: Path, described: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    """Compares what was read with the digests beside it; checkpoints of before have none.

    Raises:
        CheckpointError: naming what differs.
    """
    path = folder / FILE
    if not path.exists():
        return
    recorded = read_json(path, 2**16)
    for field, found in values(described, variables).items():
        if recorded.get(field) == found:
            continue
        if field == "format":
            raise CheckpointError(f"{path}: format {recorded.get(field)!r}, expected {FORMAT}")
        raise CheckpointError(
            f"{folder}: its {field.removesuffix('_sha256')} changed since it was written "
            f"({path.name}, {field}): copy, convert or train it again"
        )
