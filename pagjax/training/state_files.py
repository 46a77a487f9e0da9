"""The full training state on disk, by Orbax: a run killed at any moment goes on from the last."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints.store import by_this_process
from pagjax.runs import processes
from pagjax.training.step import State

_PREFIX = "step-"


def save(folder: Path, state: State) -> Path:
    """Writes the state as ``step-NUMBER``, whole or not at all, and removes older ones.

    Of several processes one does, and needs no other for it: all have the whole state.
    """
    folder, step = folder.absolute(), int(state.step)
    path = folder / f"{_PREFIX}{step}"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    for unfinished in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(unfinished)
    writing = path.with_name(f".{path.name}")
    with _checkpointer() as checkpointer:
        checkpointer.save(writing, jax.tree.map(np.asarray, _tree(state)))
    writing.rename(path)
    for old in _found(folder):
        if old != path:
            shutil.rmtree(old)
    return path


def restore(folder: Path, like: State) -> State | None:
    """The last state that the first process finds in a folder, as NumPy arrays, or None.

    Args:
        folder: where `save` wrote; only the first process needs it.
        like: gives the structure.
    """
    leaves = processes.arrays_from_first(lambda: _read(folder, like))
    if leaves is None:
        return None
    return jax.tree.unflatten(jax.tree.structure(like), [leaves[name] for name in sorted(leaves)])


def _read(folder: Path, like: State) -> dict[str, np.ndarray] | None:
    found = _found(folder)
    if not found:
        return None
    shapes = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in _tree(like).items()}
    with _checkpointer() as checkpointer:
        read: dict[str, np.ndarray] = checkpointer.restore(found[-1].absolute(), shapes)
    return read


def _checkpointer() -> Any:
    import orbax.checkpoint as ocp

    return ocp.StandardCheckpointer(
        multiprocessing_options=by_this_process(),
        async_options=ocp.options.AsyncOptions(create_directories_asynchronously=False),
    )


def _tree(state: State) -> dict[str, Any]:
    """As a list of leaves by number, since Optax's state is no tree of plain containers."""
    return {f"{index:05}": leaf for index, leaf in enumerate(jax.tree.leaves(state))}


def _found(folder: Path) -> list[Path]:
    paths = folder.glob(f"{_PREFIX}*")
    return sorted(paths, key=lambda path: int(path.name.removeprefix(_PREFIX)))
