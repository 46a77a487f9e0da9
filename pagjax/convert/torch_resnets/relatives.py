"""Networks that pagjax does not have, by what gives them away: most would fit a ResNet's names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

_VGG = "a VGG or AlexNet"
# Of names alone, the telling before the general; every pattern may follow a prefix.
_NAMES = (
    (r"init_conv\.weight|layer\.\d\.block\.\d+\.(conv|batchnorm)_\d", "DeepMind's WideResNet"
     " (swish for rectifiers, and padding on one side where it halves the resolution)"),
    (r"layer_\d\.\d+\.(conv_2d|batchnorm)_\d", "DeepMind's pre-activation ResNet"
     " (swish for rectifiers, and padding on one side where it halves the resolution)"),
    (r"stem_conv\.weight", "a WideResNet of stages of any width (Huang et al.)"),
    (r"activation\.(alpha|beta)", "a network of trained activations (PSSiLU)"),
    (r"layer\d\.\d+\.bn0\.", "a pre-activation ResNet with blocks from bn0 (Chen et al.)"),
    (r"relative_position_bias_table|layers\.\d\.blocks\.\d+\.attn", "a Swin transformer"),
    (r"cls_token|pos_embed|position_embedding|patch_embed|encoder_layer_\d|attn\.|attention\.",
     "a vision transformer"),
    (r"dwconv\.weight|stages\.\d\.blocks\.\d+\.conv_dw|layer_scale|downsample_layers",
     "a ConvNeXt"),
    (r"denseblock\d|dense\d\.\d+\.", "a DenseNet"),
    (r"_depthwise_conv|_conv_stem|conv_stem\.weight|conv_dw\.weight|features\.\d+\.\d+\.block\.",
     "an EfficientNet"),
    (r"features\.\d+\.conv\.\d|features\.0\.0\.weight", "a MobileNet"),
    (r"Mixed_\d|Conv2d_1a|inception\d", "an Inception network"),
    (r"trunk_output|f\.[abc]\.0\.weight", "a RegNet"),
    (r"features\.\d+\.weight", _VGG),
    (r"layer\d\.\d+\.convs\.\d", "a Res2Net"),
    (r"layer\d\.\d+\.conv2\.(conv|fc1)\.", "a ResNeSt"),
    (r"layer\d\.\d+\.(se|se_module|fc1)\.", "a squeeze-and-excitation ResNet"),
)  # fmt: skip
_KNOWN = re.compile("|".join(rf"(?P<k{i}>(?:^|\.)(?:{p}))" for i, (p, _) in enumerate(_NAMES)))
_CONV_BIAS = re.compile(r"(^|\.)(conv\w*|(shortcut|downsample)\.0)\.bias$")
_NORM = re.compile(r"(^|\.)(bn|gn|norm|n)\d\.weight$")


def relative(tensors: Mapping[str, np.ndarray]) -> str | None:
    """What network these tensors are of, where pagjax does not have it.

    Args:
        tensors: of a state dict, under any prefix.

    Returns:
        Its name with the article, or None.

    Example:
        >>> import numpy as np
        >>> relative({"module.features.denseblock1.denselayer1.norm1.weight": np.ones(3)})
        'a DenseNet'
    """
    first: int | None = None
    for key in tensors:
        match = _KNOWN.search(key)
        if match and match.lastgroup:
            index = int(match.lastgroup[1:])
            first = index if first is None else min(first, index)
    if first is None:
        return _by_shapes(tensors)
    kind = _NAMES[first][1]
    if kind == _VGG and any(".conv1." in key for key in tensors):
        return "a ResNet whose parts were put into a sequence (features.0, features.1, ...)"
    return kind


def _by_shapes(tensors: Mapping[str, np.ndarray]) -> str | None:
    normed = running = False
    for key, tensor in tensors.items():
        normed |= _NORM.search(key) is not None
        running |= key.endswith("running_mean")
        if key.endswith(("conv1.0.weight", "downsample.1.weight")) and tensor.ndim == 4:
            return "a ResNet-C/D (deep stem or average-pooled shortcuts)"
        if key.endswith("layer1.0.conv2.weight") and tensor.ndim == 4:
            features, inputs = tensor.shape[:2]
            if features != inputs:
                return "a ResNeXt (grouped convolutions)"
        if _CONV_BIAS.search(key):
            return f"a ResNet whose convolutions have biases ({key})"
    if normed and not running:
        return "a ResNet without running statistics (group norms, or parameters saved alone)"
    return None
