"""Where compared pictures start, where they go, and the images that are nearest to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from pagjax.alignment import directions
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.io.files.atomic import Form
from pagjax.io.files.errors import RefusedError
from pagjax.jobs.errors import JobError

_TARGETS, _OTHERS = 2**31, 2**31 + 1  # streams of the seed


@dataclass(frozen=True)
class Starts:
    """Where the pictures start.

    Attributes:
        source: what they are, for the record.
        images: shape ``[n, height, width, 3]`` in [0, 1].
        classes: each one's own class.
        skipped: why images could not be used, a line each.
    """

    source: str
    images: np.ndarray
    classes: np.ndarray
    skipped: tuple[str, ...] = ()


def from_data(data: LabelledImages, count: int, seed: int) -> Starts:
    """Images of a data set, drawn without replacement; others are drawn for damaged ones."""
    order = np.random.default_rng(seed).permutation(len(data))
    damaged: dict[int, str] = {}
    chosen = order[:count]
    while len(wrong := data.damaged(chosen)) > 0:
        damaged |= wrong
        chosen = np.array([index for index in order if index not in damaged][:count], int)
    if count > len(chosen):
        raise JobError(f"`count={count}`: {data.name} has {len(chosen)} images")
    images = data.images(chosen).astype(np.float32) / 255
    return Starts(data.name, images, data.targets[chosen], tuple(damaged.values()))


def draw_targets(starts: Starts, num_classes: int, seed: int) -> np.ndarray:
    """A random class for every start, never its own; the draws do not depend on the count."""
    key = jax.random.fold_in(jax.random.key(seed), _TARGETS)
    return np.asarray(directions.other_classes(key, jnp.asarray(starts.classes), num_classes))


def nearest_images(
    starts: np.ndarray,
    classes: np.ndarray,
    data: LabelledImages,
    count: int,
    skip: Callable[[str], None] = lambda why: None,
) -> np.ndarray:
    """The images of classes that are nearest to each start.

    Args:
        starts: shape ``[n, height, width, 3]`` in [0, 1].
        classes: for every start one class or several, ``[n, ...]``; a class's images are read once.
        data: where to look.
        count: how many of every class.
        skip: told why an image cannot be read.

    Returns:
        Shape ``[n, ..., count, height, width, 3]``.
    """
    found = np.zeros((*classes.shape, count, *starts.shape[1:]), np.float32)
    for index in np.unique(classes):
        wanted = np.nonzero(classes == index)
        read, damaged = data.readable(np.flatnonzero(data.targets == index))
        for why in damaged.values():
            skip(why)
        if len(read) < count:
            raise JobError(
                f"`neighbours={count}`: {data.name} has {len(read)} images of "
                f"{data.labels[index]} to look among: pass `neighbours={len(read)}`, or bring more"
            )
        images = jnp.asarray(read.astype(np.float32) / 255)
        closest, _ = directions.nearest(jnp.asarray(starts[wanted[0]]), images, count)
        found[wanted] = np.asarray(images[closest])
    return found


@dataclass(frozen=True)
class Wanted:
    """Which nearest images are wanted.

    Attributes:
        starts: near which.
        targets, others: a class for every start.
        count: how many of each class.
    """

    starts: Starts
    targets: np.ndarray
    others: np.ndarray
    count: int


def neighbours(
    file: Path,
    wanted: Wanted,
    source: str,
    open_images: Callable[[], LabelledImages],
    skip: Callable[[str], None] = lambda why: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest images of each start's target and other class, found, or read where they are kept.

    Args:
        file: where they are kept.
        wanted: which.
        source: says which data are looked among, such as their digest.
        open_images: opens it; not called where what is kept comes from it.
        skip: told why an image cannot be read.

    Returns:
        Two arrays of shape ``[n, count, height, width, 3]``.
    """
    starts, count = wanted.starts, wanted.count
    classes = np.stack([wanted.targets, wanted.others], axis=1)
    origin = np.array(atomic.digest(starts.images, classes, np.array([source, str(count)])))
    form = Form((*wanted.targets.shape, count, *starts.images.shape[1:]), "float32")
    forms = {"origin": Form((), "<U64"), "target": form, "other": form}
    if file.exists():
        with suppress(RefusedError):  # of another count, edited or cut off: looked for again
            kept = atomic.read_arrays(file, forms)
            if kept["origin"] == origin:
                return kept["target"], kept["other"]
    found = nearest_images(starts.images, classes, open_images(), count, skip)
    of_target, of_other = found[:, 0], found[:, 1]
    atomic.write_arrays(file, {"origin": origin, "target": of_target, "other": of_other})
    return of_target, of_other


def draw_others(targets: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """For every picture a class that is not its target, for the cosines that chance gives."""
    key = jax.random.fold_in(jax.random.key(seed), _OTHERS)
    return np.asarray(directions.other_classes(key, jnp.asarray(targets), num_classes))
