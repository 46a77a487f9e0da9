"""The full training state on disk, by Orbax: a run killed at any moment goes on from the last."""

from __future__ import annotations

import shutil
from pathlib import Path

import jax
import numpy as np

from pagjax.training.step import State

_PREFIX = "step-"


def save(folder: Path, state: State) -> Path:
    """Writes the state as ``step-NUMBER``, whole or not at all, and removes older ones."""
    import orbax.checkpoint as ocp

    step = int(state.step)
    path = folder.absolute() / f"{_PREFIX}{step}"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    for unfinished in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(unfinished)
    writing = path.with_name(f".{path.name}")
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(writing, jax.tree.map(np.asarray, _tree(state)))
    writing.rename(path)
    for old in _found(folder):
        if old != path:
            shutil.rmtree(old)
    return path


def restore(folder: Path, like: State) -> State | None:
    """The last state saved in a folder, or None; `like` gives its structure and placement."""
    import orbax.checkpoint as ocp

    found = _found(folder)
    if not found:
        return None
    shapes = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), _tree(like))
    with ocp.StandardCheckpointer() as checkpointer:
        leaves = jax.tree.leaves(checkpointer.restore(found[-1].absolute(), shapes))
    structure = jax.tree.structure(like)
    placed = [
        jax.device_put(leaf, ours.sharding)
        for leaf, ours in zip(leaves, jax.tree.leaves(like), strict=True)
    ]
    return jax.tree.unflatten(structure, placed)


def _tree(state: State) -> dict[str, object]:
    """As a list of leaves by number, since Optax's state is no tree of plain containers."""
    return {f"{index:05}": leaf for index, leaf in enumerate(jax.tree.leaves(state))}


def _found(folder: Path) -> list[Path]:
    paths = folder.glob(f"{_PREFIX}*")
    return sorted(paths, key=lambda path: int(path.name.removeprefix(_PREFIX)))
