"""The zip container beyond what PyTorch writes by itself today."""

import io
import struct
import sys
import zipfile
import zlib

import numpy as np
import pytest
import torch

from pagjax.convert.torch_files import TorchFileError, read
from tests.convert.torch_files.assembler import storage, tensor
from tests.convert.torch_files.comparison import refused
from tests.convert.torch_files.containers import written, zip_bytes

NUMBERS = np.arange(6, dtype=np.float32)
CONTENT = tensor(storage("FloatStorage", "0", 6), (2, 3))


def archive(tmp_path, content=CONTENT, storages=None, **options):
    storages = {"0": NUMBERS} if storages is None else storages
    return written(tmp_path, zip_bytes(content, storages, **options))


@pytest.mark.parametrize("root", ["archive/", "resnet50/", "a b/", "a/b/", ""])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_any_root_folder_stored_or_deflated(tmp_path, root, compression):
    file = read(archive(tmp_path, root=root, compression=compression))
    assert file.container == "zip"
    np.testing.assert_array_equal(file.content, NUMBERS.reshape(2, 3), strict=True)


def test_no_byteorder_member_means_little(tmp_path):
    np.testing.assert_array_equal(read(archive(tmp_path, byteorder=None)).content.ravel(), NUMBERS)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("FloatStorage", NUMBERS),
        ("HalfStorage", NUMBERS.astype(np.float16)),
        ("LongStorage", np.array([1, -2, 2**40, 4, 5, 6])),
        ("ByteStorage", np.arange(6, dtype=np.uint8)),
        ("BoolStorage", np.array([True, False] * 3)),
        ("ComplexDoubleStorage", np.array([1 + 2j, -3j, 0, 4, 5, 6])),
    ],
)
def test_big_endian(tmp_path, kind, values):
    content = tensor(storage(kind, "0", 6), (6,))
    swapped = values.astype(values.dtype.newbyteorder(">"))
    path = archive(tmp_path, content, {"0": swapped}, byteorder="big")
    assert sys.byteorder == "little"
    np.testing.assert_array_equal(read(path).content, values, strict=True)


def test_big_endian_bfloat16(tmp_path):
    content = tensor(storage("BFloat16Storage", "0", 2), (2,))
    path = archive(tmp_path, content, {"0": np.array([0x3F80, 0xC000], ">u2")}, byteorder="big")
    np.testing.assert_array_equal(read(path).content.astype(np.float32), [1, -2])


def test_unknown_byte_order(tmp_path):
    for order in ("middle", "little" * 1000, ""):
        with refused("byte order"):
            read(archive(tmp_path, byteorder=order))


def test_bytes_of_a_boolean_storage_are_made_booleans(tmp_path):
    content = tensor(storage("BoolStorage", "0", 4), (4,))
    values = read(archive(tmp_path, content, {"0": np.array([0, 1, 2, 255], np.uint8)})).content
    assert values.tobytes() == b"\0\1\1\1"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (storage("FloatStorage", "1", 6), "'1' claims 24 bytes, but the archive holds none"),
        (storage("FloatStorage", "0", 7), "claims 28 bytes, but the archive holds 24"),
        (storage("FloatStorage", "0", 2**61), "but the archive holds 24"),
        (storage("FloatStorage", "0", -6), "not a count"),
        (storage("FloatStorage", "../data.pkl", 6), "archive holds none"),
        ([storage("FloatStorage", "0", 6), storage("IntStorage", "0", 6)], "two ways"),
        (storage("FloatStorage", "0", 6, ("1", 0, 6)), "two ways"),
        (tensor(storage("FloatStorage", "0", 6), (7,)), "element 6 of a storage of 6"),
        (tensor(storage("FloatStorage", "0", 6), (2, 3), (3, 2)), "element 7"),
        (tensor(storage("FloatStorage", "0", 6), (1,), (1,), 6), "element 6"),
        (tensor(storage("FloatStorage", "0", 6), (2,), (-1,), 5), "not a count"),
        (tensor(storage("FloatStorage", "0", 6), (2,), (1, 1)), "1 axes but 2 strides"),
        (tensor(storage("FloatStorage", "0", 6), (2**40,), (0,)), "expands to more than"),
        (tensor(storage("FloatStorage", "0", 6), (2**62,), (0,)), "claims the size"),
        (tensor(storage("FloatStorage", "0", 6), (2**63,), (0,)), "not a count"),
        (tensor(storage("FloatStorage", "0", 6), (0, 2**62), (0, 0)), "claims the size"),
        (tensor(storage("FloatStorage", "0", 6), (True,), (1,)), "not a count"),
        (tensor(storage("FloatStorage", "0", 6), (1,) * 65), "up to 64"),
    ],
)
def test_sizes_are_compared_with_what_is_there(tmp_path, content, complaint):
    with refused(complaint):
        read(archive(tmp_path, content))


def test_stride_of_an_axis_of_one_is_free(tmp_path):
    content = tensor(storage("FloatStorage", "0", 6), (1, 6), (2**62, 1))
    np.testing.assert_array_equal(read(archive(tmp_path, content)).content, NUMBERS[None])


@pytest.mark.parametrize("where", ["data.pkl", "data/0", "version", "byteorder"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_flipped_byte_in_any_member_is_noticed(tmp_path, where, compression):
    data = bytearray(zip_bytes(CONTENT, {"0": NUMBERS}, compression=compression))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as whole:
        info = whole.getinfo(f"archive/{where}")
    start = info.header_offset + 30 + len(info.filename)
    unnoticed = []
    for offset in range(info.compress_size):
        damaged = bytearray(data)
        damaged[start + offset] ^= 0x10
        try:
            content = read(written(tmp_path, bytes(damaged))).content
        except TorchFileError as error:
            assert "zip" in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(content.ravel(), NUMBERS)
            unnoticed.append(offset)
    # Bits after the end of deflated data mean nothing.
    assert compression == zipfile.ZIP_DEFLATED or not unnoticed


def test_renamed_byteorder_is_noticed(tmp_path):
    data = zip_bytes(CONTENT, {"0": NUMBERS}, byteorder="big")
    first = data.index(b"archive/byteorder")
    second = data.index(b"archive/byteorder", first + 1)
    damaged = data[:second] + b"archive/byteordes" + data[second + 17 :]
    with refused("differ"):
        read(written(tmp_path, damaged))


def test_cut_short(tmp_path):
    torch.save(torch.ones(1000), tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    for end in (4, 100, len(data) // 2, len(data) - 1):
        with refused(r"stopped too early|cut off|broken"):
            read(written(tmp_path, data[:end]))


@pytest.mark.parametrize(
    ("others", "complaint"),
    [
        ({"archive/constants.pkl": b""}, r"TorchScript.*torch\.jit\.load"),
        ({"second/data.pkl": b"N."}, "2 PyTorch checkpoints"),
    ],
)
def test_other_archives_of_torch(tmp_path, others, complaint):
    with refused(complaint):
        read(archive(tmp_path, others=others))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_as_torch_writes_it(tmp_path):
    path = tmp_path / "script.pt"
    module = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
    torch.jit.save(module, path)
    with refused("TorchScript"):
        read(path)


def test_zip_of_something_else(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=NUMBERS)
    with refused("no PyTorch checkpoints"):
        read(tmp_path / "arrays.npz")


def test_two_members_of_one_name(tmp_path):
    file = io.BytesIO(zip_bytes(CONTENT, {"0": NUMBERS}))
    with zipfile.ZipFile(file, "a") as whole, pytest.warns(UserWarning, match="Duplicate"):
        whole.writestr("archive/data/0", (-NUMBERS).tobytes())
    with refused("two members of one name"):
        read(written(tmp_path, file.getvalue()))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, compression):
    with refused("compression"):
        read(archive(tmp_path, compression=compression))


def edit_directory(data, name, offset, layout, value):
    """Overwrite a field of a member's entry in the list of members."""
    at = data.rindex(name) - 46
    assert data[at : at + 4] == b"PK\1\2"
    edited = bytearray(data)
    struct.pack_into(layout, edited, at + offset, value)
    return bytes(edited)


def test_encrypted_member(tmp_path):
    data = edit_directory(zip_bytes(CONTENT, {"0": NUMBERS}), b"archive/data/0", 8, "<H", 1)
    with refused("encrypted"):
        read(written(tmp_path, data))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 23, 25, 2**31])
def test_member_of_another_size_than_it_claims(tmp_path, compression, size):
    data = zip_bytes(CONTENT, {"0": NUMBERS}, compression=compression)
    data = edit_directory(data, b"archive/data/0", 24, "<I", size)
    with pytest.raises(TorchFileError):
        read(written(tmp_path, data))


def test_members_that_overlap(tmp_path):
    # Forty names for one member: its bytes count forty times.
    data = zip_bytes(CONTENT, {"0": np.zeros(50_000, np.float32)})
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    listed, rest = data[start:end], data[end:]
    at = listed.index(b"archive/data/0") - 46
    entry = listed[at : at + 46 + len(b"archive/data/0")]
    copies = [entry[:-1] + bytes([65 + i]) for i in range(40)]
    rest = bytearray(rest)
    count = struct.unpack_from("<H", rest, 8)[0] + 40
    size = len(listed) + sum(map(len, copies))
    struct.pack_into("<HHI", rest, 8, count, count, size)
    with refused("overlap"):
        read(written(tmp_path, data[:start] + listed + b"".join(copies) + bytes(rest)))


def test_archive_that_inflates_without_end(tmp_path):
    zeros = np.zeros(30_000_000, np.float32)
    content = storage("FloatStorage", "0", zeros.size)
    data = zip_bytes(content, {"0": zeros}, compression=zipfile.ZIP_DEFLATED)
    assert len(data) < 200_000
    with refused("would inflate to 1200"):
        read(written(tmp_path, data))


def test_moderately_compressed_archive_is_read(tmp_path):
    zeros = np.zeros(1_000_000, np.float32)
    content = storage("FloatStorage", "0", zeros.size)
    path = archive(tmp_path, content, {"0": zeros}, compression=zipfile.ZIP_DEFLATED)
    np.testing.assert_array_equal(read(path).content, zeros)


def test_list_of_members_that_would_fill_the_memory(tmp_path):
    data = bytearray(zip_bytes(CONTENT, {"0": NUMBERS}))
    struct.pack_into("<I", data, data.rindex(b"PK\5\6") + 12, 2**31)
    with refused("list of members"):
        read(written(tmp_path, bytes(data)))


def test_checksum_of_the_list_is_the_one_compared(tmp_path):
    data = zip_bytes(CONTENT, {"0": NUMBERS})
    checksum = zlib.crc32(NUMBERS.tobytes())
    edited = edit_directory(data, b"archive/data/0", 16, "<I", checksum ^ 1)
    with refused("CRC"):
        read(written(tmp_path, edited))
