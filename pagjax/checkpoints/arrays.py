"""Arrays that Orbax wrote, read one by one by TensorStore, as Orbax does underneath.

Orbax itself gives whatever shapes are on disk, and of a damaged file reports from its threads. Here
types and shapes are known before anything of their size is made, and an error is one line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from pagjax.checkpoints.errors import CheckpointError

MANIFEST = "manifest.ocdbt"
MOST_ARRAYS = 2**16
MOST_VALUES = 2**31
_LEAST_BYTES_TO_DOUBT = 2**28
_MOST_COMPRESSION = 1000  # weights hardly shrink; a bomb does
_DRIVERS = {".zarray": "zarr", "zarr.json": "zarr3"}


def opened(folder: Path) -> dict[str, Any]:
    """The arrays of a folder as TensorStore's, by name; their values are not read.

    Args:
        folder: to which Orbax wrote a tree.

    Raises:
        CheckpointError: if it cannot be read.
    """
    import tensorstore

    if not (folder / MANIFEST).is_file():
        raise CheckpointError(f"{folder / MANIFEST} is missing: no arrays of Orbax's")
    # Orbax's format: a database of keys in files, and in it a small Zarr array for each leaf.
    database = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder.absolute()}/"}}
    try:
        keys = tensorstore.KvStore.open(database).result().list().result()
        names = [key.decode().rpartition("/") for key in keys]
        headers = [(name, _DRIVERS[end]) for name, _, end in names if end in _DRIVERS]
        if len(headers) > MOST_ARRAYS:
            raise CheckpointError(f"{folder}: more than {MOST_ARRAYS:,} arrays")
        futures = {
            name: tensorstore.open(
                {
                    "driver": driver,
                    "kvstore": {**database, "path": f"{name}/"},
                    "fill_missing_data_reads": False,
                },
                open=True,
                read=True,
            )
            for name, driver in headers
        }
        return {name: future.result() for name, future in futures.items()}
    except (ValueError, OSError, RuntimeError, TypeError) as error:
        raise _unreadable(folder, error) from error


def read(folder: Path, found: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The values of what `opened` found, in bounded memory.

    Raises:
        CheckpointError: if they cannot be read, or are more than any network's.
    """
    _check_memory(folder, found)
    try:
        return {name: np.asarray(array.read().result()) for name, array in found.items()}
    except (ValueError, OSError, RuntimeError, TypeError) as error:
        raise _unreadable(folder, error) from error


def check_floating(dtypes: Mapping[str, Any], where: Path | str) -> None:
    """Refuses arrays that are no weights.

    Raises:
        CheckpointError: naming the first.
    """
    for name, dtype in dtypes.items():
        if not jnp.issubdtype(dtype, jnp.floating):
            raise CheckpointError(
                f"{where}: {name} of type {np.dtype(dtype).name}: weights are floating-point "
                "numbers; a quantised or masked network must be widened first"
            )


def _check_memory(folder: Path, found: Mapping[str, Any]) -> None:
    for name, array in found.items():
        chunk = array.chunk_layout.read_chunk.shape or ()  # None of a scalar
        if math.prod(chunk) > math.prod(array.shape) + 1024:  # it would be read as a whole
            raise CheckpointError(f"{folder}: {name} of shape {array.shape} in chunks of {chunk}")
    values = sum(math.prod(array.shape) for array in found.values())
    size = sum(math.prod(a.shape) * a.dtype.numpy_dtype.itemsize for a in found.values())
    on_disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    bomb = size > _LEAST_BYTES_TO_DOUBT and size > _MOST_COMPRESSION * on_disk
    if values > MOST_VALUES or bomb:
        raise CheckpointError(
            f"{folder}: {values:,} values in {on_disk:,} bytes of files: no network's weights"
        )


def _unreadable(folder: Path, error: Exception) -> CheckpointError:
    told = " ".join(str(error).split()).split(" [source locations")[0]
    return CheckpointError(f"{folder} cannot be read, it is damaged: {told[:300]}")
