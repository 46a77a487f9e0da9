"""Records that the live page saves: the start is in them, and what the page knew of the recipe."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image, UnidentifiedImageError

from pagjax.core.projections import Projection, only_inside
from pagjax.io.files import atomic
from pagjax.jobs.errors import JobError

PREFIX = "page:"
KEY = "live_page"
_CURE = "save it again on the page"
_MOST_SIDE = 4096


class PageRun(NamedTuple):
    """What the page knew of a run beside its recipe.

    Attributes:
        steps_done: when the record was saved.
        settings_changed: whether it was on the way there.
    """

    steps_done: Any
    settings_changed: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> PageRun:
        """From a record of the page."""
        return cls(record.get("steps_done"), bool(record.get("settings_changed_at_steps")))


def is_one(record: Any) -> bool:
    """Whether JSON values are a record of the live page."""
    return isinstance(record, dict) and KEY in record


def complete(path: Path, record: dict[str, Any]) -> dict[str, Any]:
    """A page's record as one of a run: its start is an image of the name ``page:FILE``.

    Raises:
        JobError: if there is no usable start in it.
    """
    job = record.get("job")
    if not isinstance(job, dict):
        raise JobError(f"{path} is no record of a run (no job in it): {_CURE}")
    start = _start(path, record)
    size = job.get("image_size")
    if size != list(start.shape[:2]):
        raise JobError(
            f"{path}: image_size is {size!r}, and the start in it has {list(start.shape[:2])}: "
            f"{_CURE}"
        )
    whole = {
        **job,
        "images": [f"{PREFIX}{path}"],
        "images_sha256": [atomic.digest(start)],
        "pairs": [[0, 0]],
        "batch_size": 1,
        "chunk_size": None,
        "last_num_samples": None,
        "settles_after": None,
    }
    return {**record, "job": whole, "x_star_sha256": ""}


def read(name: str, size: tuple[int, int]) -> np.ndarray:
    """The start of ``page:FILE``, shape ``[height, width, 3]`` in [0, 1].

    Raises:
        JobError: if the file is no record of the page, or its start of another size.
    """
    path = Path(name.removeprefix(PREFIX))
    record = atomic.read_json(path, _CURE)
    if not is_one(record):
        raise JobError(f"{name} is no record of the live page: {_CURE}")
    start = _start(path, record)
    if start.shape[:2] != tuple(size):
        raise JobError(f"{name} has {start.shape[0]}x{start.shape[1]} pixels, not {size}: {_CURE}")
    return start


def _start(path: Path, record: dict[str, Any]) -> np.ndarray:
    try:
        content = base64.b64decode(record.get("start_png", ""), validate=True)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if max(picture.size) > _MOST_SIDE:
                raise JobError(f"{path}: start_png has {picture.size} pixels: {_CURE}")
            pixels = np.asarray(picture.convert("RGB"), np.float32)
    except (TypeError, ValueError, OSError, SyntaxError, UnidentifiedImageError) as error:
        if isinstance(error, JobError):
            raise
        raise JobError(f"{path}: start_png holds no picture: {_CURE}") from None
    return pixels / 255


@lru_cache(maxsize=8)
def inside(mask: str, size: tuple[int, int], projection: Projection) -> Projection:
    """A projection that moves nothing outside a mask.

    Args:
        mask: base64 of one bit a pixel, rows one after the other, the first pixel in the highest
            bit; set where the picture may change.
        size: height and width.
        projection: what holds inside.

    Returns:
        The same object for the same arguments, so that nothing compiles anew.

    Raises:
        JobError: if the bits are not those of such a picture.
    """
    try:
        packed = np.frombuffer(base64.b64decode(mask, validate=True), np.uint8)
    except (binascii.Error, ValueError):
        raise JobError(f"the recorded job's mask is not base64: {_CURE}") from None
    count = size[0] * size[1]
    if packed.size != -(-count // 8):
        raise JobError(
            f"the recorded job's mask has {packed.size} bytes, and {size[0]}x{size[1]} pixels have "
            f"{-(-count // 8)}: {_CURE}"
        )
    bits = np.unpackbits(packed)[:count].reshape(*size, 1)
    return only_inside(jnp.asarray(bits, bool), projection)


def told(run: PageRun, num_steps: int) -> list[str]:
    """What whoever repeats a page's record should know, a line each."""
    lines = ["from the live page: its noise has another generator, compare pictures and not bits"]
    if run.settings_changed:
        lines.append("settings were changed on the way there: this run has those of the end")
    if run.steps_done != num_steps:
        lines.append(f"the page stopped after {run.steps_done} of the {num_steps} steps done here")
    return lines
