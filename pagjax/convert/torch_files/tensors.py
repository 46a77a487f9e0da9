"""Element types, storages, and the tensors laid over them.

A storage is memory that was allocated for one stretch of the file; persistent ids are how a pickle
refers to one. Tensors are views of it, so tensors that shared memory when they were saved still do.
Every view is read-only, which makes the sharing harmless; the storage is filled through its own
writable array, before or after the views are made.
"""

import math
import sys
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

from pagjax.convert.torch_files.errors import (
    LARGEST,
    Allowance,
    UnreadableError,
    brief,
    count_of,
    counts_of,
)
from pagjax.convert.torch_files.sources import empty_bytes
from pagjax.convert.torch_files.values import Placeholder, StorageType

# PyTorch's name, safetensors' name, PyTorch's storage class without "Storage".
_TYPES: list[tuple[str, str, str, type]] = [
    ("float16", "F16", "Half", np.float16),
    ("float32", "F32", "Float", np.float32),
    ("float64", "F64", "Double", np.float64),
    ("bfloat16", "BF16", "BFloat16", ml_dtypes.bfloat16),
    ("bool", "BOOL", "Bool", np.bool_),
    ("uint8", "U8", "Byte", np.uint8),
    ("int8", "I8", "Char", np.int8),
    ("int16", "I16", "Short", np.int16),
    ("int32", "I32", "Int", np.int32),
    ("int64", "I64", "Long", np.int64),
    ("complex64", "C64", "ComplexFloat", np.complex64),
    ("complex128", "", "ComplexDouble", np.complex128),
    ("uint16", "U16", "", np.uint16),
    ("uint32", "U32", "", np.uint32),
    ("uint64", "U64", "", np.uint64),
    ("float8_e4m3fn", "F8_E4M3", "", ml_dtypes.float8_e4m3fn),
    ("float8_e5m2", "F8_E5M2", "", ml_dtypes.float8_e5m2),
    # Quantised numbers: their raw integers.
    ("qint8", "", "QInt8", np.int8),
    ("quint8", "", "QUInt8", np.uint8),
    ("qint32", "", "QInt32", np.int32),
]
_OLD_NAMES = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "short": "int16",
    "int": "int32",
    "long": "int64",
}

TORCH_DTYPES = {name: np.dtype(kind) for name, _, _, kind in _TYPES}
TORCH_DTYPES |= {old: TORCH_DTYPES[name] for old, name in _OLD_NAMES.items()}
SAFETENSORS_DTYPES = {name: np.dtype(kind) for _, name, _, kind in _TYPES if name}
STORAGE_DTYPES = {f"{name}Storage": np.dtype(kind) for _, _, name, kind in _TYPES if name}
TENSOR_CLASSES = frozenset(f"{name}Tensor" for _, _, name, _ in _TYPES if name) | {"Tensor"}


Array = npt.NDArray[Any]


class Storage:
    """Memory of one storage and the read-only array that tensors are laid over.

    >>> storage = Storage(np.dtype(np.int16), 2)
    >>> storage.memory[:] = [1, 0, 2, 0]
    >>> storage.finish()
    >>> storage.elements
    array([1, 2], dtype=int16)
    """

    def __init__(self, dtype: np.dtype, count: int) -> None:
        """Allocate; the caller has compared the size with the file."""
        self.memory = empty_bytes(count * dtype.itemsize)
        self.elements: Array = self.memory.view(dtype)
        self.elements.flags.writeable = False

    def finish(self, byteorder: str = "little") -> None:
        """Put filled memory in this machine's byte order, and close it to writing."""
        dtype = self.elements.dtype
        if byteorder != sys.byteorder:
            unit = dtype.itemsize // (2 if dtype.kind == "c" else 1)
            self.memory.view(f"u{unit}").byteswap(inplace=True)
        if dtype.kind == "b":
            # Any other byte in a boolean array is undefined behaviour.
            np.minimum(self.memory, 1, out=self.memory)
        self.memory.flags.writeable = False


def lay_tensor(
    allowance: Allowance,
    storage: object,
    offset: object,
    size: object,
    stride: object,
    dtype: np.dtype | None = None,
) -> Array:
    """Return the read-only view of a storage that makes up a tensor.

    Arguments:
    - allowance: what the file may still ask for.
    - storage: a one-dimensional array, the storage's elements.
    - offset, size, stride: as in the file, counted in elements; nothing about them is trusted.
    - dtype: the tensor's element type where it differs from the storage's.

    Raises `UnreadableError` where the tensor would reach outside the storage.

    >>> lay_tensor(Allowance(100), np.arange(6), 1, (2, 2), (1, 2))
    array([[1, 3],
           [2, 4]])
    """
    if not isinstance(storage, np.ndarray) or storage.ndim != 1:
        raise UnreadableError(f"its tensor lies over {brief(storage)}, not over a storage")
    sizes, strides = counts_of(size, "tensor size"), counts_of(stride, "tensor stride")
    start = count_of(offset, "tensor offset")
    if len(sizes) != len(strides):
        raise UnreadableError(f"its tensor has {len(sizes)} axes but {len(strides)} strides")
    dtype = storage.dtype if dtype is None else dtype
    count = math.prod(sizes)
    if count * dtype.itemsize > LARGEST or math.prod(filter(None, sizes)) > LARGEST // 16:
        raise UnreadableError(f"its tensor claims the size {sizes[:8]}")
    if count == 0:
        return _empty(sizes, dtype)
    last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    held = storage.nbytes // dtype.itemsize
    if last >= held:
        raise UnreadableError(f"its tensor reaches element {last} of a storage of {held}")
    allowance.spend_bytes(count * dtype.itemsize)
    # The stride of an axis of length one is free, and may be too large for numpy.
    steps = [step * dtype.itemsize if n > 1 else 0 for n, step in zip(sizes, strides, strict=True)]
    raw = storage.view(np.uint8)
    view: Array = np.ndarray(sizes, dtype, raw, start * dtype.itemsize, steps)
    view.flags.writeable = False
    return view


def _empty(sizes: tuple[int, ...], dtype: np.dtype) -> Array:
    empty: Array = np.empty(sizes, dtype)
    empty.flags.writeable = False
    return empty


def rebuild_tensor(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `_rebuild_tensor` and `_rebuild_tensor_v2`."""
    _need(arguments, 4, 7)
    _refuse_lazy_views(arguments[6:])
    storage, offset, size, stride, *_ = arguments
    return lay_tensor(allowance, storage, offset, size, stride)


def rebuild_tensor_v3(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `_rebuild_tensor_v3`, where the tensor names its own element type."""
    _need(arguments, 7, 8)
    _refuse_lazy_views(arguments[7:])
    storage, offset, size, stride, _, _, dtype, *_ = arguments
    if not isinstance(dtype, np.dtype):
        raise UnreadableError(f"its tensor has {brief(dtype)} as its element type")
    return lay_tensor(allowance, storage, offset, size, stride, dtype)


def rebuild_parameter(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `_rebuild_parameter` and `_rebuild_parameter_with_state`: the tensor as it is."""
    del allowance
    _need(arguments, 1, 4)
    if not isinstance(arguments[0], np.ndarray | Placeholder):
        raise UnreadableError(f"its parameter holds {brief(arguments[0])} instead of a tensor")
    return arguments[0]


def finish_parameter(allowance: Allowance, arguments: tuple[object, ...], state: object) -> object:
    """Take the tensor out of a Parameter that was pickled as an object with a state."""
    del allowance
    for candidates in (state, arguments):
        if isinstance(candidates, tuple) and candidates:
            first = candidates[0]
            if isinstance(first, np.ndarray):
                return first
    return None


def _need(arguments: tuple[object, ...], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise UnreadableError(f"its tensor is described by {len(arguments)} values")


def _refuse_lazy_views(metadata: tuple[object, ...]) -> None:
    # Conjugated and negated views are resolved only when they are used.
    bits = metadata[0] if metadata else None
    if isinstance(bits, dict) and any(bit is not False for bit in bits.values()):
        raise UnreadableError(
            "its tensor is a lazily conjugated or negated view",
            "Call resolve_conj() and resolve_neg() on the tensor in PyTorch and save it again",
        )


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
