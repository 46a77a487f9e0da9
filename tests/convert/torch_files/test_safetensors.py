"""The safetensors container, as its own library writes it and with headers that lie."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pagjax.convert.torch_files import read
from tests.convert.torch_files.comparison import assert_same, refused
from tests.convert.torch_files.containers import written

DTYPES = [
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.uint16,
    torch.int16,
    torch.float16,
    torch.bfloat16,
    torch.uint32,
    torch.int32,
    torch.float32,
    torch.float64,
    torch.int64,
    torch.uint64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.complex64,
]


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_every_element_type(tmp_path):
    tensors = {str(d): torch.arange(6).reshape(2, 3).to(d) for d in DTYPES}
    tensors |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
    path = tmp_path / "weights.safetensors"
    save_file(tensors, path, {"format": "pt", "arch": "resnet50"})
    file = read(path)
    assert (file.container, file.skipped) == ("safetensors", ())
    assert file.metadata == {"format": "pt", "arch": "resnet50"}
    assert file.content.keys() == tensors.keys()
    for name, values in tensors.items():
        assert_same(file.content[name], values)


def test_no_tensors_and_no_metadata(tmp_path):
    file = read(written(tmp_path, file_of(b"{}   ")))
    assert (file.content, file.metadata) == ({}, {})


def test_order_of_names_is_the_header_s(tmp_path):
    header = {"b": entry(offsets=(8, 16)), "a": entry()}
    content = read(written(tmp_path, file_of(header, struct.pack("<4f", 1, 2, 3, 4)))).content
    assert list(content) == ["b", "a"]
    np.testing.assert_array_equal(content["b"], [3, 4])


def test_arrays_are_read_only(tmp_path):
    content = read(written(tmp_path, file_of({"a": entry()}, bytes(8)))).content
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        content["a"].flags.writeable = True


@pytest.mark.parametrize(
    ("header", "data", "complaint"),
    [
        ({"a": entry()}, bytes(7), "bytes 0 to 8 of 7"),
        ({"a": entry()}, bytes(9), "goes on for 1 bytes"),
        ({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12), "where byte 8 is next"),
        ({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20), "where byte 8 is next"),
        ({"a": entry(), "b": entry()}, bytes(8), "where byte 8 is next"),
        ({"a": entry(offsets=(8, 0))}, bytes(8), "claims bytes 8 to 0"),
        ({"a": entry(offsets=(-8, 0))}, bytes(8), "not a count"),
        ({"a": entry(offsets=(0, 8, 16))}, bytes(8), "not described"),
        ({"a": entry(offsets=(0, 2**63))}, bytes(8), "not a count"),
        ({"a": entry(offsets=(0, 10**400))}, bytes(8), "enormous"),
        ({"a": entry(shape=(3,))}, bytes(8), "claims bytes 0 to 8"),
        ({"a": entry(shape=(2.0,))}, bytes(8), "not a count"),
        ({"a": entry(shape=(True, 2))}, bytes(8), "not a count"),
        ({"a": entry(shape=(-1, -2))}, bytes(8), "not a count"),
        ({"a": entry(shape=(2**40, 2**40))}, bytes(8), "claims bytes"),
        ({"a": entry(shape=(0, 2**62), offsets=(0, 0))}, b"", "claims bytes"),
        ({"a": entry(shape=(1,) * 65, offsets=(0, 4))}, bytes(4), "up to 64"),
        ({"a": entry(dtype="F31")}, bytes(8), "element type 'F31'"),
        ({"a": entry(dtype=["F32"])}, bytes(8), "element type a list"),
        ({"a": entry(dtype="")}, bytes(8), "element type ''"),
        ({"a": 3}, bytes(8), "not described"),
        ({"a": entry() | {"more": 1}}, bytes(8), "not described"),
        ({"__metadata__": {"a": 1}}, b"", "metadata"),
        ({"__metadata__": []}, b"", "metadata"),
        (b'{"a": 1, "a": 1}', b"", "one name twice"),
        (b"{]", b"", "not JSON"),
        (b'{"\xff": 1}', b"", "not JSON"),
        (b'{"a":' + b"[" * 100_000, b"", "not JSON"),
        (b'{"a":' + b"9" * 10_000 + b"}", b"", "not JSON"),
        (b'{"a": NaN}', b"", "not described"),
    ],
)
def test_header_that_lies(tmp_path, header, data, complaint):
    with refused(complaint):
        read(written(tmp_path, file_of(header, data)))


def test_header_longer_than_the_file(tmp_path):
    data = struct.pack("<Q", 2**39) + b'{"a": 1}'
    with refused(r"header claims 549755813888 bytes.*download"):
        read(written(tmp_path, data))


def test_header_beyond_measure(tmp_path):
    with refused("header claims 9000002 bytes"):
        read(written(tmp_path, file_of(b"{" + b" " * 9_000_000 + b"}")))
