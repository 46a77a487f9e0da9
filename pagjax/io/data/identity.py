"""Which images a data set holds, as digests by which a job knows its data again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from pagjax.io.data.labelled_images import LabelledImages

# Up to this many bytes files are read for their digest; above, their sizes must do.
MOST_BYTES_READ = 2**30


def listing(data: LabelledImages) -> str:
    """SHA-256 over the images' names and classes, in order, as hex; where the folder lies is not
    in it.

    Example:
        >>> data = LabelledImages("a", ("cat",), np.zeros(2, np.int32), 8, lambda indices: [])
        >>> listing(data) == listing(data.subset(np.array([0, 1])))
        True
    """
    total = hashlib.sha256(repr(tuple(data.labels)).encode())
    total.update(np.ascontiguousarray(data.targets, "<i8").tobytes())
    if data.files is None:
        total.update(f"{data.name} {data.spans}".encode())
    else:
        for name in _names(data.files):
            total.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return total.hexdigest()


def content(data: LabelledImages, *, without: Collection[int] = (), times: bool = False) -> str:
    """SHA-256 over what the images' files hold, or over their sizes where they are too many.

    Args:
        data: images.
        without: numbers of those that are left out.
        times: whether, where sizes must do, times of change count too.

    Returns:
        Hex; of data that is no folder a digest of nothing.
    """
    total = hashlib.sha256()
    left_out = set(without)
    files = [file for number, file in enumerate(data.files or ()) if number not in left_out]
    sizes = [_size(file) for file in files]
    read = sum(max(size, 0) for size in sizes) <= MOST_BYTES_READ
    for file, size in zip(files, sizes, strict=True):
        total.update(f"{size} ".encode())
        if read and size >= 0:
            total.update(_digest(file))
        elif times and size >= 0:
            total.update(f"{os.stat(file).st_mtime_ns} ".encode())
    return total.hexdigest()


def of(data: LabelledImages, *, times: bool = True) -> str:
    """One digest of `listing` and `content`, and of images that are in memory only.

    Args:
        data: images.
        times: whether times of change count, where files are too many to read; right for states
            that are not kept for long.
    """
    told = f"{listing(data)} {content(data, times=times)} {data.side} {data.preprocessing}"
    total = hashlib.sha256(told.encode())
    if data.files is None and data.spans is None and data.held is not None:
        total.update(np.ascontiguousarray(data.held).tobytes())
    return total.hexdigest()


def _names(files: Collection[Path]) -> list[str]:
    parents = {os.path.dirname(os.path.abspath(file)) for file in files}
    # With one class folder its own name is in it as well.
    root = os.path.commonpath(parents) if len(parents) > 1 else os.path.dirname(next(iter(parents)))
    return [os.path.relpath(os.path.abspath(file), root).replace(os.sep, "/") for file in files]


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return -1


def _digest(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return b"unreadable"
