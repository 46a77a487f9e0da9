"""Files that PyTorch itself writes come back bit for bit, in both forms that it can write."""

import hashlib
import tracemalloc
from collections import Counter, OrderedDict, defaultdict

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn

from pagjax.convert.torch_files import Placeholder, read
from tests.convert.torch_files.comparison import assert_same

FORMS = ["zip", "legacy"]
DTYPES = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.bool,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
]


@pytest.fixture(params=FORMS)
def save(request, tmp_path):
    """Saves an object in one of the forms and returns the path."""

    def save(value, protocol=2):
        path = tmp_path / "weights.pt"
        zipped = request.param == "zip"
        torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
        return path

    save.form = request.param
    return save


def trained_network():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2)
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        network(torch.randn(5, 3, 8, 8)).square().sum().backward()
        optimizer.step()
    return network, optimizer


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_element_type(save, dtype):
    values = torch.arange(12, dtype=torch.float32).reshape(3, 4).to(dtype)
    content = read(save({"values": values, "one": values[1, 2].clone()})).content
    assert assert_same(content, {"values": values, "one": values[1, 2].clone()}) == 2


def test_special_floats_keep_their_bits(save):
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        values = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-7], dtype=dtype)
        assert_same(read(save(values)).content, values)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_checkpoint_with_optimizer(save, protocol):
    network, optimizer = trained_network()
    saved = {
        "epoch": 3,
        "arch": "resnet50",
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": (0.5, None, True, [1, -(2**40), 2**70], {"nested": {"ü": b"\xff"}}),
    }
    path = save(saved, protocol)
    file = read(path)
    assert file.container == save.form
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.skipped == ()
    assert file.metadata == {}
    # 8 entries of the network (3 of them of one number), 5 momenta.
    assert assert_same(file.content, saved) == 8 + 5
    assert type(file.content["state_dict"]) is OrderedDict


def test_tensors_that_are_views(save):
    base = torch.arange(24.0).reshape(4, 6)
    saved = {
        "transposed": base.t(),
        "part": base[1:, 2:5],
        "every other": base[::2, ::3],
        "column": base[:, 4],
        "repeated": base[0].expand(5, 6),
        "scalar": base[2, 3],
        "empty": torch.zeros(0, 3),
        "base": base,
    }
    content = read(save(saved)).content
    assert_same(content, saved)
    assert np.shares_memory(content["base"], content["part"])
    assert np.shares_memory(content["base"], content["transposed"])


def test_arrays_cannot_be_written_to_nor_made_writable(save):
    content = read(
        save([torch.ones(3), torch.zeros(3).bool(), nn.Parameter(torch.ones(2))])
    ).content
    for array in (*content, content[0][1:]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True


def test_tied_parameters_stay_tied(save):
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    content = read(save({"a": first.state_dict(), "b": second.state_dict()})).content
    assert np.shares_memory(content["a"]["weight"], content["b"]["weight"])
    assert not np.shares_memory(content["a"]["bias"], content["b"]["bias"])


def test_parameters_and_buffers_are_arrays(save):
    plain, tagged = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.zeros(3))
    tagged.note = "an attribute makes PyTorch save a state along"
    content = read(save({"plain": plain, "tagged": tagged, "again": plain})).content
    assert assert_same(content, {"plain": plain, "tagged": tagged, "again": plain}) == 3


class Tagged(torch.Tensor):
    pass


def test_tensor_of_a_subclass_is_an_array(save):
    values = torch.arange(3.0)
    file = read(save(values.as_subclass(Tagged)))
    assert_same(file.content, values)
    assert any(name.endswith("Tagged") for name in file.skipped)


def test_bare_storages_are_flat_arrays(save):
    content = read(save({"untyped": torch.ones(2, dtype=torch.int16).untyped_storage()})).content
    np.testing.assert_array_equal(content["untyped"], np.array([1, 0, 1, 0], np.uint8))


def test_values_of_torch_become_plain(save):
    saved = {
        "size": torch.Size([2, 3]),
        "device": torch.device("cuda:1"),
        "cpu": torch.device("cpu"),
    }
    assert read(save(saved)).content == {"size": (2, 3), "device": "cuda:1", "cpu": "cpu"}
    dtypes = {"half": torch.float16, "brain": torch.bfloat16}
    assert read(save(dtypes)).content == {"half": np.float16, "brain": ml_dtypes.bfloat16}


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_numpy_values(save, protocol):
    saved = {
        "double": np.float64(0.25),
        "half": np.float16(1.5),
        "long": np.int64(-7),
        "yes": np.bool_(True),
        "complex": np.complex128(1 + 2j),
        "array": np.arange(6, dtype=np.int32).reshape(2, 3),
        "columns": np.arange(6.0).reshape(2, 3).T,
        "bools": np.array([True, False]),
        "none": np.zeros((0, 4), np.float32),
        "scalar": np.array(3.5),
    }
    file = read(save(saved, protocol))
    assert_same(file.content, saved)
    assert file.skipped == ()


def test_numpy_of_the_other_byte_order_comes_out_native(save):
    content = read(save([np.arange(3, dtype=">i4"), np.float32(2).astype(">f4")])).content
    np.testing.assert_array_equal(content[0], np.arange(3, dtype=np.int32), strict=True)
    assert content[1] == 2


def test_numpy_objects_and_text_are_placeholders_and_loading_goes_on(save):
    saved = {"object": np.array([{}, len]), "text": np.str_("x"), "after": torch.ones(2)}
    file = read(save(saved))
    assert isinstance(file.content["object"], Placeholder)
    assert isinstance(file.content["text"], Placeholder)
    np.testing.assert_array_equal(file.content["after"], [1, 1])
    assert {"numpy.dtype", "numpy.ndarray"} <= set(file.skipped)


def test_containers_of_the_standard_library(save):
    _, optimizer = trained_network()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5, 5]).state_dict()
    saved = {
        "milestones": schedule["milestones"],
        "default": defaultdict(list, {"a": [1]}),
        "set": {1, "a"},
        "frozen": frozenset([2]),
        "complex": 1j,
        "bytes": bytearray(b"xy"),
    }
    assert isinstance(schedule["milestones"], Counter)
    content = read(save(saved)).content
    assert content["milestones"] == {3: 1, 5: 2}
    assert content["default"] == {"a": [1]}
    assert content["set"] == {1, "a"}
    assert content["frozen"] == {2}
    assert content["complex"] == 1j
    assert content["bytes"] == b"xy"


def test_whole_network_is_an_inert_placeholder_with_its_arrays(save):
    network, _ = trained_network()
    file = read(save({"model": network, "epoch": 1}))
    model = file.content["model"]
    assert isinstance(model, Placeholder)
    assert (model.module, model.name) == ("torch.nn.modules.container", "Sequential")
    first = model.state["_modules"]["0"]
    assert first.name == "Conv2d"
    assert_same(first.state["_parameters"]["weight"], network[0].weight)
    assert file.content["epoch"] == 1
    assert file.skipped == (
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.flatten.Flatten",
        "torch.nn.modules.linear.Linear",
    )


def test_sparse_tensor_is_a_placeholder(save):
    file = read(save({"sparse": torch.eye(3).to_sparse(), "dense": torch.eye(3)}))
    assert isinstance(file.content["sparse"], Placeholder)
    np.testing.assert_array_equal(file.content["dense"], np.eye(3))
    assert "torch._utils._rebuild_sparse_tensor" in file.skipped


def test_lazily_conjugated_tensor_is_refused_with_its_cure(save):
    path = save(torch.ones(2, dtype=torch.complex64).conj())
    with pytest.raises(ValueError, match=r"weights\.pt: .*conjugated.*resolve_conj"):
        read(path)


def test_memory_is_that_of_the_arrays(save):
    saved = {str(i): torch.full((1 << 20,), float(i)) for i in range(8)}
    path = save(saved)
    read(path)
    tracemalloc.start()
    content = read(path).content
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = sum(array.nbytes for array in content.values())
    assert size == 8 << 22
    assert held < 1.01 * size
    # A megabyte at a time goes through the checksums.
    assert peak < size + (4 << 20)


def test_path_may_be_text(save):
    assert read(str(save({"epoch": 1}))).content == {"epoch": 1}
