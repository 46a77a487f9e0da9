"""Functions of images: as pytrees, with noise by their own way, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
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
        cure = "its logits_fn" if hasattr(logits_fn, "logits_fn") else "a function of images"
        raise TypeError(f"logits_fn is a {type(logits_fn).__name__}: pass {cure}")
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


def said_by(logits_fn: Callable[..., Any] | None, name: str) -> Any:
    """What a network says of itself: its ``channels`` or ``labels``; None where it says nothing.

    Read from the function, or from that inside a `jax.tree_util.Partial`.
    """
    return getattr(getattr(logits_fn, "func", logits_fn), name, None)


def is_concrete(value: Any) -> bool:
    """Whether `value` is known now, outside any trace."""
    return not isinstance(value, jax.core.Tracer)
