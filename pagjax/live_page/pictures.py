"""Starting pictures of the page: free photographs and draws of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pagjax.io.files import atomic
from pagjax.io.pictures import samples
from pagjax.io.pictures.images import to_pillow
from pagjax.jobs.errors import JobError
from pagjax.seeds import starts

LONGEST = 512
SEEDS_A_CLASS = 2


def photographs(folder: Path) -> list[dict[str, Any]]:
    """Writes the samples, at most `LONGEST` pixels a side; gives what the page is told of them."""
    folder.mkdir(parents=True, exist_ok=True)
    told = []
    for name in samples.SAMPLES:
        with Image.open(samples.path(name)) as picture:
            small = picture.convert("RGB")
            small.thumbnail((LONGEST, LONGEST))
            buffer = BytesIO()
            small.save(buffer, "JPEG", quality=88)
        atomic.write_bytes(folder / f"{name}.jpg", buffer.getvalue())
        told.append(
            {
                "name": name,
                "title": name,
                "file": f"{folder.name}/{name}.jpg",
                "crop": square(samples.crop(name)),
            }
        )
    return told


def square(crop: Sequence[float]) -> list[float]:
    """A focus or box as the page has it: the square's middle, and its share of the shorter side.

    Example:
        >>> square((0.43, 0.5)), square((0.25, 0.25, 0.75, 0.75))
        ([0.43, 0.5, 1.0], [0.5, 0.5, 0.5])
    """
    if len(crop) == 2:
        return [*crop, 1.0]
    left, top, right, bottom = crop
    return [(left + right) / 2, (top + bottom) / 2, min(right - left, bottom - top)]


def seeds(folder: Path, family: str, labels: Sequence[str], side: int) -> list[dict[str, Any]]:
    """Writes seeds of classes whose statistics are shipped; gives what the page is told of them."""
    try:
        names, targets = starts.names(labels, labels, None, count=SEEDS_A_CLASS, seed=0, side=side)
        drawn = [starts.read(name, (side, side)) for name in names]
    except JobError:  # there are none of these classes at this size
        return []
    folder.mkdir(parents=True, exist_ok=True)
    told = []
    for number, (picture, target) in enumerate(zip(drawn, targets, strict=True)):
        own = f"{family}-{target.removeprefix('index:')}-{number % SEEDS_A_CLASS}"
        buffer = BytesIO()
        to_pillow(np.asarray(picture)).save(buffer, "PNG")
        atomic.write_bytes(folder / f"{own}.png", buffer.getvalue())
        label = labels[int(target.removeprefix("index:"))]
        told.append(
            {
                "name": own,
                "family": family,
                "title": f"seed of {label}",
                "file": f"{folder.name}/{own}.png",
                "crop": [0.5, 0.5, 1.0],
            }
        )
    return told
