"""The first layer of a base network: scaling of pixels, after the noise was added."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from pagjax.networks.rectifiers import clamp

Channels = tuple[float, ...]


@dataclass(frozen=True)
class Normalizer:
    """``(x - mean) / sd`` per channel, on images that may first be clamped to [0, 1].

    It belongs to the network, so that sigma and epsilon keep their pixel units. Clamping changes
    the function under noise; Madry Lab's networks have it, Cohen's do not.

    Attributes:
        mean: per channel, in pixel units.
        sd: per channel, in pixel units, above 0.
        clamp: whether images are clamped to [0, 1] first.

    Example:
        >>> import jax.numpy as jnp
        >>> Normalizer((0.5,), (0.25,), clamp=True)(jnp.array([[[[2.0]]]])).item()
        2.0
    """

    mean: Channels = (0.0, 0.0, 0.0)
    sd: Channels = (1.0, 1.0, 1.0)
    clamp: bool = False

    def __post_init__(self) -> None:
        """Refuses a spread that could not be divided by."""
        if len(self.mean) != len(self.sd) or min(self.sd) <= 0:
            raise ValueError(f"normaliser mean {self.mean}, sd {self.sd}: one of each, sd above 0")

    def __call__(self, images: Array) -> Array:
        """Images ``[n, h, w, channels]`` to the same shape."""
        if self.clamp:
            images = clamp(images, 0, 1)
        return self.scale(images - jnp.asarray(self.mean, images.dtype))

    def scale(self, differences: Array) -> Array:
        """What the layer makes of differences of images, where it clamps none of them."""
        return differences / jnp.asarray(self.sd, differences.dtype)


_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CIFAR10 = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
_ONES = (1.0, 1.0, 1.0)

NORMALIZERS = {
    "imagenet": Normalizer(*_IMAGENET),
    "imagenet-clamped": Normalizer(*_IMAGENET, clamp=True),
    "imagenet-centered": Normalizer(_IMAGENET[0], _ONES),
    "cifar10": Normalizer(*_CIFAR10),
    "cifar10-clamped": Normalizer(*_CIFAR10, clamp=True),
    "cifar10-centered": Normalizer(_CIFAR10[0], _ONES),
    "cifar10-rice2020": Normalizer(_CIFAR10[0], (0.2471, 0.2435, 0.2616)),
    "restricted-imagenet-clamped": Normalizer(
        (0.4717, 0.4499, 0.3837), (0.2600, 0.2516, 0.2575), clamp=True
    ),
    "cinic-clamped": Normalizer((0.4789, 0.4723, 0.4305), (0.2421, 0.2383, 0.2588), clamp=True),
    "half-clamped": Normalizer((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), clamp=True),
    "none": Normalizer(),
}
"""By name: "centered" subtracts only the mean (SmoothAdv), "clamped" clamps first (Madry Lab)."""
