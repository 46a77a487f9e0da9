"""Draws of class Gaussians as starting images that a name says all about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import jax
import numpy as np

from pagjax.core.class_gaussians import draw_seeds
from pagjax.jobs.errors import JobError
from pagjax.jobs.targets import resolve_target
from pagjax.seeds import store
from pagjax.wording.numbers import SEEDS

PREFIX = "seed:"
_SEED = re.compile("[0-9]{1,10}")

_load = lru_cache(maxsize=2)(store.load)


def names(
    classes: Sequence[str | int],
    labels: Sequence[str],
    statistics: str | None,
    *,
    count: int,
    seed: int,
    side: int | None = None,
) -> tuple[list[str], list[str]]:
    """Names of `count` seeds of each class, and each one's class as the target.

    Args:
        classes: labels or indices of the network's classes.
        labels: the network's class names.
        statistics: a data set's name or a file; None finds the shipped ones of these labels.
        count: seeds a class.
        seed: of the draws.
        side: side in pixels of the images wanted, where the shipped statistics are to be found.

    Returns:
        Names for `read`, and a class index as text for each.

    Raises:
        JobError: for classes that the network or the statistics do not have.

    Example:
        >>> labels = store.load("cifar10").labels
        >>> names(["horse"], labels, None, count=2, seed=0)
        (['seed:cifar10/horse-0-0', 'seed:cifar10/horse-0-1'], ['7', '7'])
    """
    source, found = _statistics(statistics, labels, side)
    chosen = [resolve_target(text, labels) for text in classes]
    own = [_name_of(labels[index], index, found.labels) for index in chosen]
    return (
        [f"{PREFIX}{source}/{label}-{seed}-{number}" for label in own for number in range(count)],
        [_as_text(index, labels) for index in chosen for _ in range(count)],
    )


def _name_of(label: str, index: int, known: Sequence[str]) -> str:
    """How a class of the statistics is named: by its label, or by its index where that is unclear.

    Labels may repeat, as ImageNet's two cranes do; their places tell them apart.
    """
    if index >= len(known) or known[index] != label:
        index = resolve_target(label, known)
    return known[index] if _means(known[index], index, known) else _as_text(index, known)


def _as_text(index: int, labels: Sequence[str]) -> str:
    """An index that `resolve_target` reads as one, also where labels are numbers."""
    return str(index) if _means(str(index), index, labels) else f"index:{index}"


def _means(text: str, index: int, labels: Sequence[str]) -> bool:
    try:
        return resolve_target(text, labels) == index
    except JobError:
        return False


def read(name: str, size: tuple[int, int]) -> np.ndarray:
    """The seed of a name, ``seed:STATISTICS/CLASS-SEED-NUMBER``.

    Args:
        name: from `names`; number and seed are integers, the class a label or an index.
        size: height and width wanted, a multiple of the statistics' own.

    Returns:
        Shape ``[height, width, 3]``, in [0, 1].

    Raises:
        JobError: for a name of another form, unknown statistics or classes, or a size that does not
            fit them.

    Example:
        >>> read("seed:cifar10/horse-0-3", (64, 64)).shape
        (64, 64, 3)
    """
    try:
        source, rest = name.removeprefix(PREFIX).rsplit("/", 1)
        label, seed, number = rest.rsplit("-", 2)
        if not (_SEED.fullmatch(seed) and _SEED.fullmatch(number) and int(seed) < SEEDS):
            raise ValueError(name)
    except ValueError:
        raise JobError(f"{name}: write seed:STATISTICS/CLASS-SEED-NUMBER") from None
    try:
        statistics = _load(source)
        if size[0] != size[1]:
            raise JobError(f"{name}: seeds are square, not {size[0]}x{size[1]}")
        factor = statistics.scale_to(size[0])
    except store.StatisticsError as error:
        raise JobError(f"{name}: {error}") from error
    return draw(
        statistics, resolve_target(label, statistics.labels), int(seed), int(number), factor
    )


def draw(
    statistics: store.ClassStatistics, index: int, seed: int, number: int, factor: int
) -> np.ndarray:
    """The draw that ``seed:STATISTICS/CLASS-SEED-NUMBER`` names, from what the name means.

    Args:
        statistics: fitted Gaussians.
        index: of the class among theirs.
        seed: an integer.
        number: which of the class's draws with this seed.
        factor: how many times larger than the statistics' own size.

    Returns:
        Shape ``[height, width, 3]``, in [0, 1].
    """
    own = jax.random.fold_in(jax.random.key(seed), index)
    return np.asarray(
        draw_seeds(statistics.gaussian(index), own, np.array([number]), factor=factor)[0]
    )


def _statistics(
    name: str | None, labels: Sequence[str], side: int | None
) -> tuple[str, store.ClassStatistics]:
    try:
        return store.find(labels, side) if name is None else (name, _load(name))
    except store.StatisticsError as error:
        raise JobError(str(error)) from error
