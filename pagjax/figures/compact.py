"""Pictures as a page carries them: large ones as JPEG, and of a long way fewer frames.

The files of a figure stay lossless. A page that carried them would be ten times as large, and no
reader would see a difference: colours keep their full resolution (4:4:4), and what is stored is a
pixel a pixel, so that browsers enlarge it without blur. Small pictures stay as they are, since the
blocks of JPEG would show where they are enlarged.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from pagjax.io.files.errors import RefusedError
from pagjax.io.pictures.decoding import decoded

MOST_FRAMES = 13  # of a way: with its slider 11 rem wide, a new picture every 15 pixels
SMALL = 64  # the largest side of pictures whose ways stay lossless
_QUALITY = 85
_LITTLE = 2**16  # bytes that are not worth a second thought
_HEADS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"\xff\xd8\xff": "jpeg",
}


class Shown(NamedTuple):
    """A picture in a page: its type, such as ``"jpeg"``, and its file's content."""

    kind: str
    content: bytes


def sheet(path: Path) -> Shown | None:
    """A file's picture, as JPEG where that is less than half as large; None for other files.

    Raises:
        RefusedError: for a large file that cannot be decoded.
        OSError: for one that cannot be opened.
    """
    shown = _as_it_is(path)
    if shown is None or len(shown.content) <= _LITTLE or shown.kind != "png":
        return shown
    smaller = _jpeg(_opaque(path))
    return smaller if 2 * len(smaller.content) < len(shown.content) else shown


def strip(path: Path, frames: int, side: int) -> tuple[Shown, int] | None:
    """A way's frames side by side, and how many; None for a file that is no picture.

    Args:
        path: of the strip.
        frames: how many squares stand in it.
        side: of a square, in pixels.

    Raises:
        RefusedError: for a strip of other pictures than that, and one that cannot be decoded.
        OSError: for one that cannot be opened.
    """
    shown = _as_it_is(path)
    if shown is None or side <= SMALL or shown.kind != "png":
        return None if shown is None else (shown, frames)
    whole = _opaque(path)
    if whole.size != (frames * side, side):
        width, height = whole.size
        raise RefusedError(
            f"{path}: {width} x {height} pixels, not {frames} frames of {side} pixels"
        )
    kept = kept_frames(frames)
    squares = np.asarray(whole).reshape(side, frames, side, 3)[:, kept]
    return _jpeg(Image.fromarray(squares.reshape(side, len(kept) * side, 3))), len(kept)


def kept_frames(count: int) -> list[int]:
    """Which of a way's frames a page keeps, the first and the last among them.

    Example:
        >>> kept_frames(25)
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]
        >>> kept_frames(3)
        [0, 1, 2]
    """
    spread = np.linspace(0, count - 1, min(count, MOST_FRAMES))
    return [int(index) for index in np.unique(spread.round())]


def _as_it_is(path: Path) -> Shown | None:
    content = path.read_bytes()
    for head, kind in _HEADS.items():
        if content.startswith(head):
            return Shown(kind, content)
    return None


def _opaque(path: Path) -> Image.Image:
    """A picture as RGB, on white where it is transparent."""
    with decoded(path) as picture:
        whole = Image.new("RGBA", picture.size, "white")
        whole.alpha_composite(picture.convert("RGBA"))
        return whole.convert("RGB")


def _jpeg(picture: Image.Image) -> Shown:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True, progressive=True)
    return Shown("jpeg", buffer.getvalue())
