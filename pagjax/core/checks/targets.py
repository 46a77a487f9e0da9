"""Target classes: indices, or labels where the network knows its own."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from pagjax.core.checks.functions import LogitsFn, is_concrete, said_by
from pagjax.wording.names import by_name, hint


def as_targets(
    targets: Any, num_images: int, num_classes: int, network: LogitsFn | None = None
) -> Array:
    """One class index per image, as 32-bit integers.

    Args:
        targets: indices, or labels of `network`, one per image.
        num_images: how many there must be.
        num_classes: how many classes there are.
        network: whose labels count, as those of `pagjax.load` do.

    Returns:
        Shape ``[num_images]``. Values of traced targets are not checked.

    Raises:
        ValueError: for another number of targets, indices out of range, unknown labels.
        TypeError: for what is neither.

    Example:
        >>> as_targets([2, 0], 2, 3).tolist()
        [2, 0]
    """
    if not is_concrete(targets):
        if not jnp.issubdtype(targets.dtype, jnp.integer):
            raise TypeError(f"targets of type {targets.dtype}: pass class indices, whole numbers")
        if targets.shape != (num_images,):
            raise _not_one_each(f"of shape {targets.shape}", num_images)
        return targets.astype(jnp.int32)
    values = targets.tolist() if hasattr(targets, "tolist") else targets
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise _not_one_each(f"= {values!r}", num_images)
    if len(values) != num_images or any(isinstance(value, list | tuple) for value in values):
        shape = getattr(targets, "shape", (len(values),))
        raise _not_one_each(f"of shape {shape}", num_images)
    return jnp.array([as_target(value, num_classes, network) for value in values], jnp.int32)


def as_target(target: Any, num_classes: int, network: LogitsFn | None = None) -> int:
    """One class index, see `as_targets`.

    Example:
        >>> as_target(2**40, 10)
        Traceback (most recent call last):
        ValueError: target 1099511627776: the network has 10 classes, 0 to 9
    """
    if hasattr(target, "tolist"):
        target = target.tolist()
    if isinstance(target, str):
        labels = said_by(network, "labels")
        if labels is None:
            raise ValueError(
                f"target {target!r}: the function knows no labels; pass an index, such as "
                f"network.labels.index({target!r})"
            )
        return index_of(target, labels)
    if isinstance(target, bool) or not hasattr(target, "__index__"):
        raise TypeError(f"target {target!r}: pass a class index, a whole number, or a label")
    index = operator.index(target)
    if not 0 <= index < num_classes:
        raise ValueError(
            f"target {index}: the network has {num_classes} classes, 0 to {num_classes - 1}"
        )
    return index


def index_of(label: str, labels: Sequence[str]) -> int:
    """The number of a label, or of one of its synonyms between commas, as people write it.

    Raises:
        ValueError: for a label that none or several of `labels` are; near ones are named.

    Example:
        >>> index_of("golf_ball", ("cat", "Golf ball, golfball"))
        1
    """
    found = [index for index, known in enumerate(labels) if known == label]
    found = found or sorted(by_name(label, labels))
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"target {label!r}: classes {found} have that label; pass an index")
    parts = [part.strip() for known in labels for part in known.split(",")]
    raise ValueError(f"target {label!r} is no label of the network; {hint(label, parts)}")


def _not_one_each(given: str, num_images: int) -> ValueError:
    return ValueError(f"targets {given} for {num_images} images: pass one index per image")
