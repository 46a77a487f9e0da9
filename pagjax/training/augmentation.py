"""Random crops, flips and cutouts on the device, inside the compiled step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax

from pagjax.training.settings import Settings, TrainingError


def augment(settings: Settings, key: Array, images: Array) -> Array:
    """8-bit images to float ones of the network's size, changed at random as the settings say."""
    crop_key, flip_key = jax.random.split(key)
    size = settings.image_size
    if settings.crop == "pad":
        images = to_float(random_pad_crop(crop_key, images, size))
    elif settings.crop == "resized":
        images = random_resized_crop(crop_key, to_float(images), size, settings.least_area)
    elif settings.crop == "none":
        images = to_float(center_crop(images, size))
    else:
        raise TrainingError(f"crop {settings.crop!r}: choose 'pad', 'resized' or 'none'")
    if settings.flip:
        images = random_flip(flip_key, images)
    if settings.cutout:
        images = random_cutout(jax.random.fold_in(key, 2), images, settings.cutout)
    return images


def to_float(images: Array) -> Array:
    """8-bit pixels as float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255


def random_flip(key: Array, images: Array) -> Array:
    """Mirrors each image left to right with probability one half."""
    flips = jax.random.bernoulli(key, 0.5, (images.shape[0], 1, 1, 1))
    return jnp.where(flips, images[:, :, ::-1], images)


def random_pad_crop(key: Array, images: Array, size: int) -> Array:
    """Cuts `size` x `size` at random from each image padded by an eighth of `size` with zeros.

    Args:
        key: a typed key.
        images: shape ``[batch, height, width, channels]``, sides of at least `size`.
        size: side of the cut, in pixels.

    Returns:
        Shape ``[batch, size, size, channels]``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> random_pad_crop(jax.random.key(0), jnp.ones((2, 32, 32, 3)), 32).shape
        (2, 32, 32, 3)
    """
    margin = size // 8
    count, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    highest = jnp.array([height, width]) + 2 * margin - size
    corners = jax.random.randint(key, (count, 2), 0, highest + 1)

    def cut(image: Array, corner: Array) -> Array:
        return lax.dynamic_slice(image, (corner[0], corner[1], 0), (size, size, channels))

    return jax.vmap(cut)(padded, corners)


def random_resized_crop(key: Array, images: Array, size: int, least_area: float) -> Array:
    """Resizes a random rectangle of each image to `size` x `size`, with antialiasing.

    The rectangle's share of the image's area is uniform in ``[least_area, 1]``, the logarithm of
    its aspect ratio uniform between those of 3/4 and 4/3, as in torchvision's RandomResizedCrop;
    a rectangle that would leave the image is shortened.

    Args:
        key: a typed key.
        images: float, shape ``[batch, height, width, channels]``.
        size: side wanted, in pixels.
        least_area: in (0, 1].

    Returns:
        Shape ``[batch, size, size, channels]``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> random_resized_crop(jax.random.key(0), jnp.ones((2, 48, 64, 3)), 32, 0.25).shape
        (2, 32, 32, 3)
    """
    count, height, width, channels = images.shape
    area_key, ratio_key, place_key = jax.random.split(key, 3)
    area = height * width * jax.random.uniform(area_key, (count,), minval=least_area)
    spread = jnp.log(4 / 3)
    ratio = jnp.exp(jax.random.uniform(ratio_key, (count,), minval=-spread, maxval=spread))
    extents = jnp.stack([jnp.sqrt(area / ratio), jnp.sqrt(area * ratio)], axis=-1)
    sides = jnp.array([height, width], images.dtype)
    extents = jnp.minimum(extents, sides)
    corners = jax.random.uniform(place_key, (count, 2)) * (sides - extents)

    def resize(image: Array, corner: Array, extent: Array) -> Array:
        scale = size / extent
        return jax.image.scale_and_translate(
            image, (size, size, channels), (0, 1), scale, -corner * scale, "linear"
        )

    return jax.vmap(resize)(images, corners, extents)


def random_cutout(key: Array, images: Array, side: int) -> Array:
    """Covers a square of each image with the image's mean colour (DeVries and Taylor 2017, Cutout).

    Every pixel is as likely as any other to be the centre, so that squares at a border are cut off.

    Args:
        key: a typed key.
        images: float, shape ``[batch, height, width, channels]``.
        side: of the square, in pixels.

    Returns:
        The images' shape.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> random_cutout(jax.random.key(0), jnp.ones((2, 32, 32, 3)), 16).shape
        (2, 32, 32, 3)
    """
    count, height, width, _ = images.shape
    centres = jax.random.randint(key, (count, 2), 0, jnp.array([height, width]))
    starts = centres - side // 2

    def covered(length: int, start: Array) -> Array:
        places = jnp.arange(length) - start[:, None]
        return (places >= 0) & (places < side)

    rows, columns = covered(height, starts[:, 0]), covered(width, starts[:, 1])
    square = rows[:, :, None, None] & columns[:, None, :, None]
    return jnp.where(square, images.mean(axis=(1, 2), keepdims=True), images)


def center_crop(images: Array, size: int) -> Array:
    """The middle `size` x `size` of each image.

    Example:
        >>> import jax.numpy as jnp
        >>> center_crop(jnp.ones((2, 48, 64, 3)), 32).shape
        (2, 32, 32, 3)
    """
    top, left = (images.shape[1] - size) // 2, (images.shape[2] - size) // 2
    return images[:, top : top + size, left : left + size]
