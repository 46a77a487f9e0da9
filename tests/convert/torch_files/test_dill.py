"""Checkpoints written through dill, as those of MadryLab's robustness library are."""

import numpy as np
import pytest
import torch

from pagjax.convert.torch_files import Placeholder, read
from tests.convert.torch_files.assembler import build, call, encode, named, storage, tensor
from tests.convert.torch_files.containers import legacy_bytes, written

PREFIXES = ("module.model.", "module.attacker.model.")


def test_file_of_the_robustness_library(tmp_path):
    """The code object in such files is of an older Python, which today's cannot build."""
    code = call(
        named("dill._dill", "_create_code"),
        *(2, 0, 3, 2, 67, b"|\0\0j\0\0S", (None,), ("args",), ("x", "y"), "main.py", "f", 9, b""),
    )
    function = call(named("dill._dill", "_create_function"), code, {}, "f", None, None, {})
    kind = call(
        named("dill._dill", "_create_type"),
        call(named("dill._dill", "_load_type"), "type"),
        "Parameters",
        (call(named("dill._dill", "_load_type"), "object"),),
        {"__module__": "__main__", "function": function},
    )
    weights = tensor(storage("FloatStorage", "7", 6, None), (2, 3))
    content = {
        "model": {prefix + "conv1.weight": weights for prefix in PREFIXES},
        "schedule": build(call(named("copy_reg", "_reconstructor"), kind, None), {"lr": 0.1}),
        "args": build(call(named("cox.utils", "Parameters")), {"params": {"eps": 0.25}}),
        "nat_prec1": call(named("__main__", "AverageMeter")),
        "epoch": 105,
    }
    values = np.arange(6, dtype=np.float32)
    file = read(written(tmp_path, legacy_bytes(encode(content), {"7": values}), "cifar_l2_1_0.pt"))
    first, second = file.content["model"].values()
    np.testing.assert_array_equal(first, values.reshape(2, 3), strict=True)
    assert np.shares_memory(first, second)
    assert file.content["epoch"] == 105
    assert file.content["args"].state == {"params": {"eps": 0.25}}
    assert file.skipped == (
        "__main__.AverageMeter",
        "copy_reg._reconstructor",
        "cox.utils.Parameters",
        "dill._dill._create_code",
        "dill._dill._create_function",
        "dill._dill._create_type",
        "dill._dill._load_type",
    )


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("protocol", [2, 4])
def test_file_that_dill_writes(tmp_path, zipped, protocol):
    dill = pytest.importorskip("dill", reason="dill is not among the test requirements")

    class Schedule:
        rates = (0.1, 0.01)

        def __call__(self, epoch):
            return self.rates[epoch > 50]

    weights = torch.arange(6.0).reshape(2, 3)
    saved = {
        "model": {prefix + "fc.weight": weights for prefix in PREFIXES},
        "schedule": Schedule(),
        "loss": lambda logits: weights.sum() - logits,
        "epoch": 3,
    }
    path = tmp_path / "dilled.pt"
    torch.save(
        saved,
        path,
        pickle_module=dill,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    file = read(path)
    for array in file.content["model"].values():
        np.testing.assert_array_equal(array, weights.numpy(), strict=True)
    assert file.content["epoch"] == 3
    assert isinstance(file.content["schedule"], Placeholder)
    assert isinstance(file.content["loss"], Placeholder)
    assert "dill._dill._create_code" in file.skipped
