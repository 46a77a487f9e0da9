"""Checkpoints on disk: an Orbax directory with the variables and a JSON description beside them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from pagjax.networks.base import Description

_VARIABLES, _DESCRIPTION = "variables", "description"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or may not be written; the message says what to do."""


def by_this_process() -> Any:
    """Orbax's option for one process of a job to read or write without waiting for the others."""
    from orbax.checkpoint.options import MultiprocessingOptions

    own = jax.process_index()
    return MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process-{own}"
    )


def _checkpointer() -> Any:
    import orbax.checkpoint as ocp

    own = by_this_process()
    options = ocp.CompositeOptions(multiprocessing_options=own)
    handler = ocp.CompositeCheckpointHandler(composite_options=options)
    return ocp.Checkpointer(handler, multiprocessing_options=own)


def save(
    path: str | Path,
    description: Description,
    variables: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> Path:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: directory to make.
        description: see `pagjax.networks.base.Description`.
        variables: collections ``"params"`` and ``"batch_stats"``, of any floating type.
        overwrite: whether an existing checkpoint may be replaced.

    Returns:
        The absolute path.

    Raises:
        CheckpointError: if something exists at `path` and `overwrite` is false.
    """
    import orbax.checkpoint as ocp

    path = Path(path).absolute()
    if path.exists() and not overwrite:
        raise CheckpointError(f"{path} exists: choose another destination or ask to overwrite it")
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".{path.name}.writing")
    shutil.rmtree(writing, ignore_errors=True)
    arrays = jax.tree.map(np.asarray, dict(variables))
    with _checkpointer() as checkpointer:
        items = {
            _VARIABLES: ocp.args.StandardSave(arrays),
            _DESCRIPTION: ocp.args.JsonSave(description.to_json()),
        }
        checkpointer.save(writing, ocp.args.Composite(**items))
    for marker in writing.rglob("commit_success.txt"):
        marker.unlink()  # names this machine's folders, and the rename below commits
    if path.exists():
        shutil.rmtree(path)
    writing.rename(path)
    return path


def restore(path: str | Path) -> tuple[Description, dict[str, Any]]:
    """Reads a checkpoint.

    Args:
        path: directory that `save` wrote.

    Returns:
        Its description, and its variables as NumPy arrays of the types on disk.

    Raises:
        CheckpointError: if there is no checkpoint at `path`, or it cannot be read.
    """
    import orbax.checkpoint as ocp

    path = Path(path).absolute()
    if not path.exists():
        raise CheckpointError(f"{path} does not exist")
    if not (path / _DESCRIPTION).is_dir() or not (path / _VARIABLES).is_dir():
        raise CheckpointError(
            f"{path} is no pagjax checkpoint: convert a PyTorch file with "
            "`python convert_torch_weights.py SOURCE DESTINATION` first"
        )
    with _checkpointer() as checkpointer:
        try:
            described = checkpointer.restore(
                path, ocp.args.Composite(**{_DESCRIPTION: ocp.args.JsonRestore()})
            )[_DESCRIPTION]
            description = Description.from_json(described)
            shapes = _numpy_targets(description)
            arrays = checkpointer.restore(
                path, ocp.args.Composite(**{_VARIABLES: ocp.args.StandardRestore(shapes)})
            )[_VARIABLES]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error
    return description, arrays


def _numpy_targets(description: Description) -> Any:
    """What the variables look like, so that they come back as arrays of this machine."""
    image = jax.ShapeDtypeStruct((1, *description.image_size, 3), np.float32)
    shapes = jax.eval_shape(description.network().init, jax.random.key(0), image)
    return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), dict(shapes))
