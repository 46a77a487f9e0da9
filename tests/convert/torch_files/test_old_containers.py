"""The stream and the tar archive that PyTorch no longer writes, made by hand."""

import numpy as np
import pytest
import torch

from pagjax.convert.torch_files import read
from tests.convert.torch_files.assembler import (
    build,
    call,
    encode,
    keep,
    named,
    new,
    persistent,
    pickled,
    recall,
    storage,
    tensor,
)
from tests.convert.torch_files.comparison import assert_same, refused
from tests.convert.torch_files.containers import (
    legacy_bytes,
    storage_record,
    tar_bytes,
    tensor_record,
    written,
)

NUMBERS = np.arange(10, dtype=np.float32)


def stream(tmp_path, content, storages=None):
    return written(tmp_path, legacy_bytes(content, storages))


def parameter(identity, slot):
    """A Parameter as old Pythons pickled it: made first, kept, then given its state."""
    made = keep(new(named("torch.nn.parameter", "Parameter")), slot)
    return build(made, (persistent(identity), None, None, True, False))


def tar_example(**changes):
    """Two tensors on one storage, one on a part of another, one of another type."""
    content = {
        "weight": parameter("11", 1),
        "again": recall(1),
        "running_mean": persistent("12"),
        "part": persistent("13"),
        "steps": persistent("14"),
    }
    pieces = {
        "content": content,
        "storages": [
            storage_record(1, "FloatStorage", NUMBERS),
            storage_record(2, "LongStorage", np.array([7, 8])),
        ],
        "parts": [(3, 1, 2, 4)],
        "tensors": [
            tensor_record(11, 1, (2, 3), (3, 1)),
            tensor_record(12, 1, (3,), (2,), 4),
            tensor_record(13, 3, (2, 2), (1, 2)),
            tensor_record(14, 2, (), (), 1),
        ],
    }
    return tar_bytes(**(pieces | changes))


# The stream.


def test_stream_with_a_view_of_a_storage(tmp_path):
    root = storage("FloatStorage", "940", 10, None)
    part = storage("FloatStorage", "940", 10, ("941", 2, 5))
    path = stream(
        tmp_path,
        {"whole": tensor(root, (2, 5)), "part": tensor(part, (2, 2), (2, 1), 1)},
        {"940": NUMBERS},
    )
    content = read(path).content
    np.testing.assert_array_equal(content["whole"], NUMBERS.reshape(2, 5))
    np.testing.assert_array_equal(content["part"], [[3, 4], [5, 6]])
    assert np.shares_memory(content["whole"], content["part"])
    theirs = torch.load(path, weights_only=False)
    np.testing.assert_array_equal(content["part"], theirs["part"])


@pytest.mark.parametrize("view", [(8, 3), (11, 0), (-1, 2), (0, 2**62)])
def test_stream_with_a_view_outside_its_storage(tmp_path, view):
    part = storage("FloatStorage", "940", 10, ("941", *view))
    with refused(r"part from|not a count"):
        read(stream(tmp_path, tensor(part, (1,)), {"940": NUMBERS}))


def test_tensor_may_not_reach_beyond_its_view(tmp_path):
    part = storage("FloatStorage", "940", 10, ("941", 2, 5))
    with refused("reaches element 5 of a storage of 5"):
        read(stream(tmp_path, tensor(part, (6,)), {"940": NUMBERS}))


def test_oldest_rebuild_function_and_parameter(tmp_path):
    over = storage("FloatStorage", "1", 10, None)
    oldest = call(named("torch._utils", "_rebuild_tensor"), over, 2, (2, 2), (2, 1))
    wrapped = call(named("torch._utils", "_rebuild_parameter"), oldest, True, {})
    path = stream(tmp_path, {"plain": oldest, "wrapped": wrapped}, {"1": NUMBERS})
    for array in read(path).content.values():
        np.testing.assert_array_equal(array, [[2, 3], [4, 5]])


def test_whole_network_keeps_its_class_name_only(tmp_path):
    source = "import os\nos.system('never run')\n"
    kind = named("torch.nn.modules.linear", "Linear")
    network = build(new(persistent(("module", kind, "/linear.py", source))), {"in_features": 3})
    file = read(stream(tmp_path, network))
    assert (file.content.name, file.content.state) == ("Linear", {"in_features": 3})
    assert file.skipped == ("torch.nn.modules.linear.Linear",)


def test_ordered_dict_metadata_is_dropped(tmp_path):
    entries = call(named("collections", "OrderedDict"), [["a", 1], ["b", 2]])
    file = read(stream(tmp_path, build(entries, {"_metadata": {"": {"version": 1}}})))
    assert list(file.content.items()) == [("a", 1), ("b", 2)]
    assert not hasattr(file.content, "_metadata")


def test_text_of_python_2_is_text_and_raw_data_stays_bytes(tmp_path):
    raw = np.float64(0.25).tobytes() + b"\xff"
    text = type(encode(1))(b"U\x05conv1")
    data = type(encode(1))(b"U" + bytes([len(raw)]) + raw)
    assert read(stream(tmp_path, [text, data])).content == ["conv1", raw]


@pytest.mark.parametrize("value", [0.25, -7.0, 3.14159, 1e300])
def test_numpy_numbers_of_python_2(tmp_path, value):
    raw = np.float64(value).tobytes()
    text = type(encode(1))(b"U" + bytes([len(raw)]) + raw)
    dtype = build(call(named("numpy", "dtype"), "f8", 0, 1), (3, "<", None, None, None, -1, -1, 0))
    made = call(named("numpy.core.multiarray", "scalar"), dtype, text)
    content = read(stream(tmp_path, made)).content
    assert type(content) is np.float64
    assert content == value


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda data: data + b"\0", "goes on for 1 bytes"),
        (lambda data: data[:-1], "ends 1 bytes too early"),
        (lambda data: data[: len(data) // 2], "too early"),
        (lambda data: data.replace(b"\x8a\x02\xe9\x03.", b"\x8a\x02\xea\x03."), "version 1002"),
    ],
)
def test_damaged_stream(tmp_path, change, complaint):
    data = legacy_bytes(tensor(storage("FloatStorage", "1", 10, None), (10,)), {"1": NUMBERS})
    with refused(complaint):
        read(written(tmp_path, change(data)))


@pytest.mark.parametrize(
    ("claims", "held", "complaint"),
    [
        ({"1": 10, "2": 10}, {"1": 10}, "lists other storages"),
        ({"1": 10}, {"1": 10, "2": 10}, "lists other storages"),
        ({"1": 9}, {"1": 10}, "9 elements is stored with 10"),
        ({"1": 2**40}, {"1": 10}, "claim more bytes than the file holds"),
        ({"1": -1}, {"1": 10}, "not a count"),
    ],
)
def test_stream_whose_storages_do_not_fit(tmp_path, claims, held, complaint):
    content = [storage("FloatStorage", key, numel, None) for key, numel in claims.items()]
    storages = {key: NUMBERS[:numel] for key, numel in held.items()}
    with refused(complaint):
        read(stream(tmp_path, content, storages))


def test_storage_described_in_two_ways(tmp_path):
    for other in (("FloatStorage", "1", 5), ("IntStorage", "1", 10)):
        content = [storage("FloatStorage", "1", 10, None), storage(*other, None)]
        with refused("two ways"):
            read(stream(tmp_path, content, {"1": NUMBERS}))


def test_storage_of_an_unknown_class(tmp_path):
    for kind in ("TypedStorage", "MysteryStorage"):
        with refused("storage of the class"):
            read(stream(tmp_path, storage(kind, "1", 10, None), {"1": NUMBERS}))


# The tar archive.


def test_tar_with_shared_storages_views_and_parameters(tmp_path):
    path = written(tmp_path, tar_example(), "resnet50.pth")
    file = read(path)
    assert (file.container, file.skipped) == ("tar", ())
    content = file.content
    np.testing.assert_array_equal(content["weight"], [[0, 1, 2], [3, 4, 5]])
    assert content["again"] is content["weight"]
    np.testing.assert_array_equal(content["running_mean"], [4, 6, 8])
    np.testing.assert_array_equal(content["part"], [[2, 4], [3, 5]])
    np.testing.assert_array_equal(content["steps"], np.array(8), strict=True)
    for name in ("running_mean", "part"):
        assert np.shares_memory(content["weight"], content[name])
    assert not any(array.flags.writeable for array in content.values())


def test_torch_reads_the_same_tar(tmp_path):
    path = written(tmp_path, tar_example())
    assert assert_same(read(path).content, torch.load(path, weights_only=False)) == 5


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"parts": [(3, 1, 8, 4)]}, "part from 8 to 12"),
        ({"parts": [(3, 9, 0, 1)]}, "storage 9, which it does not hold"),
        ({"parts": [(1, 1, 0, 1)]}, "its tensor is called 1"),
        ({"parts": [(3, 1, -1, 1)]}, "not a count"),
        ({"parts": [3]}, "part of a storage is 3"),
        ({"storages": []}, "which it does not hold"),
        ({"tensors": []}, "tensor 11, which it does not hold"),
        ({"content": persistent("x" * 99)}, "tensor 'xxx"),
        ({"content": persistent("9" * 5000)}, "tensor '999"),
        ({"content": persistent(3.5)}, "tensor 3.5"),
        ({"tensors": [tensor_record(11, 1, (4, 3), (3, 1))]}, "reaches element 11"),
        ({"tensors": [tensor_record(11, 1, (2**40, 2**40), (0, 0))]}, "claims the size"),
        ({"tensors": [tensor_record(11, 1, (2**40,), (0,))]}, "expands to more than"),
        ({"tensors": [tensor_record(11, 1, (-2,), (1,))]}, "not a count"),
        ({"tensors": [tensor_record(11, 1, (2,), (-1,), 5)]}, "not a count"),
        ({"tensors": [tensor_record(11, 1, (1,) * 65, (1,) * 65)]}, "65 axes"),
    ],
)
def test_tar_that_contradicts_itself(tmp_path, changes, complaint):
    with refused(complaint):
        read(written(tmp_path, tar_example(**changes)))


def test_tar_members_that_claim_too_much(tmp_path):
    for member in ("storages", "tensors"):
        for claim in (2**40, -1, "many"):
            with refused(r"more than it holds|not a count"):
                read(written(tmp_path, tar_example(members={member: pickled(claim)})))


def test_tar_of_another_version(tmp_path):
    for system in ({"protocol_version": 999}, 1000):
        with refused("unknown version"):
            read(written(tmp_path, tar_example(members={"sys_info": pickled(system)})))


def test_damaged_tar(tmp_path):
    data = tar_example()
    with refused("checksum"):
        read(written(tmp_path, data[:130] + b"7" + data[131:]))
    with refused(r"cut short|without"):
        read(written(tmp_path, data[: len(data) // 3]))


def test_tar_of_something_else(tmp_path):
    with refused(r"holds 'notes\.txt'.*Unpack"):
        read(written(tmp_path, tar_example(members={"notes.txt": b"hello"})))
