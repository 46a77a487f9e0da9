"""The names that a pickle may ask for, each bound to a function of our own.

Nothing is imported by a name from a file: what is not in this table is a placeholder. Of numpy's
values only booleans, integers, floats and complex numbers are rebuilt. Every other element type
(objects, text, dates, records) comes out as a placeholder, and so does what is made of it.
"""

import math
import re

import numpy as np

from pagjax.convert.torch_files.errors import (
    NOT_A_CHECKPOINT,
    Allowance,
    UnreadableError,
    brief,
    counts_of,
    is_one_of,
)
from pagjax.convert.torch_files.tensors import (
    STORAGE_DTYPES,
    TENSOR_CLASSES,
    TORCH_DTYPES,
    finish_parameter,
    rebuild_parameter,
    rebuild_tensor,
    rebuild_tensor_v3,
)
from pagjax.convert.torch_files.values import (
    Build,
    Known,
    Placeholder,
    StorageType,
    Unfinished,
    build_bytes,
    build_complex,
    build_counting_dict,
    build_default_dict,
    build_device,
    build_ordered_dict,
    build_set,
    build_size,
)

_PLAIN_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|c8|c16|bool)")


def _raw_bytes(value: object) -> bytes:
    # Python 2 wrote raw data as text; the machine decodes that as UTF-8 where it can.
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise UnreadableError(f"its numpy data is {brief(value)}, not bytes")


def build_dtype(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `numpy.dtype`; the byte order comes with the state."""
    del allowance
    code = arguments[0] if arguments else None
    if isinstance(code, str) and _PLAIN_DTYPE.fullmatch(code):
        return Unfinished("numpy", "dtype", arguments, _finish_dtype)
    return Placeholder("numpy", "dtype", arguments)


def _finish_dtype(allowance: Allowance, arguments: tuple[object, ...], state: object) -> object:
    del allowance
    if not isinstance(state, tuple) or len(state) < 5 or not is_one_of(state[1], *"<>|="):
        raise UnreadableError(f"its numpy element type has {brief(state)} as its state")
    if any(part is not None for part in state[2:5]):
        return None
    return np.dtype(str(arguments[0])).newbyteorder(state[1])


def build_scalar(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `numpy.core.multiarray.scalar`."""
    del allowance
    if len(arguments) != 2 or not isinstance(arguments[0], np.dtype):
        return Placeholder("numpy.core.multiarray", "scalar", arguments)
    dtype, raw = arguments[0], _raw_bytes(arguments[1])
    if len(raw) != dtype.itemsize:
        raise UnreadableError(f"its numpy {dtype} number has {len(raw)} bytes")
    if dtype.kind == "b":
        return np.bool_(raw != b"\0")
    return np.frombuffer(raw, dtype)[0]


def start_array(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `numpy.core.multiarray._reconstruct`: everything comes with the state."""
    del allowance
    return Unfinished("numpy", "ndarray", arguments, _finish_array)


def _finish_array(allowance: Allowance, arguments: tuple[object, ...], state: object) -> object:
    del arguments
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise UnreadableError(f"its numpy array has {brief(state)} as its state")
    shape, dtype, column_major, raw = state[-4:]
    if not isinstance(dtype, np.dtype):
        return None
    return _array(allowance, raw, dtype, shape, "F" if column_major is True else "C")


def build_from_buffer(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `numpy.core.numeric._frombuffer`, numpy's form in pickles of protocol 5."""
    if len(arguments) != 4 or not isinstance(arguments[1], np.dtype):
        return Placeholder("numpy.core.numeric", "_frombuffer", arguments)
    raw, _, shape, order = arguments
    return _array(allowance, raw, arguments[1], shape, "F" if is_one_of(order, "F") else "C")


def _array(allowance: Allowance, raw: object, dtype: np.dtype, shape: object, order: str) -> object:
    data, sizes = _raw_bytes(raw), counts_of(shape, "numpy array's shape")
    if math.prod(sizes) * dtype.itemsize != len(data):
        raise UnreadableError(f"its numpy array of size {sizes[:8]} has {len(data)} bytes")
    if math.prod(filter(None, sizes)) > 1 << 58:
        raise UnreadableError(f"its numpy array claims the size {sizes[:8]}")
    allowance.spend_bytes(len(data))
    flat = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
    if dtype.kind == "b":
        flat = flat.view(np.uint8) != 0
    array = flat.reshape(sizes, order="F" if order == "F" else "C")
    if dtype.byteorder not in "=|":
        array = array.astype(dtype.newbyteorder("="))
    array.flags.writeable = False
    return array


def _start_parameter(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    del allowance
    return Unfinished("torch.nn.parameter", "Parameter", arguments, finish_parameter)


def _rebuild_subclass(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    # (function, class, arguments of the function, attributes): the class and attributes go.
    match arguments:
        case (Known() as function, _, tuple() as rest, *_) if function.build in _TENSORS:
            return function.build(allowance, rest)
    return Placeholder("torch._tensor", "_rebuild_from_type_v2", arguments)


_TENSORS = (rebuild_tensor, rebuild_tensor_v3, rebuild_parameter)

_BUILDERS: dict[tuple[str, str], Build] = {
    ("collections", "OrderedDict"): build_ordered_dict,
    ("collections", "Counter"): build_counting_dict,
    ("collections", "defaultdict"): build_default_dict,
    ("_codecs", "encode"): build_bytes,
    ("torch", "Size"): build_size,
    ("torch", "device"): build_device,
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): rebuild_tensor_v3,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_subclass,
    ("torch.nn.parameter", "Parameter"): _start_parameter,
    ("torch.nn.parameter", "Buffer"): _start_parameter,
    ("torch.autograd.variable", "Variable"): _start_parameter,
    ("numpy", "dtype"): build_dtype,
}
# Python 3 writes Python 2's name in old protocols.
for _module in ("builtins", "__builtin__"):
    _BUILDERS |= {
        (_module, "set"): build_set,
        (_module, "frozenset"): build_set,
        (_module, "bytes"): build_bytes,
        (_module, "bytearray"): build_bytes,
        (_module, "complex"): build_complex,
    }
# Numpy 2 renamed its core.
for _module in ("numpy.core", "numpy._core"):
    _BUILDERS |= {
        (f"{_module}.multiarray", "scalar"): build_scalar,
        (f"{_module}.multiarray", "_reconstruct"): start_array,
        (f"{_module}.numeric", "_frombuffer"): build_from_buffer,
    }

_MOST_SKIPPED = 10_000
_UNTYPED = frozenset({"UntypedStorage", "_UntypedStorage"})
_TYPED = frozenset({"TypedStorage", "_TypedStorage"})
# Named in nearly every file, and of no consequence there.
_HARMLESS = frozenset({("numpy", "ndarray"), ("torch._tensor", "Tensor")})


class Globals:
    """Looks names up for one file, and remembers those that it did not know.

    >>> names = Globals()
    >>> names.find("os", "system")
    <placeholder for os.system>
    >>> names.skipped
    {'os.system'}
    """

    def __init__(self) -> None:
        """Start with nothing skipped."""
        self.skipped: set[str] = set()

    def find(self, module: str, name: str) -> object:
        """Return an element type, a name of the allow-list, or a placeholder.

        Each is a new object: a file may set attributes on it.
        """
        build = _BUILDERS.get((module, name))
        if build is not None:
            return Known(module, name, build)
        if module == "torch" and name in TORCH_DTYPES:
            return TORCH_DTYPES[name]
        if module in ("torch", "torch.cuda", "torch.storage"):
            if name in STORAGE_DTYPES:
                return StorageType(module, name, STORAGE_DTYPES[name])
            if name in _UNTYPED:
                return StorageType(module, name, TORCH_DTYPES["uint8"])
            if name in _TYPED:
                return StorageType(module, name, None)
            if name in TENSOR_CLASSES:
                return Placeholder(module, name)
        stand_in = Placeholder(module, name)
        if (module, name) not in _HARMLESS:
            self.skip(stand_in)
        return stand_in

    def skip(self, stand_in: Placeholder) -> None:
        """Record that something came out as a placeholder."""
        self.skipped.add(f"{stand_in.module}.{stand_in.name}")
        if len(self.skipped) > _MOST_SKIPPED:
            raise UnreadableError(
                f"it names more than {_MOST_SKIPPED:,} classes and functions", NOT_A_CHECKPOINT
            )
