"""What is no network's weights is refused, and called what it is."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from pagjax.checkpoints import CheckpointError
from pagjax.convert import layouts, torch_resnets
from tests.convert.files import arrays, small

NETWORK = arrays(small())


def _with(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    return {**NETWORK, name: value}


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.bool_, np.complex64, np.int64])
@pytest.mark.parametrize("name", ["conv1.weight", "layer2.0.bn1.running_mean", "fc.bias"])
def test_only_floating_point_tensors_are_weights(kind, name):
    with pytest.raises(CheckpointError, match=rf"{name} \({np.dtype(kind)}\)"):
        layouts.recognise(_with(name, NETWORK[name].astype(kind)))


def test_eight_bit_floats_are_quantised():
    tensor = NETWORK["conv1.weight"].astype(ml_dtypes.float8_e4m3fn)
    with pytest.raises(CheckpointError, match=r"conv1.weight \(float8_e4m3fn\)"):
        layouts.recognise(_with("conv1.weight", tensor))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_all_widths_of_floating_point_are_weights(kind):
    """Counters of batches may be of any type."""
    state = {k: v.astype(kind) for k, v in NETWORK.items()}
    state["bn1.num_batches_tracked"] = np.array(3, np.int64)
    found = layouts.recognise(state).state
    torch_resnets.convert(found, torch_resnets.identify(found))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_must_be_finite_in_float32(value):
    tensor = NETWORK["conv1.weight"].copy()
    tensor[0, 0, 0, 0] = value
    with pytest.raises(CheckpointError, match=r"NaN or infinite in float32: conv1.weight"):
        layouts.recognise(_with("conv1.weight", tensor))


@pytest.mark.parametrize("value", [-1.0, -1e-12])
def test_variances_are_not_negative(value):
    tensor = NETWORK["bn1.running_var"].copy()
    tensor[1] = value
    with pytest.raises(CheckpointError, match=r"variances below zero: bn1.running_var"):
        layouts.recognise(_with("bn1.running_var", tensor))


@pytest.mark.parametrize("name", ["fc.weight", "conv1.weight"])
def test_empty_tensors_are_refused(name):
    empty = np.zeros((0, *NETWORK[name].shape[1:]))
    with pytest.raises(CheckpointError, match=f"without a single number: {name}"):
        layouts.recognise(_with(name, empty))


@pytest.mark.parametrize(("channels", "kind"), [(1, "greyscale"), (4, "4-channel")])
def test_stems_for_other_images_are_refused(channels, kind):
    with pytest.raises(CheckpointError, match=f"conv1.weight takes {kind} images"):
        layouts.recognise(_with("conv1.weight", np.ones((4, channels, 3, 3))))


HEADLESS = {name: value for name, value in NETWORK.items() if not name.startswith("fc.")}
FC = {"weight": NETWORK["fc.weight"], "bias": NETWORK["fc.bias"]}


def _head(*names: str) -> dict[str, np.ndarray]:
    return {f"{name}.{part}": value for name in names for part, value in FC.items()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADLESS, "encoder of 8 features .* without a classifier: fc.weight and fc.bias"),
        ({"student": HEADLESS, "epoch": 3}, r"\(under student\) without a classifier"),
        (HEADLESS | _head("fc.0", "fc.2"), r"2 linear layers \(fc.0, fc.2\).*projection head"),
        (HEADLESS | {"fc.1.running_var": np.ones(5)} | _head("fc.0"), "fc.0 is not alone in fc"),
        ({"weight": np.zeros(3)}, "no residual network found among 1 tensors"),
        ({"cls_token": np.zeros((1, 1, 8))}, "it looks like a vision transformer"),
        ({"conv1.weight_mask": np.ones(3)}, "it looks like pruned layers"),
        ({"epoch": 3}, "no tensors"),
        ([1, 2], "a list, not a dict"),
        (None, "a NoneType, not a dict"),
    ],
)
def test_others_are_refused_by_what_they_are(content, message):
    with pytest.raises(CheckpointError, match=message):
        layouts.recognise(content)


def test_half_a_normaliser_is_refused():
    with pytest.raises(CheckpointError, match=r"normalizer.new_mean is half of a normaliser"):
        layouts.recognise({"normalizer.new_mean": np.ones((3, 1, 1)), **NETWORK})


@pytest.mark.parametrize("names", [("mu", "sigma"), ("normalize.mean", "normalize.std")])
@pytest.mark.parametrize("prefix", ["", "model.", "a.b."])
def test_buffers_of_other_kinds_do_not_clamp(names, prefix):
    numbers = (np.full((1, 3, 1, 1), 0.4), np.full((1, 3, 1, 1), 0.2))
    state = {f"{prefix}{name}": value for name, value in zip(names, numbers, strict=True)}
    layout = layouts.recognise({"net": state | {prefix + k: v for k, v in NETWORK.items()}})
    (stored,) = layout.normalizers
    assert not stored.clamp
    assert stored.normalizer().mean == (0.4, 0.4, 0.4)
    assert layout.warnings == ()


def test_each_network_has_the_normaliser_before_it():
    other = arrays(small(seed=2))
    content = {
        "student": {f"model.{k}": v for k, v in NETWORK.items()}
        | {"normalizer.new_mean": np.full(3, 0.5), "normalizer.new_std": np.full(3, 0.25)},
        "teacher": other,
    }
    assert layouts.recognise(content, "student").normalizers[0].clamp
    assert layouts.recognise(content, "teacher").normalizers == ()
