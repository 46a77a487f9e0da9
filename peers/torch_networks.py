"""The published networks in PyTorch, written from their descriptions, to compare against.

Names of layers are those of the published files, so that a state dict of these classes is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


def _blurred(x: Tensor) -> Tensor:
    """Binomial averages of neighbours, the border repeated (Zhang 2019)."""
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    x = x[:, :, 1:-1] / 2 + (x[:, :, :-2] + x[:, :, 2:]) / 4
    return x[..., 1:-1] / 2 + (x[..., :-2] + x[..., 2:]) / 4


class WithShortcut(nn.Module):
    """A block's second branch: a projection under a published name, or padding, or nothing."""

    pads_end = False
    antialias = False

    def _add_shortcut(self, name: str | None, inputs: int, outputs: int, stride: int) -> None:
        self.stride, self.outputs = stride, outputs
        self.projection = name if stride > 1 or inputs != outputs else None
        if self.projection:
            branch = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
            self.add_module(self.projection, branch)

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.projection:
            return self.get_submodule(self.projection)(x)
        missing = self.outputs - x.shape[1]
        if missing == 0 and self.stride == 1:
            return x
        before = 0 if self.pads_end else missing // 2
        pads = (0, 0, 0, 0, before, missing - before)
        return functional.pad(x[:, :, :: self.stride, :: self.stride], pads)


class Basic(WithShortcut):
    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, shortcut: str | None) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        self._add_shortcut(shortcut, inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.antialias and self.stride == 2:
            x = _blurred(x)
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self._shortcut(x))


class Bottleneck(WithShortcut):
    expansion = 4

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        shortcut: str | None,
        widening: float = 1,
        stride_first: bool = False,
    ) -> None:
        super().__init__()
        inner = int(width * widening)
        first, second = (stride, 1) if stride_first else (1, stride)
        self.conv1, self.bn1 = _conv(inputs, inner, 1, first), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = _conv(inner, inner, 3, second), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = _conv(inner, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self._add_shortcut(shortcut, inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(functional.relu(self.bn2(self.conv2(y)))))
        return functional.relu(y + self._shortcut(x))


class TorchResNet(nn.Module):
    """Torchvision's, Cohen's, akamaster's, Madry Lab's and pagjax's residual networks, by argument.

    What follows `head` is what their tensors cannot tell, and what wide bottlenecks have; only
    basic blocks are antialiased.
    """

    def __init__(
        self,
        stem: str,
        block: type[Basic] | type[Bottleneck],
        stage_sizes: Sequence[int],
        width: int,
        num_classes: int,
        shortcut: str | None = "downsample",
        head: str = "fc",
        stem_stride: int | None = None,
        pools: bool | None = None,
        pads_end: bool = False,
        antialias: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        size, usual = (7, 2) if stem == "imagenet" else (3, 1)
        self.pools = stem == "imagenet" if pools is None else pools
        self.side = 2 if stem == "space_to_depth" else 1
        self.conv1 = _conv(3 * self.side**2, width, size, stem_stride or usual)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        self.stages = []
        for stage, count in enumerate(stage_sizes):
            blocks = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(inputs, width * 2**stage, stride, shortcut, **options))
                blocks[-1].pads_end, blocks[-1].antialias = pads_end, antialias
                inputs = width * 2**stage * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            self.stages.append(f"layer{stage + 1}")
        self.head = head
        self.add_module(head, nn.Linear(inputs, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        if self.side > 1:  # blocks of pixels as channels, row by row, colours innermost
            n, channels, height, width = x.shape
            x = x.reshape(
                n, channels, height // self.side, self.side, width // self.side, self.side
            )
            x = x.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)
        x = functional.relu(self.bn1(self.conv1(x)))
        if self.pools:
            x = functional.max_pool2d(x, 3, stride=2, padding=1)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return getattr(self, self.head)(x.mean((2, 3)))


def randomise(network: nn.Module, seed: int) -> nn.Module:
    """Weights of a sensible scale, and batch norms that are not the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif name.endswith(("running_mean", "bias")):
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
        elif tensor.ndim >= 2:
            fan_in = tensor[0].numel()
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / fan_in) ** 0.5)
        elif tensor.ndim == 1:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.4 + 0.4)
    return network.eval()


def resnet50(num_classes: int = 1000, width: int = 64) -> TorchResNet:
    return TorchResNet("imagenet", Bottleneck, (3, 4, 6, 3), width, num_classes)


def resnet18(num_classes: int = 1000, width: int = 64) -> TorchResNet:
    return TorchResNet("imagenet", Basic, (2, 2, 2, 2), width, num_classes)


def cohen_cifar(depth: int, num_classes: int = 10) -> TorchResNet:
    return TorchResNet("cifar", Basic, ((depth - 2) // 6,) * 3, 16, num_classes)


def akamaster_cifar(depth: int, num_classes: int = 10) -> TorchResNet:
    sizes = ((depth - 2) // 6,) * 3
    return TorchResNet("cifar", Basic, sizes, 16, num_classes, shortcut=None, head="linear")


def madry_cifar_resnet50(num_classes: int = 10, width: int = 64) -> TorchResNet:
    return TorchResNet(
        "cifar", Bottleneck, (3, 4, 6, 3), width, num_classes, shortcut="shortcut", head="linear"
    )


def pagjax_128(num_classes: int = 10, antialias: bool = False) -> TorchResNet:
    """The shape of the shipped networks for 128 pixels."""
    return TorchResNet("cifar", Basic, (1, 1, 2, 2, 2), 16, num_classes, antialias=antialias)


def pagjax_32(num_classes: int = 10) -> TorchResNet:
    """The shape of the shipped networks for 32 pixels."""
    return TorchResNet("space_to_depth", Basic, (1, 2, 2), 64, num_classes)
