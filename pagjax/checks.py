"""Argument checks shared by the ground floor: every message names the value and the cure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

LogitsFn = Callable[[Array], Array]
"""Images ``[batch, height, width, channels]`` in [0, 1] to logits ``[batch, classes]``."""


def as_partial(logits_fn: LogitsFn) -> Partial:
    """The function as a pytree, so that jit sees its weights as arguments and caches by its name.

    A `jax.tree_util.Partial` passes unchanged; any other callable becomes one without leaves.
    """
    if isinstance(logits_fn, Partial):
        return logits_fn
    if not callable(logits_fn):
        raise TypeError(f"logits_fn is a {type(logits_fn).__name__}: pass a function of images")
    return Partial(logits_fn)


def noisy_logits(logits_fn: LogitsFn, images: Array, noise: Array) -> Array:
    """``logits_fn(images + noise)``, by the function's own way where it has one.

    A `jax.tree_util.Partial` of a callable with a method ``noisy(*leaves, images, noise)`` says so:
    a network whose first layer is linear adds the noise after it, which saves that layer's backward
    pass for all but one of an image's draws.

    Args:
        logits_fn: as everywhere.
        images: shape ``[n, height, width, channels]``.
        noise: the same shape.

    Returns:
        Logits ``[n, classes]``.
    """
    noisy = getattr(getattr(logits_fn, "func", None), "noisy", None)
    if noisy is None or not isinstance(logits_fn, Partial):
        return logits_fn(images + noise)
    return noisy(*logits_fn.args, images, noise, **logits_fn.keywords)


def is_concrete(value: Any) -> bool:
    """Whether `value` is known now, outside any trace."""
    return not isinstance(value, jax.core.Tracer)


def check_images(images: Array) -> None:
    """Refuses anything but a floating batch of images."""
    if images.ndim != 4:
        raise ValueError(
            f"images of shape {images.shape}: expected [batch, height, width, channels]; "
            "add the missing axis with images[None]"
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"images of type {images.dtype}: divide 8-bit pixels by 255 first")


def check_non_negative(name: str, value: Any, unit: str) -> None:
    """Refuses a known value that is negative or not finite; arrays are checked elementwise."""
    if not is_concrete(value):
        return
    numbers = jnp.asarray(value, dtype=float)
    if not bool(jnp.all(jnp.isfinite(numbers) & (numbers >= 0))):
        raise ValueError(f"{name} = {value}: must be finite and at least 0 ({unit})")


def check_count(name: str, value: int | None) -> None:
    """Refuses a count below one (None, a default to be chosen, passes)."""
    if value is not None and (int(value) != value or value < 1):
        raise ValueError(f"{name} = {value}: must be a whole number of at least 1")


def draws_needed(sigma: Any, num_samples: int) -> int:
    """The number of network evaluations an estimate takes: one where sigma is known to be 0."""
    check_count("num_samples", num_samples)
    check_non_negative("sigma", sigma, "an l2 length in pixel units of [0, 1]")
    if is_concrete(sigma) and float(sigma) == 0.0:
        return 1
    return int(num_samples)


def check_targets(targets: Any, num_images: int, num_classes: int) -> None:
    """Refuses targets that are not one class index per image."""
    if jnp.shape(targets) != (num_images,):
        raise ValueError(
            f"targets of shape {jnp.shape(targets)} for {num_images} images: "
            "pass one index per image"
        )
    if not is_concrete(targets):
        return
    wrong = [int(t) for t in jnp.asarray(targets) if not 0 <= int(t) < num_classes]
    if wrong:
        raise ValueError(
            f"target {wrong[0]}: the network has {num_classes} classes, 0 to {num_classes - 1}"
        )


def check_in_box(images: Any, bounds: tuple[float, float] | None) -> None:
    """Refuses starting images that leave the box; a projection could not keep both constraints."""
    if bounds is None or not is_concrete(images):
        return
    low, high = float(jnp.min(images)), float(jnp.max(images))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the starting images hold non-finite values")
    if low < bounds[0] or high > bounds[1]:
        raise ValueError(
            f"starting images span [{low:.4g}, {high:.4g}], outside {list(bounds)}: "
            "scale pixels to the box, clip them, or pass bounds=None"
        )
