"""Certificates of a batch: one image after another, as one record of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial
from jax.typing import ArrayLike

from pagjax.certification.sound import check_on_grid
from pagjax.core import draws
from pagjax.core.checks import Bounds, as_images, as_key, as_target, as_targets, num_classes

Record = TypeVar("Record")
Of = Callable[[Array, Array, int | None], Record]
"""An image, its key, and its class where one is given, to a record."""


def of_each(
    one: Of[Record],
    network: Partial,
    images: ArrayLike,
    key: Array,
    *,
    bounds: Bounds | None,
    classes: Any = None,
    sound: bool = False,
) -> Record:
    """Maps a certificate's procedure over images, all of which are checked before the first.

    Args:
        one: the procedure, for one image.
        network: whose images they are.
        images: shape ``[batch, height, width, channels]``, or one image of rank 3.
        key: a typed key, or one per image; see `pagjax.core.draws.image_keys`. One image of
            rank 3 meets the draws of the key itself.
        bounds: see `pagjax.core.checks.as_images`.
        classes: an index or label for every image, or None.
        sound: whether only images of whole 8-bit levels will do.

    Returns:
        What `one` returns; of a batch, a record of the same kind whose fields are arrays.
    """
    if getattr(images, "ndim", 4) == 3:
        batch = _checked(network, [images], bounds, sound)
        if classes is not None:
            classes = as_target(classes, num_classes(network, batch), network)
        return one(batch[0], _single(as_key(key)), classes)
    batch = _checked(network, images, bounds, sound)
    keys = draws.image_keys(key, len(batch))
    chosen: Sequence[int | None] = [None] * len(batch)
    if classes is not None:
        chosen = as_targets(classes, len(batch), num_classes(network, batch), network).tolist()
    found = [one(*each) for each in zip(batch, keys, chosen, strict=True)]
    names = [field.name for field in dataclasses.fields(found[0])]  # type: ignore[arg-type]
    columns = {name: np.stack([getattr(record, name) for record in found]) for name in names}
    return type(found[0])(**columns)


def _checked(network: Partial, images: Any, bounds: Bounds | None, sound: bool) -> Array:
    batch = as_images(images, bounds=bounds, network=network)
    if isinstance(batch, jax.core.Tracer):
        raise TypeError("a certificate is counted on the host: call certify outside jit and vmap")
    if num_classes(network, batch) < 2:
        raise ValueError("a network of one class has nothing to certify")
    if sound:
        check_on_grid(batch)
    return batch


def _single(key: Array) -> Array:
    if key.shape == (1,):
        return key[0]
    if key.ndim:
        raise ValueError(f"keys of shape {key.shape} for one image: pass one key")
    return jnp.asarray(key)
