"""Batches of labelled images for training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import NamedSharding

from pagjax.io.data.labelled_images import LabelledImages, open_data
from pagjax.training.settings import TrainingError

__all__ = ["Batch", "LabelledImages", "batches", "on_devices", "open_data", "prefetched"]


class Batch(NamedTuple):
    """Images ``[batch, side, side, 3]`` in 8 bits and class indices ``[batch]``.

    Where there is a teacher, its probabilities ``[batch, classes]`` too.
    """

    images: np.ndarray
    labels: np.ndarray
    soft_labels: np.ndarray | None = None


def batches(
    data: LabelledImages,
    batch_size: int,
    seed: int,
    first: int,
    last: int,
    rows: slice = slice(None),
    *,
    soft_labels: np.ndarray | None = None,
    shares: np.ndarray | None = None,
) -> Iterator[Batch]:
    """Training batches number `first` to `last`, the next ones read while one is in use.

    Every epoch is a permutation of its own; batch number i holds the same images in the same order
    wherever a run starts or stops, and the images that do not fill an epoch's last batch sit out.

    Args:
        data: of which batches are taken.
        batch_size: images in each.
        seed: of the order.
        first: number of the first batch.
        last: number after the last.
        rows: of each batch, which ones are read, where others read the rest.
        soft_labels: of every image, float32 ``[images, classes]``.
        shares: how likely each image is to be the next; then an epoch is as many draws with
            replacement instead of a permutation.
    """
    per_epoch = len(data) // batch_size
    if per_epoch == 0:
        raise TrainingError(f"{len(data)} images do not fill a batch of {batch_size}")
    orders: dict[int, np.ndarray] = {}

    def load(number: int) -> Batch:
        epoch, position = divmod(number, per_epoch)
        order = orders.get(epoch)
        if order is None:
            order = _order(np.random.default_rng([seed, epoch]), len(data), shares)
            orders.clear()
            orders[epoch] = order
        chosen = order[position * batch_size : (position + 1) * batch_size][rows]
        soft = None if soft_labels is None else soft_labels[chosen]
        return Batch(data.images(chosen), data.targets[chosen], soft)

    return prefetched(load, range(first, last))


def on_devices(batch: Batch, split: NamedSharding) -> list[Array]:
    """What a batch holds, each process's rows on its devices."""
    parts = [part for part in batch if part is not None]
    return [jax.make_array_from_process_local_data(split, part) for part in parts]


def _order(generator: np.random.Generator, count: int, shares: np.ndarray | None) -> np.ndarray:
    if shares is None:
        return generator.permutation(count)
    return generator.choice(count, count, p=shares)


def prefetched(
    load: Callable[[int], Batch], numbers: Sequence[int], ahead: int = 2
) -> Iterator[Batch]:
    """``load`` of every number in order, the next `ahead` ones under way in another thread."""
    # An iterator that is given up may be ended by the garbage collector, in any thread and at any
    # place: it must not wait for another thread then.
    pool = ThreadPoolExecutor(1)
    try:
        waiting = [pool.submit(load, number) for number in numbers[:ahead]]
        for number in [*numbers[ahead:], *([None] * len(waiting))]:
            batch = waiting.pop(0).result()
            if number is not None:
                waiting.append(pool.submit(load, number))
            yield batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
