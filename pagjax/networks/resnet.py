"""Residual networks, in Flax Linen: torchvision's, CIFAR's, and those of pre-activation blocks.

One module serves training, evaluation and inference. In inference (``fused=True``) batch norms are
folded into the convolutions, which are laid out for the backend; these live in a collection of
their own, ``"fused"``, made from the trained variables by `fuse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from pagjax.networks.config import ResNetConfig as ResNetConfig
from pagjax.networks.config import Stem as Stem
from pagjax.networks.convolutions import forms as convolutions
from pagjax.networks.convolutions import training as training_convolutions
from pagjax.networks.convolutions.antialiasing import blur
from pagjax.networks.normalizer import Normalizer
from pagjax.networks.rectifiers import rectify

BATCH_NORM_EPSILON = 1e-5
_BLOCK_SIDES = {"space_to_depth": 2, "space_to_depth_4": 4}
_he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class Outputs(NamedTuple):
    """What a network gives: logits ``[n, classes]`` and penultimate features ``[n, features]``."""

    logits: Array
    features: Array


class ConvNorm(nn.Module):
    """A convolution without bias, padded by half its size, and its batch norm if it has one."""

    features: int
    size: int = 3
    stride: int = 1
    form: convolutions.Backend | None = None
    norm: bool = True

    @nn.compact
    def __call__(self, x: Array, train: bool = False, noise: Array | None = None) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / stride), ceil(w / stride), features]``."""
        if self.form is not None:
            convolution = self.variable("fused", "convolution", self._fold).value
            if noise is None:
                return convolution(x)
            return convolution(x) + convolutions.linear(convolution)(noise)
        pad = (self.size // 2, self.size // 2)
        convolve = training_convolutions.conv_general_dilated if train else None
        x = nn.Conv(
            self.features,
            (self.size, self.size),
            (self.stride, self.stride),
            (pad, pad),
            use_bias=False,
            kernel_init=_he_normal,
            dtype=x.dtype,
            conv_general_dilated=convolve,
            name="conv",
        )(x)
        return _batch_norm(train, x)(x) if self.norm else x

    def _fold(self) -> convolutions.Prepared:
        kernel = self.variables["params"]["conv"]["kernel"]
        if not self.norm:
            bias = jnp.zeros(kernel.shape[-1], kernel.dtype)
            return convolutions.prepare(kernel, bias, self.stride, self.form)
        gain, bias = _gain_and_bias(self.variables)
        return convolutions.prepare(kernel * gain, bias, self.stride, self.form)


class NormRelu(nn.Module):
    """A batch norm that no convolution precedes, and a rectifier."""

    form: convolutions.Backend | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """Images ``[n, h, w, c]`` to the same shape."""
        if self.form is None:
            return rectify(_batch_norm(train, x)(x))
        gain, bias = self.variable("fused", "affine", lambda: _gain_and_bias(self.variables)).value
        return _rectify((x.astype(gain.dtype) * gain + bias).astype(x.dtype), self.form)


def _batch_norm(train: bool, x: Array) -> nn.BatchNorm:
    return nn.BatchNorm(
        not train, momentum=0.9, epsilon=BATCH_NORM_EPSILON, dtype=x.dtype, name="norm"
    )


def _gain_and_bias(variables: Mapping[str, Any]) -> tuple[Array, Array]:
    """A batch norm with its running statistics, as a multiplication and an addition."""
    params, statistics = variables["params"]["norm"], variables["batch_stats"]["norm"]
    gain = params["scale"] / jnp.sqrt(statistics["var"] + BATCH_NORM_EPSILON)
    return gain, params["bias"] - statistics["mean"] * gain


def _rectify(x: Array, form: convolutions.Backend | None) -> Array:
    return rectify(x) if form is None else convolutions.rectify(x, form)


class Block(nn.Module):
    """A residual block."""

    config: ResNetConfig
    width: int
    stride: int
    form: convolutions.Backend | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """Images ``[n, h, w, c]`` to ``[n, ceil(h / stride), ceil(w / stride), c']``."""
        config, layers = self.config, self._layers()
        y = NormRelu(self.form, name="before")(x, train) if config.preactivation else x
        projected = x if config.shortcut == "projection_of_input" else y
        seen = self._seen_by_stride(projected)
        for index, (features, size, stride) in enumerate(layers, start=1):
            if index > 1:
                y = _rectify(y, self.form)
            if stride == 2:
                y = seen if y is projected else self._seen_by_stride(y)
            norm = index < len(layers) or not config.preactivation
            layer = ConvNorm(features, size, stride, self.form, norm, name=f"layer{index}")
            y = layer(y, train)
        if x.shape != y.shape:
            x = self._shortcut(seen, y.shape[-1], train)
        return x + y if config.preactivation else _rectify(x + y, self.form)

    def _seen_by_stride(self, x: Array) -> Array:
        return blur(x) if self.config.antialias and self.stride == 2 else x

    def _layers(self) -> list[tuple[int, int, int]]:
        """Features, size and stride of its convolutions."""
        config, width = self.config, self.width
        if config.block == "basic":
            return [(width, 3, self.stride), (width, 3, 1)]
        inner = (config.inner_width or config.width) * (width // config.width)
        strides = (self.stride, 1) if config.stride_on == "1x1" else (1, self.stride)
        return [(inner, 1, strides[0]), (inner, 3, strides[1]), (4 * width, 1, 1)]

    def _shortcut(self, x: Array, features: int, train: bool) -> Array:
        config = self.config
        if config.shortcut in ("projection", "projection_of_input"):
            norm = not config.preactivation
            layer = ConvNorm(features, 1, self.stride, self.form, norm, name="shortcut")
            return layer(x, train)
        missing = features - x.shape[-1]
        low = missing // 2 if config.shortcut == "padding" else 0
        pads = ((0, 0), (0, 0), (0, 0), (low, missing - low))
        return jnp.pad(x[:, :: self.stride, :: self.stride], pads)


class ResNet(nn.Module):
    """A residual network on images in [0, 1], normaliser included.

    Attributes:
        config: its shape.
        num_classes: number of logits.
        normalizer: the first layer.
        fused: whether to run from the ``"fused"`` collection, see `fuse`.
        backend: whose forms of layers the inference form has; None means JAX's default backend.
    """

    config: ResNetConfig
    num_classes: int
    normalizer: Normalizer = Normalizer()
    fused: bool = False
    backend: convolutions.Backend | None = None

    @nn.compact
    def __call__(self, images: Array, train: bool = False, noise: Array | None = None) -> Outputs:
        """Images ``[n, h, w, 3]`` in [0, 1] to `Outputs`; `train` uses the batch's statistics.

        With `noise`, of the images' shape, the outputs at ``images + noise``. Where ``fused``, the
        noise is added after the first convolution, which is linear, so that the gradient of many
        draws at one image passes that convolution once.
        """
        config, form = self.config, convolutions.as_backend(self.backend) if self.fused else None
        if noise is not None and (not self.fused or self.normalizer.clamp):
            images, noise = images + noise, None
        x = self.normalizer(images)
        if noise is not None:
            noise = self.normalizer.scale(noise)
        if config.stem in _BLOCK_SIDES:
            side = _BLOCK_SIDES[config.stem]
            x = _blocks_to_channels(x, side)
            noise = None if noise is None else _blocks_to_channels(noise, side)
        features, stride = config.stem_width or config.width, config.stem_stride or 1
        size, norm = 7 if config.stem == "imagenet" else 3, not config.preactivation
        stem = ConvNorm(features, size, stride, form, norm, name="stem")
        x = stem(x, train, noise)
        if not config.preactivation:
            x = _rectify(x, form)
        if config.max_pool:
            x = convolutions.max_pool_3x3(x, form)
        for stage, count in enumerate(config.stage_sizes):
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                name = f"stage{stage + 1}_block{index + 1}"
                width = config.width * 2**stage
                x = Block(config, width, stride, form, name=name)(x, train)
        if self.fused and x.dtype == jnp.bfloat16:  # narrow activations end here
            x = x.astype(jnp.float32)
        if config.final_norm:
            x = NormRelu(form, name="after")(x, train)
        pooled = x.mean(axis=(1, 2))
        if form is not None and not convolutions.keeps_nan(form):
            pooled += 0 * jax.lax.stop_gradient(images).sum((1, 2, 3))[:, None]
        return Outputs(nn.Dense(self.num_classes, dtype=x.dtype, name="head")(pooled), pooled)


def fuse(
    network: ResNet,
    variables: Mapping[str, Any],
    precision: convolutions.Precision = "float32",
    backend: convolutions.Backend | None = None,
) -> tuple[ResNet, dict[str, Any]]:
    """The network's inference form and its variables, laid out for a backend.

    Args:
        network: in its training form.
        variables: collections ``"params"`` and ``"batch_stats"``.
        precision: of the operands of the convolutions' products.
        backend: ``"cpu"``, ``"gpu"``, ``"tpu"`` or, for CPUs with Intel's units for narrow
            products, ``"amx"``, whatever the devices are; None means JAX's default backend, and in
            bfloat16 these units where they are.

    Returns:
        The network with ``fused=True``, and collections ``"fused"`` and ``"params"`` (the head's).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> network = ResNet(ResNetConfig("cifar", "basic", (1, 1), 4), num_classes=10)
        >>> images = jnp.ones((2, 8, 8, 3)) / 2
        >>> variables = jax.jit(network.init)(jax.random.key(0), images)
        >>> fused, folded = fuse(network, variables)
        >>> bool(jnp.allclose(jax.jit(fused.apply)(folded, images).logits,
        ...                   jax.jit(network.apply)(variables, images).logits, atol=1e-5))
        True
    """
    form = convolutions.as_backend(backend, precision)
    fused = network.clone(fused=True, backend=form)
    # The normaliser folds nothing: networks that differ in theirs share one compilation.
    folded = _fold(fused.clone(normalizer=Normalizer()), dict(variables))
    if precision == "bfloat16":
        folded = convolutions.narrowed(folded)
    elif precision != "float32":
        raise ValueError(f"precision {precision!r}: choose 'float32' or 'bfloat16'")
    head = dict(variables["params"]["head"])
    if not convolutions.keeps_nan(form):
        head["bias"] = jnp.where(_has_nan(folded), jnp.nan, head["bias"])
    return fused, {"fused": folded, "params": {"head": head}}


@partial(jax.jit, static_argnums=0)
def _fold(fused: ResNet, variables: dict[str, Any]) -> Any:
    image = jnp.zeros((1, 64, 64, 3), jnp.result_type(*jax.tree.leaves(variables)))
    return fused.apply(variables, image, mutable=["fused"])[1]["fused"]


@jax.jit
def _has_nan(tree: Any) -> Array:
    return jnp.stack([jnp.isnan(leaf).any() for leaf in jax.tree.leaves(tree)]).any()


def _blocks_to_channels(x: Array, side: int) -> Array:
    n, height, width, channels = x.shape
    if height % side or width % side:
        raise ValueError(
            f"images of {height}x{width} pixels: this network needs sides that {side} divides"
        )
    x = x.reshape(n, height // side, side, width // side, side, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, height // side, width // side, side**2 * channels)
