"""Which network a state dict is of: its shape, its name, what cannot be told, what is refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax
import numpy as np
import pytest
import torch

from pagjax.checkpoints import CheckpointError, store
from pagjax.convert import torch_resnets
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from peers.torch_networks import Basic, Bottleneck, TorchResNet
from peers.torch_preactivation import TorchPreActResNet, TorchWideResNet

State = dict[str, np.ndarray]


def _state(network: torch.nn.Module) -> State:
    return {k: v.numpy() for k, v in network.state_dict().items() if "tracked" not in k}


def _resnet(stem: str = "cifar", block: type = Basic, sizes=(1, 1), **options: Any) -> State:
    return _state(TorchResNet(stem, block, sizes, 8, 10, **options))


STRIDES = {"stem_stride": (1, 2), "max_pool": (False, True)}
IMAGENET = {"stem_stride": (2, 1), "max_pool": (True, False)}
PROJECTIONS = {"shortcut": ("projection", "projection_of_input")}
KNOWN: dict[str, tuple[Any, dict[str, Any]]] = {
    "cifar-resnet18-width8": (lambda: _resnet(sizes=(2, 2, 2, 2)), STRIDES),
    "cifar-resnet8-a-width8": (
        lambda: _resnet(sizes=(1, 1, 1), shortcut=None),
        STRIDES | {"shortcut": ("padding", "padding_end")},
    ),
    "wide_resnet50_2-width8": (
        lambda: _resnet("imagenet", Bottleneck, (3, 4, 6, 3), widening=2),
        IMAGENET | {"stride_on": ("3x3", "1x1")},
    ),
    "wide_resnet101_4-width8": (
        lambda: _resnet("imagenet", Bottleneck, (3, 4, 23, 3), widening=4),
        IMAGENET | {"stride_on": ("3x3", "1x1")},
    ),
    "wide-resnet16-3": (lambda: _state(TorchWideResNet(2, 3)), {"stem_stride": (1, 2)}),
    "wide-resnet10-1": (
        lambda: _state(TorchWideResNet(1, 1, shortcut="shortcut")),
        {"stem_stride": (1, 2)} | PROJECTIONS,
    ),
    "preact-resnet18-width8": (
        lambda: _state(TorchPreActResNet((2, 2, 2, 2))),
        {"stem_stride": (1, 2)} | PROJECTIONS,
    ),
    "preact-resnet50-width8": (
        lambda: _state(TorchPreActResNet((3, 4, 6, 3), bottleneck=True)),
        {"stem_stride": (1, 2)} | PROJECTIONS | {"stride_on": ("3x3", "1x1")},
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_names_and_choices(name):
    make, choices = KNOWN[name]
    state = make()
    found = torch_resnets.identify(state)
    assert found.name == name
    assert torch_resnets.choices(found) == choices
    for field, values in choices.items():
        assert getattr(found.config, field) == values[0]
        other = torch_resnets.choose(found, **{field: values[1]})
        assert getattr(other.config, field) == values[1]
        assert other.config != found.config
        assert dataclasses.replace(other.config, **{field: values[0]}) == found.config


def test_all_choices_take_the_same_weights():
    state = _resnet("imagenet", Bottleneck)
    found = torch_resnets.identify(state)
    other = torch_resnets.choose(found, stem_stride=1, max_pool=False, stride_on="1x1")
    one, two = (torch_resnets.convert(state, each) for each in (found, other))
    assert one.keys() == two.keys()
    np.testing.assert_array_equal(
        one["params"]["stage2_block1"]["layer1"]["conv"]["kernel"],
        two["params"]["stage2_block1"]["layer1"]["conv"]["kernel"],
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stem_stride": 3}, "stem_stride 3: for a cifar-.* choose 1, 2"),
        ({"max_pool": 1}, "max_pool 1: for a cifar-.* choose False, True"),
        ({"stride_on": "1x1"}, "stride_on: of a cifar-.* choose stem_stride, max_pool"),
        ({"width": 16}, "width: of a cifar-.* choose"),
    ],
)
def test_other_choices_are_refused(values, message):
    with pytest.raises(CheckpointError, match=message):
        torch_resnets.choose(torch_resnets.identify(_resnet()), **values)


def test_the_unused_stage_is_left_out_and_said():
    state = _state(TorchWideResNet(1, 2, unused=True))
    found = torch_resnets.identify(state)
    assert found.notes == (
        "left out 11 tensors of sub_block1, which TRADES's WideResNet has and never runs",
    )
    with_it = torch_resnets.convert(state, found)
    used = {key: value for key, value in state.items() if not key.startswith("sub_block1.")}
    without = torch_resnets.convert(used, torch_resnets.identify(used))
    assert with_it["params"].keys() == without["params"].keys()
    del state["sub_block1.layer.0.conv2.weight"]
    with pytest.raises(CheckpointError, match="sub_block1 has other tensors than block1"):
        torch_resnets.identify(state)


def _set(name: str, *shape: int):
    return lambda state: state.update({name: np.zeros(shape, np.float32)})


def _drop(*names: str):
    def change(state: State) -> None:
        for key in [key for key in state if any(name in key for name in names)]:
            del state[key]

    return change


def _rename(before: str, after: str):
    def change(state: State) -> None:
        for key in [key for key in state if before in key]:
            state[key.replace(before, after)] = state.pop(key)

    return change


REFUSED = {
    "group norm": (_drop("running_"), "without running statistics"),
    "grouped": (_set("layer1.0.conv2.weight", 8, 2, 3, 3), "ResNeXt"),
    "deep stem": (_rename("conv1.weight", "conv1.0.weight"), "ResNet-C/D"),
    "squeeze": (_set("layer1.0.se.fc.0.weight", 2, 8), "squeeze-and-excitation"),
    "biases": (_set("layer1.0.conv2.bias", 8), r"have biases \(layer1.0.conv2.bias\)"),
    "large stem": (_set("conv1.weight", 8, 3, 5, 5), "5x5 on 3 channels"),
    "grey stem": (_set("conv1.weight", 8, 1, 3, 3), "3x3 on 1 channels"),
    "no stem": (_rename("conv1.weight", "stem.weight"), "no first convolution conv1.weight"),
    "no head": (_drop("fc."), "no classifier.*: the network has conv1, bn1, layer1, layer2"),
    "many layers": (_rename("fc.", "fc.0."), None),
    "no classes": (_set("fc.weight", 0, 16), "no classes"),
    "meliketoy": (_set("bn1.weight", 16), "last batch norm is called bn1"),
    "gap in stages": (_rename("layer2.", "layer3."), r"stages \[1, 3\]"),
    "gap in blocks": (_rename("layer2.0.", "layer2.9999."), "stage 2 has 1 blocks"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_network_is_refused_by_what_it_is(case):
    change, message = REFUSED[case]
    state = _resnet()
    change(state)
    if message is None:  # a sequence of one layer is read
        assert torch_resnets.identify(state).head == "fc.0"
        state["fc.2.weight"] = np.zeros((10, 10), np.float32)
        message = r"several layers \(fc.0, fc.2\)"
    with pytest.raises(CheckpointError, match=message):
        torch_resnets.identify(state)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("init_conv.weight", "DeepMind's WideResNet .swish"),
        ("layer.0.block.0.conv_0.weight", "DeepMind's WideResNet .swish"),
        ("layer_0.0.conv_2d_1.weight", "DeepMind's pre-activation ResNet .swish"),
        ("stem_conv.weight", "WideResNet of stages of any width"),
        ("block1.layer.0.activation.alpha", "trained activations"),
        ("layer1.0.bn0.weight", "blocks from bn0"),
        ("cls_token", "vision transformer"),
        ("blocks.0.attn.qkv.weight", "vision transformer"),
        ("layers.0.blocks.0.attn.relative_position_bias_table", "Swin"),
        ("stages.0.0.dwconv.weight", "ConvNeXt"),
        ("features.denseblock1.denselayer1.conv1.weight", "DenseNet"),
        ("_blocks.0._depthwise_conv.weight", "EfficientNet"),
        ("conv_stem.weight", "EfficientNet"),
        ("features.0.0.weight", "MobileNet"),
        ("features.0.weight", "VGG"),
        ("layer1.0.convs.0.weight", "Res2Net"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module.model."])
def test_relatives_by_one_name(key, name, prefix):
    with pytest.raises(CheckpointError, match=f"this is .*{name}.*, which pagjax does not have"):
        torch_resnets.identify({prefix + key: np.zeros((4, 3, 3, 3), np.float32)})


def test_networks_that_pagjax_has_are_no_relatives():
    for make, _ in KNOWN.values():
        state = make()
        assert torch_resnets.relative({f"module.{key}": state[key] for key in state}) is None


def test_a_resnet_in_a_sequence_is_no_vgg():
    parts = ("features.0.weight", "features.1.weight", "features.4.0.conv1.weight", "fc.weight")
    assert "put into a sequence" in str(torch_resnets.relative(dict.fromkeys(parts, np.ones(2))))
    assert torch_resnets.relative({parts[0]: np.ones(2)}) == "a VGG or AlexNet"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.astype(np.int8), "fc.weight is int8"),
        (lambda t: t.astype(bool), "fc.weight is bool"),
        (lambda t: t.astype(np.complex64), "fc.weight is complex64"),
        (lambda t: t * np.inf, "non-finite weights"),
        (lambda t: t.astype(np.float64) + 1e300, "non-finite weights"),
    ],
)
def test_only_finite_floating_point_numbers_are_weights(change, message):
    state = _resnet()
    state["fc.weight"] = change(state["fc.weight"] * 0 + 1)
    with pytest.raises(CheckpointError, match=message):
        torch_resnets.convert(state, torch_resnets.identify(state))


def test_variances_are_not_negative():
    state = _resnet()
    state["layer1.0.bn1.running_var"] = -state["layer1.0.bn1.running_var"]
    with pytest.raises(CheckpointError, match=r"variances below 0:\n.*layer1.0.bn1.running_var"):
        torch_resnets.convert(state, torch_resnets.identify(state))


def test_thirty_thousand_other_tensors_are_counted_and_not_all_listed():
    state = _resnet()
    for index in range(30_000):
        state[f"other.{index}.conv1.weight"] = np.zeros(0, np.float32)
    found = torch_resnets.identify(state)
    with pytest.raises(CheckpointError) as caught:
        torch_resnets.convert(state, found)
    assert "unexpected (30000)" in str(caught.value)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("name", ["wide-resnet10-1", "preact-resnet50-width8"])
def test_checkpoints_keep_the_shape_and_the_weights(name, tmp_path):
    state = KNOWN[name][0]()
    found = torch_resnets.choose(torch_resnets.identify(state), shortcut="projection_of_input")
    description = Description(found.name, found.config, 10, NORMALIZERS["none"], (8, 8))
    variables = torch_resnets.convert(state, found)
    again, arrays = store.restore(store.save(tmp_path / "saved", description, variables))
    assert again == description
    for before, after in zip(jax.tree.leaves(variables), jax.tree.leaves(arrays), strict=True):
        np.testing.assert_array_equal(before, after)


OLD = {"stem": "imagenet", "block": "bottleneck", "stage_sizes": [3, 4, 6, 3], "width": 64}


def _description(config: dict[str, Any]) -> dict[str, Any]:
    now = Description("x", ResNetConfig("cifar", "basic", (1,), 4), 2, NORMALIZERS["none"], (8, 8))
    return {**json.loads(json.dumps(now.to_json())), "config": config}


def test_descriptions_from_before_the_choices_load_to_the_same_networks():
    resnet50 = Description.from_json(_description({**OLD, "shortcut": "projection"})).config
    assert resnet50 == ResNetConfig("imagenet", "bottleneck", (3, 4, 6, 3), 64)
    assert (resnet50.stem_stride, resnet50.max_pool, resnet50.stride_on) == (2, True, "3x3")
    assert hash(resnet50) == hash(dataclasses.replace(resnet50))
    akamaster = {"stem": "cifar", "block": "basic", "stage_sizes": [3, 3, 3], "width": 16}
    found = Description.from_json(_description({**akamaster, "shortcut": "padding"})).config
    assert (found.stem_stride, found.max_pool, found.shortcut) == (1, False, "padding")
    assert not found.preactivation


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage_sizes": [100000]}, "stage_sizes"),
        ({"stage_sizes": [600, 600]}, "1000 in all"),
        ({"stage_sizes": []}, "give 1 to 8"),
        ({"stage_sizes": [1] * 9}, "give 1 to 8"),
        ({"stage_sizes": 3}, "stage_sizes 3"),
        ({"stage_sizes": [1.5]}, "whole numbers"),
        ({"stage_sizes": [True]}, "whole numbers"),
        ({"width": 0}, "width 0"),
        ({"width": 10**9}, "width 1000000000"),
        ({"width": "64"}, "width '64'"),
        ({"stem_width": -1}, "stem_width -1"),
        ({"stem_stride": 3}, "stem_stride 3"),
        ({"max_pool": 1}, "max_pool 1"),
        ({"stem": "mnist"}, "stem 'mnist': one of imagenet, cifar"),
        ({"stem": ["cifar"]}, "stem"),
        ({"shortcut": "padding", "preactivation": True}, "choose a projection"),
        ({"shortcut": "projection_of_input"}, "only with preactivation"),
        ({"shortcut": "padding", "stem_width": 512}, "padding cannot make it"),
        ({"final_norm": True}, "final_norm without preactivation"),
        ({"block": "basic", "inner_width": 128}, "a bottleneck's"),
        ({"activation": "swish"}, r"unknown \['activation'\]"),
        ({"width": None}, "width None"),
    ],
)
def test_impossible_shapes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Description.from_json(_description({**OLD, **change}))


def test_a_shape_without_its_fields_is_refused():
    with pytest.raises(ValueError, match=r"without \['stem', 'width'\]"):
        Description.from_json(_description({"block": "basic", "stage_sizes": [1]}))
