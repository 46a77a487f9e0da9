"""The element types of PyTorch and safetensors, as numpy knows them."""

import ml_dtypes
import numpy as np

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
