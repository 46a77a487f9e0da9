"""Checkpoints on disk: an Orbax directory with the variables and a JSON description beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints import arrays, descriptions, digests, folders, packing
from pagjax.checkpoints.errors import CheckpointError as CheckpointError
from pagjax.io.files import atomic
from pagjax.networks.base import Description

__all__ = ("add_digest", "restore", "save")

_VARIABLES, _DESCRIPTION = "variables", "description"


def by_this_process() -> Any:
    """Orbax's option for one process of a job to read or write without waiting for the others."""
    from orbax.checkpoint.options import MultiprocessingOptions

    own = jax.process_index()
    return MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process-{own}"
    )


def save(
    path: str | Path,
    description: Description,
    variables: Mapping[str, Any],
    *,
    overwrite: bool = False,
    beside: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Writes a checkpoint, whole or not at all, with a digest by which damage is told.

    Args:
        path: directory to make.
        description: see `pagjax.networks.base.Description`.
        variables: collections ``"params"`` and ``"batch_stats"``, of any floating type.
        overwrite: whether a checkpoint at `path` may be replaced; whatever else is there may not.
        beside: writes what else belongs to the checkpoint into the folder that it is given.

    Returns:
        The absolute path.

    Raises:
        CheckpointError: if something exists at `path` and `overwrite` is false, if what exists is
            no checkpoint or holds files of others, if another process writes there, or if
            `description` or `variables` are none that could be read back.
    """
    path = Path(path).absolute()
    descriptions.check(description, "the description")
    values = jax.tree.map(np.asarray, dict(variables))
    arrays.check_floating({n: leaf.dtype for n, leaf in _by_name(values).items()}, "the variables")
    with folders.replaced(path, overwrite=overwrite) as writing:
        try:
            _write(writing, description, values)
        except (ValueError, RuntimeError) as error:  # TensorStore's way to tell of the disk
            told = " ".join(str(error).split())
            raise CheckpointError(f"{path} cannot be written: {told[:300]}") from error
        described = descriptions.read(writing)[1]
        atomic.write_json(writing / digests.FILE, digests.values(described, values))
        beside(writing)
    return path


def restore(path: str | Path) -> tuple[Description, dict[str, Any]]:
    """Reads a checkpoint.

    Args:
        path: directory that `save` wrote.

    Returns:
        Its description, and its variables as NumPy arrays of the types on disk.

    Raises:
        CheckpointError: if there is no checkpoint at `path`, if it cannot be read or is damaged, or
            if its description and its arrays disagree; the message names the file and the field.
    """
    description, _, variables = _read(path)
    return description, variables


def add_digest(path: str | Path) -> Path:
    """Writes the digest that `save` writes today beside a checkpoint of before, as it reads now.

    Nothing else of the checkpoint changes.

    Args:
        path: directory of a checkpoint.

    Returns:
        The digest's file.

    Raises:
        CheckpointError: as `restore`, also where a digest is there and tells of damage.
    """
    _, described, variables = _read(path)
    file = Path(path).absolute() / digests.FILE
    atomic.write_json(file, digests.values(described, variables))
    return file


def holds(path: str | Path, description: Description, variables: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of these variables, described so whatever its origin, is there."""
    try:
        found, theirs = restore(path)
    except CheckpointError:
        return False
    found = dataclasses.replace(found, origin=description.origin)
    return found == description and digests.weights(theirs) == digests.weights(variables)


def _write(folder: Path, description: Description, values: dict[str, Any]) -> None:
    import orbax.checkpoint as ocp

    own = by_this_process()
    options = ocp.CompositeOptions(multiprocessing_options=own)
    handler = ocp.CompositeCheckpointHandler(composite_options=options)
    with ocp.Checkpointer(handler, multiprocessing_options=own) as checkpointer:
        items = {
            _VARIABLES: ocp.args.StandardSave(values),
            _DESCRIPTION: ocp.args.JsonSave(description.to_json()),
        }
        checkpointer.save(folder, ocp.args.Composite(**items))
    packing.pack(folder / _VARIABLES)
    for marker in folder.rglob("commit_success.txt"):
        marker.unlink()  # names this machine's folders, and a rename commits


def _read(path: str | Path) -> tuple[Description, dict[str, Any], dict[str, Any]]:
    """The description, as JSON values too, and the variables; what is damaged is refused."""
    path = Path(path).absolute()
    folders.finish(path)
    if not path.exists():
        raise CheckpointError(f"{path} does not exist")
    if not (path / _DESCRIPTION).is_dir() or not (path / _VARIABLES).is_dir():
        raise CheckpointError(
            f"{path} is no pagjax checkpoint: convert a PyTorch file with "
            "`pagjax convert SOURCE DESTINATION` first"
        )
    description, as_json = descriptions.read(path)
    stored = path / _VARIABLES
    found = arrays.opened(stored)
    arrays.check_floating({name: a.dtype.numpy_dtype for name, a in found.items()}, stored)
    described = _described(description, len(found), path)
    _check_shapes(_by_name(described), found, path)
    values = arrays.read(stored, found)
    leaves = [values[name] for name in _by_name(described)]
    variables: dict[str, Any] = jax.tree.unflatten(jax.tree.structure(described), leaves)
    digests.check(path, as_json, variables)
    return description, as_json, variables


def _described(description: Description, num_arrays: int, path: Path) -> dict[str, Any]:
    """The tree of a described network's variables, with nothing of their size."""
    where = path / descriptions.FILE
    sizes = getattr(description.config, "stage_sizes", ())
    if sum(sizes) > num_arrays:
        raise CheckpointError(
            f"{where}: config.stage_sizes {list(sizes)}: more blocks than the {num_arrays} arrays "
            f"of {path / _VARIABLES}"
        )
    image = jax.ShapeDtypeStruct((1, *description.image_size, 3), np.float32)
    try:
        return dict(jax.eval_shape(description.network().init, jax.random.key(0), image))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{where}: no network can be built: {told[:300]}") from error


def _check_shapes(described: Mapping[str, Any], found: Mapping[str, Any], path: Path) -> None:
    """Compares the arrays on disk with those of the network described, before they are read."""
    wanted = {name: tuple(leaf.shape) for name, leaf in described.items()}
    on_disk = {name: tuple(array.shape) for name, array in found.items()}
    differing = sorted(n for n in wanted | on_disk if wanted.get(n) != on_disk.get(n))
    if differing:
        told = "; ".join(
            f"{name}: {on_disk.get(name, 'missing')}, described as {wanted.get(name, 'missing')}"
            for name in differing[:3]
        )
        raise CheckpointError(
            f"{path / _VARIABLES} and {path / descriptions.FILE} disagree in {len(differing)} "
            f"arrays: {told}"
        )


def _by_name(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
