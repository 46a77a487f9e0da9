"""The full training state on disk, by Orbax: a run killed at any moment goes on from the last."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints import arrays, digests
from pagjax.checkpoints.store import CheckpointError, by_this_process
from pagjax.io.files import atomic
from pagjax.jobs import processes, records
from pagjax.jobs.errors import JobError
from pagjax.training.step import State

_PREFIX = "step-"
_NAME = re.compile(r"step-[0-9]{1,18}")


def save(folder: Path, state: State, settings: Mapping[str, Any] | None = None) -> Path:
    """Writes the state as ``step-NUMBER``, whole or not at all, and removes older ones.

    Of several processes one does, and needs no other for it: all have the whole state.

    Args:
        folder: of the run's states.
        state: what to write.
        settings: of the run, by which `restore` knows the state again.
    """
    folder, step = folder.absolute(), int(state.step)
    path = folder / f"{_PREFIX}{step}"
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder)
    if not path.exists():
        writing = path.with_name(f".{path.name}")
        leaves = jax.tree.map(np.asarray, _tree(state))
        _write(writing, leaves)
        told = {"sha256": digests.weights(leaves), "settings_sha256": _digest(settings)}
        atomic.write_json(writing / digests.FILE, told)
        writing.rename(path)
        atomic.sync_folder(folder)
    tidy(folder)
    return path


def tidy(folder: Path) -> None:
    """Removes what a kill left of unfinished states, and all whole ones but the last."""
    for unfinished in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(unfinished)
    for old in _found(folder)[:-1]:
        shutil.rmtree(old)


def restore(folder: Path, like: State, settings: Mapping[str, Any] | None = None) -> State | None:
    """The last state that the first process finds in a folder, as NumPy arrays, or None.

    Args:
        folder: where `save` wrote; only the first process needs it.
        like: gives the structure.
        settings: of the run.

    Raises:
        JobError: naming the state, if it is damaged, or of another run.
    """
    leaves = processes.arrays_from_first(lambda: _read(folder, like, settings))
    if leaves is None:
        return None
    return jax.tree.unflatten(jax.tree.structure(like), [leaves[name] for name in sorted(leaves)])


def _read(
    folder: Path, like: State, settings: Mapping[str, Any] | None
) -> dict[str, np.ndarray] | None:
    found = _found(folder)
    if not found:
        return None
    path = found[-1].absolute()
    wanted = {name: (tuple(leaf.shape), leaf.dtype) for name, leaf in _tree(like).items()}
    cure = "remove it to begin anew, or restore it"
    try:
        stored = arrays.opened(path)
        there = {name: (tuple(a.shape), a.dtype.numpy_dtype) for name, a in stored.items()}
        if there != wanted:
            name = min(n for n in wanted | there if wanted.get(n) != there.get(n))
            raise JobError(f"{path} is of another network or optimizer (array {name}): {cure}")
        leaves = arrays.read(path, stored)
    except CheckpointError as error:
        raise JobError(f"{error}: {cure}") from error
    if (path / digests.FILE).exists():
        told = records.read(path / digests.FILE)
        if records.field(path / digests.FILE, told, "sha256", str) != digests.weights(leaves):
            raise JobError(f"{path} changed since it was written: {cure}")
        if settings is not None and told.get("settings_sha256") not in (None, _digest(settings)):
            raise JobError(f"{path} is of a run of other settings: {cure}")
    if int(leaves[min(leaves)]) != int(path.name.removeprefix(_PREFIX)):
        raise JobError(f"{path} is of step {int(leaves[min(leaves)])}: {cure}")
    return leaves


def _digest(settings: Mapping[str, Any] | None) -> str | None:
    return None if settings is None else atomic.digest_json(settings)


def _write(folder: Path, leaves: dict[str, np.ndarray]) -> None:
    with _checkpointer() as checkpointer:
        checkpointer.save(folder, leaves)


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
    paths = [path for path in folder.glob(f"{_PREFIX}*") if _NAME.fullmatch(path.name)]
    return sorted(paths, key=lambda path: int(path.name.removeprefix(_PREFIX)))
