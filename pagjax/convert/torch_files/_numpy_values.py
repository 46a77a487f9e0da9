"""Numpy's own scalars, arrays and element types, as they occur in pickled metrics.

Only booleans, integers, floats and complex numbers are rebuilt. Every other element type
(objects, text, dates, records) comes out as a placeholder, and so does what is made of it.
"""

import math
import re

import numpy as np

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._checks import counts_of, is_one_of
from pagjax.convert.torch_files._errors import UnreadableError, brief
from pagjax.convert.torch_files._placeholders import Placeholder, Unfinished

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
