"""The shared cases and published files, where they are present: each right, or refused by name."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pagjax.checkpoints import CheckpointError
from pagjax.convert import layouts, torch_files, torch_resnets

FOUND = {
    "net-key.pth": ("net", "cifar-resnet20-b"),
    "madry-no-dataparallel.pt": ("model.model", "resnet18-width8"),
    "cifar-stem-with-pool.pth": (".", "cifar-resnet18-width8"),
    "bottleneck-v1.pth": (".", "resnet50-width8"),
    "wide-resnet50-2.pt": ("model.module.model", "wide_resnet50_2-width8"),
    "wrn-28.pt": (".", "wide-resnet28-2"),
    "timm-ema.pth.tar": ("state_dict", "resnet18-width8"),
    "whole-module.pt": ("model", "resnet18-width8"),
    "sequential-head.pth": (".", "resnet18-width8"),
    "cifar100.pt": (".", "cifar-resnet20-b"),
    "model.safetensors": ("resnet", "resnet18-width8"),
}
REFUSED = {
    "int8-kernels.pth": r"conv1.weight \(int8\)",
    "no-head.pth": "without a classifier",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    from tests.conftest import SHARED

    if not (SHARED / "cases" / "make.py").exists():
        pytest.skip("needs ../shared/cases beside the clone")
    folder = tmp_path_factory.mktemp("cases") / "made"
    program = [sys.executable, "-B", str(SHARED / "cases" / "make.py"), str(folder)]
    subprocess.run(program, check=True, capture_output=True, cwd=SHARED / "cases")
    return folder / "checkpoints"


def test_every_case_has_its_answer(cases):
    assert {path.name for path in cases.iterdir()} <= set(FOUND) | set(REFUSED)
    for name, (weights, architecture) in FOUND.items():
        layout = layouts.recognise(torch_files.read(cases / name).content)
        found = torch_resnets.identify(layout.state)
        assert (layout.selection.network.name, found.name) == (weights, architecture), name
        torch_resnets.convert(layout.state, found)
    for name, message in REFUSED.items():
        with pytest.raises(CheckpointError, match=message):
            layouts.recognise(torch_files.read(cases / name).content)


def test_published_files_are_recognised_as_before(shared):
    expected = {
        "resnet20-12fca82f.th": ("akamaster", "state_dict.module", "cifar-resnet20-a"),
        "noise_0.25/checkpoint.pth.tar": ("Cohen", "state_dict.1.module", "resnet50"),
    }
    for name, (publisher, weights, architecture) in expected.items():
        path = shared / "published" / name
        layout = layouts.recognise(torch_files.read(path).content)
        assert publisher in layout.name
        assert layout.selection.network.name == weights
        assert layout.warnings == ()
        assert torch_resnets.identify(layout.state).name == architecture
        content = torch.load(path, map_location="cpu", weights_only=False)["state_dict"]
        tensors = [key for key in content if not key.endswith("num_batches_tracked")]
        assert len(layout.state) == len(tensors)
