"""Small networks as users' files hold them: in PyTorch, under the names of public code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pagjax.convert import layouts, torch_files, torch_resnets
from pagjax.convert.conversion import Conversion, convert
from pagjax.networks.base import base_network
from peers import torch_networks
from peers.torch_networks import Basic, Bottleneck, TorchResNet

State = dict[str, Any]


def small(
    stem: str = "cifar", block: type = Basic, classes: int = 5, seed: int = 1, width: int = 4
) -> TorchResNet:
    """Two stages of one block each, in float64."""
    network = TorchResNet(stem, block, (1, 1), width, classes)
    torch_networks.randomise(network, seed)
    return network.double()


def with_pool(network: TorchResNet) -> TorchResNet:
    network.pools = True
    return network


def with_stride_first(network: TorchResNet) -> TorchResNet:
    for module in network.modules():
        if isinstance(module, Bottleneck) and module.conv2.stride == (2, 2):
            module.conv1.stride, module.conv2.stride = (2, 2), (1, 1)
    return network


def state(network: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    return {prefix + key: value for key, value in network.state_dict().items()}


def arrays(network: nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in state(network, prefix).items()}


def hugging_face(name: str) -> str:
    """What transformers' ResNetForImageClassification calls a part."""
    parts = {"conv": "convolution", "bn": "normalization", "0": "convolution", "1": "normalization"}
    match = re.fullmatch(r"layer(\d)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.(\d))\.(\w+)", name)
    if match is None:
        name = name.replace("conv1", "resnet.embedder.embedder.convolution")
        name = name.replace("bn1", "resnet.embedder.embedder.normalization")
        return name.replace("fc", "classifier.1")
    stage, block, kind, index, shortcut, tensor = match.groups()
    place = f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}"
    if shortcut is not None:
        return f"{place}.shortcut.{parts[shortcut]}.{tensor}"
    return f"{place}.layer.{int(index) - 1}.{parts[kind]}.{tensor}"


class Clamping(nn.Module):
    """Madry Lab's normaliser."""

    def __init__(self, mean: tuple[float, ...], sd: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("new_mean", torch.tensor(mean, dtype=torch.float64)[:, None, None])
        self.register_buffer("new_std", torch.tensor(sd, dtype=torch.float64)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return (x.clamp(0, 1) - self.new_mean) / self.new_std


class Attacker(nn.Module):
    def __init__(self, normalize: nn.Module, model: nn.Module) -> None:
        super().__init__()
        self.normalize, self.model = normalize, model


class Attacked(nn.Module):
    """What Madry Lab's library saves: the network twice."""

    def __init__(self, model: nn.Module, mean: tuple[float, ...], sd: tuple[float, ...]) -> None:
        super().__init__()
        self.normalizer, self.model = Clamping(mean, sd), model
        self.attacker = Attacker(Clamping(mean, sd), model)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self.normalizer(x))


def pictures(side: int = 16) -> np.ndarray:
    """Some pixels lie outside of [0, 1], as under noise."""
    return np.random.default_rng(0).normal(0.5, 0.4, (2, side, side, 3))


def torch_logits(network: nn.Module, images: np.ndarray, mean: Any = 0.0, sd: Any = 1.0) -> Any:
    given = (images - np.asarray(mean)) / np.asarray(sd)
    with torch.no_grad():
        return network(torch.from_numpy(given.transpose(0, 3, 1, 2).copy())).numpy()


def save_and_convert(folder: Path, content: Any, **options: Any) -> Conversion:
    torch.save(content, folder / "file.pt")
    return convert(folder / "file.pt", folder / "out", image_size=16, **options)


def check_equal(source: Path, done: Conversion, expected: np.ndarray, side: int = 16) -> None:
    """The logits in float64 are PyTorch's, from the file's own arrays: checkpoints keep float32."""
    layout = layouts.recognise(torch_files.read(source).content)
    variables = torch_resnets.convert(layout.state, torch_resnets.identify(layout.state))
    base = base_network(done.description, variables)
    found = np.asarray(base.logits_fn(pictures(side)))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
