"""A network is found under any nesting and prefix; of several, none is taken in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax.checkpoints import CheckpointError
from pagjax.convert import layouts
from tests.convert.files import Bottleneck, arrays, hugging_face, small

NETWORK, OTHER = arrays(small(seed=1)), arrays(small(seed=2))
NETWORK_STATE = {k: v for k, v in NETWORK.items() if not k.endswith("num_batches_tracked")}
OTHER_STATE = {k: v for k, v in OTHER.items() if not k.endswith("num_batches_tracked")}

WORDS = """net state weights model state_dict model_state student teacher generator best last
_orig_mod module backbone encoder_q 1 0 a layer1 block1 fc conv1 ünï x-y"""
words = st.sampled_from(WORDS.split())
paths = st.lists(words, max_size=4)
junk = st.dictionaries(
    st.sampled_from(["epoch", "acc", "args", "optimizer", "history", "rng"]),
    st.one_of(
        st.integers(),
        st.text(max_size=5),
        st.none(),
        st.lists(st.floats(allow_nan=False), max_size=3),
        st.just({"state": {0: {"momentum_buffer": np.ones((4, 3, 3, 3))}}, "param_groups": []}),
    ),
    max_size=3,
)


@st.composite
def wrapped(draw: Any, state: dict[str, np.ndarray], path: list[str]) -> Any:
    """A state dict under a path, some of whose parts are keys of mappings and some of prefixes."""
    cut = draw(st.integers(0, len(path)))
    prefix = "".join(f"{part}." for part in path[cut:])
    content: Any = {prefix + name: tensor for name, tensor in state.items()}
    for key in reversed(path[:cut]):
        beside = draw(junk)
        content = draw(st.sampled_from([{key: content}, {**beside, key: content}]))
    return content


def check_same(state: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(state[name], tensor)


@settings(max_examples=60, deadline=None)
@given(st.data(), paths, junk)
def test_one_network_is_found_wherever_it_lies(data, path, beside):
    content = {**beside, **data.draw(wrapped(NETWORK, path))}
    layout = layouts.recognise(content)
    check_same(layout.state, NETWORK_STATE)
    assert layout.selection.network.name == (".".join(path) or ".")
    assert not layout.selection.default


@settings(max_examples=60, deadline=None)
@given(st.data(), paths, paths)
def test_of_two_networks_none_is_taken_in_silence(data, one, other):
    one, other = ["one", *one], ["other", *other]
    first, second = data.draw(wrapped(NETWORK, one)), data.draw(wrapped(OTHER, other))
    content = {**first, **second}
    with pytest.raises(CheckpointError, match="2 different networks") as caught:
        layouts.recognise(content)
    names = ".".join(one), ".".join(other)
    assert all(name in str(caught.value) for name in names)
    for name, expected in zip(names, (NETWORK_STATE, OTHER_STATE), strict=True):
        check_same(layouts.recognise(content, name).state, expected)
        check_same(layouts.recognise(content, name.split(".")[0]).state, expected)
    with pytest.raises(CheckpointError, match="none of this name") as caught:
        layouts.recognise(content, "nobody")
    assert all(name in str(caught.value) for name in names)


@settings(max_examples=30, deadline=None)
@given(st.data(), paths, paths)
def test_identical_copies_are_no_ambiguity(data, one, other):
    content = {
        **data.draw(wrapped(NETWORK, ["one", *one])),
        **data.draw(wrapped(NETWORK, ["other", *other])),
    }
    layout = layouts.recognise(content)
    check_same(layout.state, NETWORK_STATE)
    assert layout.selection.others == ()


@pytest.mark.parametrize("averaged", ["state_dict_ema", "model_ema", "ema", "swa_model", "shadow"])
def test_averaged_weights_are_told_and_can_be_chosen(averaged):
    content = {averaged: OTHER, "state_dict": NETWORK, "arch": "resnet18"}
    layout = layouts.recognise(content)
    check_same(layout.state, NETWORK_STATE)
    assert layout.selection.default
    (warning,) = layout.warnings
    assert f"`weights={averaged}`" in warning
    assert "took state_dict" in warning
    chosen = layouts.recognise(content, averaged)
    check_same(chosen.state, OTHER_STATE)
    assert chosen.warnings == ()
    assert chosen.selection.others == ("state_dict",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("module.encoder_q.", "module.encoder_k."),
        ("student.backbone.", "teacher.backbone."),
        ("best.", "last."),
    ],
)
def test_companions_without_a_default_are_listed(one, other):
    state = {one + k: v for k, v in NETWORK.items()} | {other + k: v for k, v in OTHER.items()}
    with pytest.raises(CheckpointError, match="`weights=KEY`") as caught:
        layouts.recognise({"state_dict": state, "epoch": 1})
    message = str(caught.value)
    assert f"state_dict.{one.removesuffix('.')}: 32 tensors, key 'state_dict'" in message
    assert f"prefix {other!r}" in message
    key = other.split(".")[-2] if one.startswith("module") else other.split(".")[0]
    check_same(layouts.recognise({"state_dict": state}, key).state, OTHER_STATE)


def test_a_network_inside_anothers_names_keeps_its_tensors():
    state = NETWORK | {f"momentum.{key}": value for key, value in OTHER.items()}
    with pytest.raises(CheckpointError, match="2 different networks"):
        layouts.recognise(state)
    check_same(layouts.recognise(state, ".").state, NETWORK_STATE)
    check_same(layouts.recognise(state, "momentum").state, OTHER_STATE)


def test_networks_of_nested_mappings():
    nested: dict[str, Any] = {}
    for name, tensor in NETWORK.items():
        *parents, last = name.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = tensor
    check_same(layouts.recognise({"net": nested}).state, NETWORK_STATE)


def test_a_classifier_beside_the_backbone():
    state = {f"backbone.{k}": v for k, v in NETWORK.items() if not k.startswith("fc.")}
    state |= {f"head.{k}": v for k, v in NETWORK.items() if k.startswith("fc.")}
    layout = layouts.recognise({"state_dict": state})
    check_same(layout.state, NETWORK_STATE)
    assert layout.classifier == "state_dict.head.fc"
    assert layout.warnings == ()
    apart = {"encoder": {k: v for k, v in NETWORK.items() if not k.startswith("fc.")}}
    apart["probe"] = {"weight": NETWORK["fc.weight"], "bias": NETWORK["fc.bias"]}
    layout = layouts.recognise(apart)
    check_same(layout.state, NETWORK_STATE)
    assert "took probe, outside of encoder" in layout.warnings[0]


def test_hugging_face_names_of_bottlenecks():
    state = arrays(small("imagenet", Bottleneck))
    renamed = {hugging_face(key): value for key, value in state.items()}
    expected = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    check_same(layouts.recognise({"x": renamed}).state, expected)


def test_what_stands_beside_the_network_is_told():
    state = {f"1.{key}": value for key, value in NETWORK.items()}
    assert "Cohen" in layouts.recognise({"state_dict": state}).name
    denoiser = {"0.dncnn.0.weight": np.ones((4, 3, 3, 3))}
    layout = layouts.recognise({"state_dict": denoiser | state})
    assert "Cohen" not in layout.name
    assert "left out 1 tensors beside the network (0.dncnn.0.weight)" in layout.warnings[0]


def test_two_hundred_thousand_tensors_come_to_an_end():
    """A step for each pair of them would take hours."""
    one = np.ones((1, 1, 3, 3), np.float32)
    names = (f"layer1.{index}.conv1.weight" for index in range(200_000))
    with pytest.raises(CheckpointError):
        layouts.recognise(dict.fromkeys(names, one))
    names = (
        f"net{index}.{name}" for index in range(20_000) for name in ("conv1", "layer1.0.conv1")
    )
    with pytest.raises(CheckpointError, match="without a classifier"):
        layouts.recognise({f"{name}.weight": one for name in names})
