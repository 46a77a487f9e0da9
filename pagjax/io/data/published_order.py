"""Images by the numbers that published logs give them.

Whoever prepares a data set numbers it anew: TFDS shuffles, class folders are sorted by name. Logs
of the field count CIFAR-10's test images in the order of its own test file, and ImageNet's as its
class folders are sorted, so that theirs and ours are of the same images only if ours do too. Images
of CIFAR-10 are known by a checksum of their pixels, ImageNet's in TFDS by their files' names.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pagjax.io.data.class_folders import CIFAR10
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files.errors import ImageError

_SIDE = 32
# CRC-32 of each test image, rows of RGB bytes, in the order of Krizhevsky's (2009) test_batch.
_CHECKSUMS = Path(__file__).with_name("cifar10_test.npy")


def in_published_order(data: LabelledImages) -> LabelledImages:
    """All of CIFAR-10's test images, or a split that TFDS names the files of, as published.

    Args:
        data: images, whatever their order.

    Returns:
        The same images; a note says so, where they were numbered anew. Other data as it is.

    Example:
        >>> data = LabelledImages("mine", ("cat",), np.zeros(2, np.int32), 8, lambda indices: [])
        >>> in_published_order(data) is data
        True
    """
    order, how = data.by_file, "by class and file, as class folders are"
    if order is None:
        order, how = _of_cifar10(data), "as in CIFAR-10's own test file, as published logs are"
    if order is None or np.array_equal(order, np.arange(len(data))):
        return data
    note = f"{data.name}: numbered {how}"
    return replace(data.subset(order), notes=(*data.notes, note))


def _of_cifar10(data: LabelledImages) -> np.ndarray | None:
    """Numbers in the order of the test file; None for all but the whole test set."""
    if sorted(data.labels) != sorted(CIFAR10) or data.side != _SIDE:
        return None
    checksums = np.load(_CHECKSUMS)
    if len(data) != len(checksums):
        return None
    try:
        return _order(data.images(np.arange(len(data))), checksums)
    except ImageError:
        return None


def _order(images: np.ndarray, checksums: np.ndarray) -> np.ndarray | None:
    """Where each checksum's image is, shape ``[images]``; None unless each is there once."""
    place = {zlib.crc32(image.tobytes()): at for at, image in enumerate(images)}
    found = [place.get(int(checksum), -1) for checksum in checksums]
    return np.array(found) if len(set(found)) == len(images) and min(found) >= 0 else None
