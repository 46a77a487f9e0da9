"""The first layer of a base network: scaling of pixels, after the noise was added."""

from __future__ import annotations

import math
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
        """Refuses a spread that could not be divided by, and what is no number."""
        numbers = (*self.mean, *self.sd)
        fits = len(self.mean) == len(self.sd) and all(
            isinstance(value, int | float) and math.isfinite(value) for value in numbers
        )
        if not fits or min(self.sd, default=0) <= 0:
            raise ValueError(
                f"normaliser mean {self.mean}, sd {self.sd}: one of each, finite, sd above 0"
            )

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
_CIFAR100 = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
_HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_ONES = (1.0, 1.0, 1.0)

NORMALIZERS = {
    "imagenet": Normalizer(*_IMAGENET),
    "imagenet-clamped": Normalizer(*_IMAGENET, clamp=True),
    "imagenet-centered": Normalizer(_IMAGENET[0], _ONES),
    "cifar10": Normalizer(*_CIFAR10),
    "cifar10-clamped": Normalizer(*_CIFAR10, clamp=True),
    "cifar10-centered": Normalizer(_CIFAR10[0], _ONES),
    "cifar10-rice2020": Normalizer(_CIFAR10[0], (0.2471, 0.2435, 0.2616)),
    "cifar100": Normalizer(*_CIFAR100),
    "cifar100-centered": Normalizer(_CIFAR100[0], _ONES),
    "cifar100-clamped": Normalizer(*_CIFAR100, clamp=True),
    "restricted-imagenet-clamped": Normalizer(
        (0.4717, 0.4499, 0.3837), (0.2600, 0.2516, 0.2575), clamp=True
    ),
    "cinic-clamped": Normalizer((0.4789, 0.4723, 0.4305), (0.2421, 0.2383, 0.2588), clamp=True),
    "half": Normalizer(*_HALF),
    "half-clamped": Normalizer(*_HALF, clamp=True),
    "none": Normalizer(),
}
"""By name: "centered" subtracts only the mean (SmoothAdv), "clamped" clamps first (Madry Lab)."""

CLAMPED = "-clamped"


def parse(text: str) -> Normalizer:
    """A normaliser from its name or from numbers.

    Args:
        text: a name of `NORMALIZERS`, or ``MEAN/SD`` in units of [0, 1], each one number for all
            channels or three with commas. ``-clamped`` after either clamps images first.

    Returns:
        The `Normalizer`, for three channels.

    Raises:
        ValueError: if it is neither, or the numbers are those of pixels of 0 to 255.

    Example:
        >>> parse("0.5071,0.4865,0.4409/0.2673,0.2564,0.2762") == NORMALIZERS["cifar100"]
        True
        >>> parse("0.5/0.25-clamped")
        Normalizer(mean=(0.5, 0.5, 0.5), sd=(0.25, 0.25, 0.25), clamp=True)
    """
    if text in NORMALIZERS:
        return NORMALIZERS[text]
    bare = text.removesuffix(CLAMPED)
    clamp = bare != text
    if bare in NORMALIZERS:
        named = NORMALIZERS[bare]
        return Normalizer(named.mean, named.sd, clamp)
    try:
        mean, sd = (tuple(float(number) for number in part.split(",")) for part in bare.split("/"))
    except ValueError:
        raise ValueError(
            f"normaliser {text!r}: choose one of {', '.join(NORMALIZERS)}, or give numbers as "
            "MEAN/SD, such as 0.4914,0.4822,0.4465/0.2023,0.1994,0.2010 or 0.5/0.5-clamped"
        ) from None
    return for_colour(Normalizer(*_widened(mean, sd), clamp))


def for_colour(normalizer: Normalizer) -> Normalizer:
    """The same normaliser for three channels in units of [0, 1].

    Raises:
        ValueError: for another number of channels, and for the numbers of pixels of 0 to 255, with
            what they are in units of [0, 1].

    Example:
        >>> for_colour(Normalizer((0.5,), (0.25,))).mean
        (0.5, 0.5, 0.5)
        >>> for_colour(Normalizer((127.5,), (51.0,)))
        Traceback (most recent call last):
        ...
        ValueError: normaliser 127.5/51: pixels are in [0, 1] here, ... 255: 0.5,0.5,0.5/0.2,0.2,0.2
    """
    mean, sd = _widened(normalizer.mean, normalizer.sd)
    if len(mean) != 3:
        raise ValueError(
            f"normaliser {spelled(normalizer)}: {len(mean)} channels; give one number for all "
            "channels, or three"
        )
    if max(map(abs, mean)) > 1 or max(sd) > 1:
        scaled = Normalizer(tuple(m / 255 for m in mean), tuple(s / 255 for s in sd))
        raise ValueError(
            f"normaliser {spelled(normalizer)}: pixels are in [0, 1] here, so mean and sd are at "
            f"most 1; divide those of 0 to 255 by 255: {spelled(scaled)}"
        )
    return Normalizer(mean, sd, normalizer.clamp)


def spelled(normalizer: Normalizer) -> str:
    """A normaliser as `parse` reads it.

    Example:
        >>> spelled(NORMALIZERS["half-clamped"])
        '0.5,0.5,0.5/0.5,0.5,0.5-clamped'
    """
    mean, sd = (
        ",".join(f"{value:.7g}" for value in values) for values in (normalizer.mean, normalizer.sd)
    )
    return f"{mean}/{sd}{CLAMPED if normalizer.clamp else ''}"


def _widened(mean: Channels, sd: Channels) -> tuple[Channels, Channels]:
    """One number stands for all channels."""
    channels = 3 if max(len(mean), len(sd)) == 1 else max(len(mean), len(sd))
    return (
        mean * channels if len(mean) == 1 else mean,
        sd * channels if len(sd) == 1 else sd,
    )
