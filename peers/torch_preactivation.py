"""The published pre-activation networks in PyTorch, written from their descriptions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from peers.torch_networks import _conv


class PreActivated(nn.Module):
    """Batch norm, rectifier, convolution, two or three times, and a shortcut without batch norm.

    With `sees_input` the shortcut's convolution is given the block's input instead of what the
    first convolution is given.
    """

    def __init__(
        self, layers: Sequence[nn.Conv2d], shortcut: nn.Module | None, sees_input: bool, name: str
    ) -> None:
        super().__init__()
        self.count, self.sees_input, self.name = len(layers), sees_input, name
        for index, layer in enumerate(layers, start=1):
            self.add_module(f"bn{index}", nn.BatchNorm2d(layer.in_channels))
            self.add_module(f"conv{index}", layer)
        if shortcut is not None:
            self.add_module(name, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        shortcut = x
        for index in range(1, self.count + 1):
            y = functional.relu(self.get_submodule(f"bn{index}")(y))
            if index == 1 and hasattr(self, self.name):
                shortcut = self.get_submodule(self.name)(x if self.sees_input else y)
            y = self.get_submodule(f"conv{index}")(y)
        return y + shortcut


class WideStage(nn.Module):
    def __init__(self, inputs: int, outputs: int, count: int, stride: int, shortcut: str) -> None:
        super().__init__()
        blocks = []
        for index in range(count):
            step = stride if index == 0 else 1
            layers = [_conv(inputs, outputs, 3, step), _conv(outputs, outputs, 3)]
            changed = _conv(inputs, outputs, 1, step) if inputs != outputs else None
            blocks.append(PreActivated(layers, changed, False, shortcut))
            inputs = outputs
        self.layer = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class TorchWideResNet(nn.Module):
    """WideResNet-(6 n + 4)-k of the adversarial literature; `stem` is 16 in all published ones."""

    def __init__(
        self, n: int, k: int, num_classes: int = 10, shortcut: str = "convShortcut", unused=False
    ) -> None:
        super().__init__()
        widths = [16, 16 * k, 32 * k, 64 * k]
        self.conv1 = _conv(3, widths[0], 3)
        for stage in (1, 2, 3):
            stride = 1 if stage == 1 else 2
            self.add_module(
                f"block{stage}", WideStage(widths[stage - 1], widths[stage], n, stride, shortcut)
            )
        if unused:
            self.sub_block1 = WideStage(widths[0], widths[1], n, 1, shortcut)
        self.bn1, self.fc = nn.BatchNorm2d(widths[3]), nn.Linear(widths[3], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(functional.relu(self.bn1(x)).mean((2, 3)))


class TorchPreActResNet(nn.Module):
    """A pre-activation ResNet with the names of the CIFAR collections."""

    def __init__(
        self,
        stage_sizes: Sequence[int],
        width: int = 8,
        bottleneck: bool = False,
        final_norm: bool = True,
        sees_input: bool = False,
        stem_stride: int = 1,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.conv1 = _conv(3, width, 3, stem_stride)
        inputs = width
        self.stages = []
        for stage, count in enumerate(stage_sizes):
            blocks = []
            inner, outputs = width * 2**stage, width * 2**stage * (4 if bottleneck else 1)
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layers = [_conv(inputs, inner, 3, stride), _conv(inner, inner, 3)]
                if bottleneck:
                    layers = [
                        _conv(inputs, inner, 1),
                        _conv(inner, inner, 3, stride),
                        _conv(inner, outputs, 1),
                    ]
                changes = stride > 1 or inputs != outputs
                shortcut = nn.Sequential(_conv(inputs, outputs, 1, stride)) if changes else None
                blocks.append(PreActivated(layers, shortcut, sees_input, "shortcut"))
                inputs = outputs
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            self.stages.append(f"layer{stage + 1}")
        self.bn = nn.BatchNorm2d(inputs) if final_norm else None
        self.linear = nn.Linear(inputs, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        if self.bn is not None:
            x = functional.relu(self.bn(x))
        return self.linear(torch.mean(x, (2, 3)))
