"""Converted networks compute what PyTorch computes, where a file's tensors alone mislead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pagjax.checkpoints import CheckpointError, store
from pagjax.convert.conversion import convert
from pagjax.networks import NORMALIZERS, Normalizer
from tests.convert.files import (
    Attacked,
    Bottleneck,
    check_equal,
    hugging_face,
    pictures,
    save_and_convert,
    small,
    state,
    torch_logits,
    with_pool,
    with_stride_first,
)

CIFAR10 = NORMALIZERS["cifar10"]
IMAGENET = NORMALIZERS["imagenet"]


def test_a_network_under_any_key_with_its_pool(tmp_path, x64):
    network = with_pool(small())
    content = {"net": state(network), "acc": 92.4, "epoch": 164}
    done = save_and_convert(
        tmp_path, content, structure={"max_pool": True}, normalizer="0.5,0.4,0.3/0.25"
    )
    check_equal(
        tmp_path / "file.pt", done, torch_logits(network, pictures(), (0.5, 0.4, 0.3), 0.25)
    )
    assert done.description.origin["weights"] == "net"
    assert done.description.origin["structure"]["max_pool"] == {"value": True, "by": "given"}
    assert "max-pool" not in " ".join(done.warnings)


def test_the_pool_is_not_left_out_in_silence(tmp_path):
    done = save_and_convert(tmp_path, state(with_pool(small())))
    (warning,) = [text for text in done.warnings if "max-pool" in text]
    assert "`max_pool=True`" in warning
    assert "`stem_stride=2`" in warning
    assert "`probe_folder=DIR`" in warning
    assert done.description.origin["structure"]["max_pool"] == {"value": False, "by": "default"}


def test_stride_on_the_first_convolution(tmp_path, x64):
    network = with_stride_first(small("imagenet", Bottleneck))
    done = save_and_convert(tmp_path, state(network), structure={"stride_on": "1x1"})
    check_equal(
        tmp_path / "file.pt", done, torch_logits(network, pictures(), IMAGENET.mean, IMAGENET.sd)
    )
    (warning,) = [text for text in done.warnings if "structure" in text]
    assert "stride on its" not in warning


@pytest.mark.parametrize("wrapping", ["model", "state_dict", "module", "deep"])
def test_madry_labs_buffers_are_its_clamp_under_every_prefix(tmp_path, x64, wrapping):
    network = Attacked(small(), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    content = {
        "model": {"model": state(network), "epoch": 1},
        "state_dict": {"state_dict": state(network, "a.b.")},
        "module": state(network, "module."),
        "deep": [{"x": {"y": state(network)}}],
    }[wrapping]
    done = save_and_convert(tmp_path, content)
    assert done.layout == "MadryLab/robustness"
    assert done.description.normalizer == Normalizer((0.4, 0.5, 0.6), (0.2, 0.3, 0.25), clamp=True)
    assert any("clamp" in note for note in done.notes)
    if wrapping == "model":
        check_equal(tmp_path / "file.pt", done, torch_logits(network, pictures()))


@pytest.mark.parametrize("block", ["basic", "bottleneck", "downsample_in_bottleneck"])
def test_hugging_face_names(tmp_path, x64, block):
    safetensors_torch = pytest.importorskip("safetensors.torch")
    network = small("imagenet", Bottleneck if block != "basic" else type(small().layer1[0]))
    structure = {}
    if block == "downsample_in_bottleneck":
        with_stride_first(network)
        structure = {"stride_on": "1x1"}
    renamed = {hugging_face(key): value.contiguous() for key, value in state(network).items()}
    source = tmp_path / "model.safetensors"
    safetensors_torch.save_file(renamed, source)
    done = convert(source, tmp_path / "out", structure=structure, normalizer="half", image_size=16)
    check_equal(source, done, torch_logits(network, pictures(), 0.5, 0.5))
    assert done.layout == "Hugging Face transformers"
    assert done.description.origin["classifier"] == "classifier.1"
    wrapped = {"ema": {f"module.{key}": value for key, value in renamed.items()}}
    again = save_and_convert(tmp_path, wrapped, structure=structure, overwrite=True)
    assert again.description.config == done.description.config


def test_a_whole_module_tells_its_strides(tmp_path, x64):
    network = with_stride_first(small("imagenet", Bottleneck))
    done = save_and_convert(tmp_path, {"model": network, "epoch": 3}, normalizer="none")
    check_equal(tmp_path / "file.pt", done, torch_logits(network, pictures()))
    decided = done.description.origin["structure"]
    assert decided["stride_on"] == {"value": "1x1", "by": "the module in the file"}
    assert decided["stem_stride"]["by"] == "the module in the file"
    assert "whole module" in done.warnings[0]
    with pytest.raises(CheckpointError, match="the module in the file has 1x1"):
        save_and_convert(tmp_path, network, structure={"stride_on": "3x3"}, overwrite=True)


def test_a_bare_module_whose_pool_was_taken_out(tmp_path):
    network = small("imagenet")
    network.maxpool = torch.nn.Identity()
    done = save_and_convert(tmp_path, network)
    assert done.description.config.max_pool is False


def test_modules_of_other_kinds_are_refused(tmp_path):
    network = small()
    network.act = torch.nn.SiLU()
    with pytest.raises(CheckpointError, match="act is SiLU"):
        save_and_convert(tmp_path, network)
    network = small()
    network.bn1.eps = 1e-3
    with pytest.raises(CheckpointError, match=r"bn1 is a batch norm with eps 0\.001"):
        save_and_convert(tmp_path, network)


def test_cifar_100_with_numbers(tmp_path, x64):
    network = small(classes=100)
    numbers = "0.5071,0.4865,0.4409/0.2673,0.2564,0.2762"
    done = save_and_convert(tmp_path, state(network), normalizer=numbers)
    expected = NORMALIZERS["cifar100"]
    check_equal(
        tmp_path / "file.pt", done, torch_logits(network, pictures(), expected.mean, expected.sd)
    )
    by_name = save_and_convert(tmp_path, state(network), normalizer="cifar100", overwrite=True)
    given = save_and_convert(tmp_path, state(network), normalizer=expected, overwrite=True)
    assert by_name.description.normalizer == given.description.normalizer == expected
    assert given.normalizer == numbers


@pytest.mark.parametrize("name", ["fc.1", "classifier.1", "fc.0", "head.fc", "last_linear"])
def test_heads_in_a_sequence_and_under_other_names(tmp_path, name):
    network = small()
    renamed = {key.replace("fc.", f"{name}."): value for key, value in state(network).items()}
    done = save_and_convert(tmp_path, renamed)
    assert done.description.origin["classifier"] == name
    restored = store.restore(done.path)[1]["params"]["head"]["kernel"]
    np.testing.assert_array_equal(restored, np.float32(network.fc.weight.detach().numpy().T))
