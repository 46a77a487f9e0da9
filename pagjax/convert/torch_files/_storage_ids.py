"""Persistent ids: how a pickle refers to a storage that lies elsewhere in the file."""

from typing import NamedTuple

import numpy as np

from pagjax.convert.torch_files._checks import count_of
from pagjax.convert.torch_files._errors import UnreadableError, brief
from pagjax.convert.torch_files._placeholders import StorageType


class StorageId(NamedTuple):
    """One storage as a pickle describes it, checked in form but not yet against the file."""

    key: str
    dtype: np.dtype
    numel: int
    # For a part of a storage: where it starts and how long it is, counted in elements.
    view: tuple[int, int] | None

    @property
    def nbytes(self) -> int:
        """Size of the whole storage."""
        return self.numel * self.dtype.itemsize


def storage_dtype(kind: object) -> np.dtype:
    """Return the element type of a storage class that a file names."""
    if isinstance(kind, StorageType) and kind.dtype is not None:
        return kind.dtype
    raise UnreadableError(
        f"its tensor has storage of the class {kind!r}, whose element type is not known"
        if isinstance(kind, StorageType)
        else f"its tensor has storage of the class {brief(kind)}",
        "Save its state_dict again, with tensors of numbers or booleans",
    )


def parse_storage_id(identity: tuple[object, ...]) -> StorageId:
    """Check ('storage', class, key, location, count[, view]) and drop the location."""
    if len(identity) not in (5, 6):
        raise UnreadableError(f"its storage is described by {len(identity)} values, not 5 or 6")
    _, kind, key, _, numel, *views = identity
    if not isinstance(key, str):
        raise UnreadableError(f"its storage is called {brief(key)}, not a text")
    view = views[0] if views else None
    if view is not None:
        if not isinstance(view, tuple) or len(view) != 3:
            raise UnreadableError(f"its storage is a part described by {brief(view)}")
        view = (count_of(view[1], "storage offset"), count_of(view[2], "storage size"))
    return StorageId(key, storage_dtype(kind), count_of(numel, "storage size"), view)
