"""Element types, arrays and tensors that a pickle describes falsely."""

import numpy as np
import pytest

from pagjax.convert.torch_files import Placeholder, TorchFileError, read
from tests.convert.torch_files.assembler import build, call, named, persistent
from tests.convert.torch_files.comparison import refused
from tests.convert.torch_files.containers import written, zip_bytes

SYSTEM = named("os", "system")


NUMPY = "numpy.core.multiarray"


PLAIN_STATE = (3, "<", None, None, None, -1, -1, 0)


FLOAT64 = build(call(named("numpy", "dtype"), "f8", False, True), PLAIN_STATE)


ARRAY = call(named(NUMPY, "_reconstruct"), named("numpy", "ndarray"), (0,), b"b")


@pytest.mark.parametrize(
    "code",
    [
        "O",
        "O8",
        "V8",
        "f8,O",
        "(1000000000,)f8",
        "f8,f8",
        "M8[ns]",
        "U1000000000",
        "object",
        "f16",
        "float64",
        "d",
        "a5",
        "{}",
        "",
        "f8\n",
    ],
)
def test_hostile_element_types_are_placeholders(tmp_path, code):
    dtype = build(call(named("numpy", "dtype"), code, False, True), PLAIN_STATE)
    array = build(ARRAY, (1, (1,), dtype, False, bytes(8)))
    file = read(written(tmp_path, zip_bytes([dtype, array])))
    assert all(isinstance(value, Placeholder) for value in file.content)
    assert "numpy.dtype" in file.skipped


def test_element_type_with_fields_or_subarray_is_a_placeholder(tmp_path):
    for extra in (((FLOAT64, (2**40,)), None, None), (None, ("a",), None), (None, None, {})):
        state = (3, "<", *extra, -1, -1, 0)
        dtype = build(call(named("numpy", "dtype"), "f8", False, True), state)
        array = build(ARRAY, (1, (1,), dtype, False, bytes(8)))
        assert isinstance(read(written(tmp_path, zip_bytes(array))).content, Placeholder)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ((1, (2,), FLOAT64, False, bytes(8)), "has 8 bytes"),
        ((1, (2**62,), FLOAT64, False, bytes(8)), "has 8 bytes"),
        ((1, (2**62, 4), FLOAT64, False, b""), "has 0 bytes"),
        ((1, (0, 2**62), FLOAT64, False, b""), "claims the size"),
        ((1, (-1,), FLOAT64, False, bytes(8)), "not a count"),
        ((1, 1, FLOAT64, False, bytes(8)), "up to 64"),
        ((1, (1,), FLOAT64, False, [1.0]), "not bytes"),
        ((1, (1,) * 65, FLOAT64, False, bytes(8)), "up to 64"),
        ((1, (1,), FLOAT64), "as its state"),
        ({}, "as its state"),
        (None, "as its state"),
    ],
)
def test_array_that_contradicts_itself(tmp_path, state, complaint):
    with refused(complaint):
        read(written(tmp_path, zip_bytes(build(ARRAY, state))))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("_rebuild_tensor_v2", ()),
        ("_rebuild_tensor_v2", (None, 0, (1,), (1,), False, None)),
        ("_rebuild_tensor_v2", (FLOAT64, 0, (1,), (1,), False, None)),
        ("_rebuild_tensor_v2", ([1.0], 0, (1,), (1,), False, None)),
        ("_rebuild_tensor", (SYSTEM, 0, (1,), (1,))),
        ("_rebuild_tensor_v3", (None, 0, (1,), (1,), False, None, None)),
        ("_rebuild_tensor_v3", (None, 0, (1,), (1,), False, None, "float32")),
        ("_rebuild_parameter", ()),
        ("_rebuild_parameter", (3, True, {})),
        ("_rebuild_parameter", ([1.0], True, {})),
    ],
)
def test_rebuilding_from_nonsense(tmp_path, name, arguments):
    made = call(named("torch._utils", name), *arguments)
    with pytest.raises(TorchFileError):
        read(written(tmp_path, zip_bytes(made)))


def test_wide_element_type_over_a_narrow_storage(tmp_path):
    over = persistent(("storage", named("torch", "UntypedStorage"), "0", "cpu", 8))
    raw = {"0": np.arange(4, dtype=np.uint16)}

    def laid(size, offset, dtype):
        rebuild = named("torch._utils", "_rebuild_tensor_v3")
        return call(rebuild, over, offset, size, (1,), False, {}, named("torch", dtype))

    content = read(written(tmp_path, zip_bytes(laid((3,), 1, "uint16"), raw))).content
    np.testing.assert_array_equal(content, np.array([1, 2, 3], np.uint16), strict=True)
    for size, offset, dtype in [((4,), 1, "uint16"), ((2,), 0, "uint64"), ((1,), 1, "complex64")]:
        with refused("reaches element"):
            read(written(tmp_path, zip_bytes(laid(size, offset, dtype), raw)))
