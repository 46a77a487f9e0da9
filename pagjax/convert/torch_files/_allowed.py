"""The names that a pickle may ask for, each bound to a function of our own.

Nothing is imported by a name from a file: what is not in this table is a placeholder.
"""

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._dtypes import STORAGE_DTYPES, TENSOR_CLASSES, TORCH_DTYPES
from pagjax.convert.torch_files._errors import NOT_A_CHECKPOINT, UnreadableError
from pagjax.convert.torch_files._numpy_values import (
    build_dtype,
    build_from_buffer,
    build_scalar,
    start_array,
)
from pagjax.convert.torch_files._placeholders import (
    Build,
    Known,
    Placeholder,
    StorageType,
    Unfinished,
)
from pagjax.convert.torch_files._plain_values import (
    build_bytes,
    build_complex,
    build_counting_dict,
    build_default_dict,
    build_device,
    build_ordered_dict,
    build_set,
    build_size,
)
from pagjax.convert.torch_files._tensors import (
    finish_parameter,
    rebuild_parameter,
    rebuild_tensor,
    rebuild_tensor_v3,
)


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
