"""The one check of images: what every function that takes them asks, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from pagjax.core.checks.functions import is_concrete, said_by

Bounds = tuple[float, float]
UNIT_BOX: Bounds = (0.0, 1.0)

# What rounding of float32 adds to pixels that are meant to be 0 or 1, and some to spare.
_ROUNDING = 1e-5
# Beyond any picture in [0, 1] with noise, normalised or not: pixels of 0 to 255.
_LARGEST_NOISY = 64.0

_FIRST = "move the channels to the end with jnp.moveaxis(images, {0}, -1)"


def as_images(
    images: Any,
    *,
    bounds: Bounds | None = UNIT_BOX,
    network: Callable[..., Any] | None = None,
    name: str = "images",
) -> Array:
    """A batch of images as floats in pixel units, or an error that names the cure.

    8-bit pixels are divided by 255. Half precision is widened to float32, which is exact; float64
    stays where JAX has it. NumPy arrays, lists of images of one shape and Python numbers become
    arrays. Of traced images rank, channels and type are checked, their values not.

    Args:
        images: shape ``[batch, height, width, channels]``; one or three channels, or as many as
            `network` says.
        bounds: lowest and highest pixel value, or None for images in other units, which need only
            be finite. What lies outside by no more than 1e-5 is rounding, and is clipped.
        network: the function that will see them.
        name: what messages call them.

    Returns:
        The same shape, float32 or wider.

    Raises:
        ValueError: for another shape, type or range, NaN or infinite pixels.
        TypeError: for what is no array.

    Example:
        >>> as_images(jnp.array([[[[0], [255]]]], jnp.uint8)).ravel().tolist()
        [0.0, 1.0]
        >>> as_images(jnp.zeros((2, 3, 32, 32)))
        Traceback (most recent call last):
        ValueError: images of shape (2, 3, 32, 32) are channels first: move the channels to the \
end with jnp.moveaxis(images, 1, -1)
    """
    array = _as_array(images, name)
    check_shape(array.shape, network=network, name=name)
    bounds = as_bounds(bounds)
    if array.dtype == jnp.uint8:
        if bounds not in (None, UNIT_BOX):
            raise ValueError(
                f"{name} of type uint8 with bounds {list(bounds or ())}: pass floats in those units"
            )
        array = as_unit_pixels(array)
    array = widened(array, name)
    if not (is_concrete(array) and array.is_fully_addressable):
        return array
    low, high = _span(array, name)
    if bounds is None or (bounds[0] <= low and high <= bounds[1]):
        return array
    if bounds[0] - _ROUNDING <= low and high <= bounds[1] + _ROUNDING:
        return jnp.clip(array, *bounds)
    raise ValueError(
        f"{name} span [{low:.4g}, {high:.4g}], outside {list(bounds)}: {_cure(low, high)}"
    )


def as_image(
    image: Any, *, bounds: Bounds | None = UNIT_BOX, network: Callable[..., Any] | None = None
) -> Array:
    """One image ``[height, width, channels]``, with errors as of `as_images`.

    Example:
        >>> as_image(jnp.zeros((8, 8, 3))).shape
        (8, 8, 3)
    """
    array = _as_array(image, "image")
    if array.ndim == 4:
        raise ValueError(
            f"image of shape {array.shape}: expected one, [height, width, channels]; map over a "
            "batch with jax.vmap"
        )
    return as_images(array[None], bounds=bounds, network=network)[0]


def as_network_input(images: Any, network: Callable[..., Any], dtype: Any) -> Array:
    """The door of a base network, which also sees noisy images: in no box, but finite pixels.

    Args:
        images: shape ``[n, height, width, channels]``.
        network: see `as_images`.
        dtype: in which the network computes.

    Raises:
        ValueError: as `as_images`; out of range are only values that noise does not explain.
    """
    array = as_images(images, bounds=None, network=network)
    if is_concrete(array) and array.is_fully_addressable:
        low, high = _span(array, "images")
        if max(-low, high) > _LARGEST_NOISY:
            raise ValueError(
                f"images span [{low:.4g}, {high:.4g}]: networks take pixels in [0, 1]; "
                "divide by 255"
            )
    return array.astype(dtype)


def check_shape(
    shape: tuple[int, ...], *, network: Callable[..., Any] | None = None, name: str = "images"
) -> None:
    """Refuses all shapes but ``[batch, height, width, channels]``."""
    if len(shape) != 4:
        cures = {3: f"{name}[None]", 2: f"{name}[None, :, :, None]"}
        cure = f"; add the missing axis with {cures[len(shape)]}" if len(shape) in cures else ""
        first = len(shape) == 3 and _channels_first(shape)
        also = f", and {_FIRST.format(0)} before" if first else ""
        raise ValueError(
            f"{name} of shape {shape}: expected [batch, height, width, channels]{cure}{also}"
        )
    if 0 in shape:
        raise ValueError(f"{name} of shape {shape} hold no pixel")
    known = said_by(network, "channels")
    if known == shape[3] or (known is None and shape[1] == shape[2] == 1):
        return  # as many as the network says; or points, not pictures
    if _channels_first(shape[1:]) and (known is None or shape[1] == known):
        raise ValueError(f"{name} of shape {shape} are channels first: {_FIRST.format(1)}")
    if shape[3] == 4:
        raise ValueError(
            f"{name} of shape {shape} have 4 channels: drop the alpha channel with {name}[..., :3]"
        )
    if known is not None and shape[3] == 1:
        raise ValueError(
            f"{name} of shape {shape} are grey, the network takes {known} channels: repeat theirs "
            f"with jnp.repeat({name}, {known}, axis=-1)"
        )
    if known is not None or shape[3] > 4:
        raise ValueError(
            f"{name} of shape {shape} have {shape[3]} channels: expected "
            f"{'1 or 3' if known is None else known}, channels last"
        )


def as_bounds(bounds: Any) -> Bounds | None:
    """A pixel box as two floats, or None; refuses what is neither."""
    if bounds is None:
        return None
    try:
        low, high = (float(end) for end in bounds if not isinstance(end, str))
        fits = math.isfinite(low) and math.isfinite(high) and low < high
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"bounds = {bounds!r}: pass (lowest, highest), or None for no box")
    return low, high


def as_unit_pixels(pixels: Array) -> Array:
    """8-bit pixels in [0, 1], each the float nearest to a 255th, compiled or not."""
    return jnp.array([value / 255 for value in range(256)])[pixels]


def widened(array: Array, name: str) -> Array:
    """Floats of 32 bits or more; refuses other numbers."""
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(jnp.float32) if array.dtype.itemsize < 4 else array
    kind = "convert them to floats in [0, 1]"
    if jnp.issubdtype(array.dtype, jnp.integer):
        kind = "pass uint8 pixels of 0 to 255, or floats in [0, 1]: divide 8-bit pixels by 255"
    raise ValueError(f"{name} of type {array.dtype}: {kind}")


def num_classes(network: Partial, images: Array) -> int:
    """How many logits a network gives each image; evaluates nothing.

    Raises:
        ValueError: if what it gives is not ``[n, classes]``.
    """
    shape = jax.eval_shape(network, images[:1]).shape
    if len(shape) != 2 or shape[0] != 1:
        raise ValueError(
            f"logits_fn makes {shape} of one image: expected [n, classes], here (1, classes)"
        )
    return int(shape[1])


def _as_array(images: Any, name: str) -> Array:
    if isinstance(images, jax.Array):
        return images
    if isinstance(images, list | tuple) and images and hasattr(images[0], "shape"):
        shapes = {tuple(getattr(image, "shape", ())) for image in images}
        if len(shapes) > 1:
            raise ValueError(f"{name} of shapes {sorted(shapes)}: bring them to one, then stack")
        return jnp.stack([_as_array(image, name) for image in images])
    dtype = getattr(images, "dtype", None)
    if dtype is not None and str(dtype) in ("int64", "uint64", "complex128"):
        raise ValueError(
            f"{name} of type {dtype}: pass uint8 pixels of 0 to 255, or floats in [0, 1]: divide "
            "8-bit pixels by 255"
        )
    if isinstance(images, str | bytes) or images is None:
        raise TypeError(
            f"{name} is a {type(images).__name__}: pass an array [batch, height, width, channels]"
        )
    try:
        return jnp.asarray(images)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"{name} is a {type(images).__name__} that makes no array: pass one of shape "
            "[batch, height, width, channels]"
        ) from error


def _channels_first(shape: tuple[int, ...]) -> bool:
    return shape[2] not in (1, 3) and (shape[0] in (1, 3) or shape[0] == 4 < shape[2])


def _span(array: Array, name: str) -> tuple[float, float]:
    """The lowest and the highest pixel, all of which are finite."""
    finite, low, high = jax.device_get(_finite_low_high(array))
    if not finite:
        raise ValueError(
            f"{name} hold non-finite pixels (NaN or infinity): mend or drop those images"
        )
    return float(low), float(high)


@jax.jit
def _finite_low_high(array: Array) -> tuple[Array, Array, Array]:
    # Asked by itself, as a compiled minimum may overlook NaN.
    return jnp.isfinite(array).all(), jnp.min(array), jnp.max(array)


def _cure(low: float, high: float) -> str:
    if low > -1 and 2 < high <= 255.5:
        return "divide by 255"
    if low < -_ROUNDING and high <= 4:
        return (
            "pass pixels that are not normalised, as networks normalise them themselves; clip "
            "them, or pass bounds=None"
        )
    return "scale pixels to the box, clip them, or pass bounds=None"
