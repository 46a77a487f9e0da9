"""Compares what was read with what PyTorch holds or reads."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from pagjax.convert.torch_files import TorchFileError

# PyTorch hands these to numpy only as integers of their width.
_WITHOUT_NUMPY = {
    torch.bfloat16: (torch.int16, ml_dtypes.bfloat16),
    torch.float8_e5m2: (torch.uint8, ml_dtypes.float8_e5m2),
    torch.float8_e4m3fn: (torch.uint8, ml_dtypes.float8_e4m3fn),
}


def as_array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    if tensor.dtype in _WITHOUT_NUMPY:
        width, dtype = _WITHOUT_NUMPY[tensor.dtype]
        return tensor.contiguous().view(width).numpy().view(dtype)
    return tensor.numpy()


def assert_same(ours: Any, theirs: Any, where: str = "content") -> int:
    """Compare bit for bit, and return how many tensors there were."""
    if isinstance(theirs, torch.Tensor):
        expected = as_array(theirs)
        assert type(ours) is np.ndarray, where
        assert (ours.dtype, ours.shape) == (expected.dtype, expected.shape), where
        assert ours.tobytes() == expected.tobytes(), where
        assert not ours.flags.writeable, where
        return 1
    assert type(ours) is type(theirs), where
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), where
        return sum(assert_same(ours[key], theirs[key], f"{where}/{key}") for key in theirs)
    if isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), where
        pairs = enumerate(zip(ours, theirs, strict=True))
        return sum(assert_same(a, b, f"{where}/{i}") for i, (a, b) in pairs)
    if isinstance(theirs, np.ndarray):
        np.testing.assert_array_equal(ours, theirs, strict=True, err_msg=where)
        return 0
    assert ours == theirs, where
    return 0


def refused(complaint: str) -> pytest.RaisesExc[TorchFileError]:
    """Expect a refusal; the complaint is looked for behind the file's name, not in it."""
    return pytest.raises(TorchFileError, match=rf"\.\w+: .*(?:{complaint})")
