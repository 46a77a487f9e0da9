"""A picture file's pixels, in bounded time and memory: what Pillow may read, and how it fails."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from pagjax.io.files.errors import ImageError

# Formats that Pillow decodes by itself: no PostScript, which starts Ghostscript. A plugin registers
# itself when it is imported.
_PLUGINS = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    Jpeg2KImagePlugin.Jpeg2KImageFile,
    PngImagePlugin.PngImageFile,
    PpmImagePlugin.PpmImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)
FORMATS = tuple(sorted(plugin.format for plugin in _PLUGINS))
MOST_PIXELS = 89_478_485  # above it Pillow warns of decompression bombs
_LARGE = 16_000_000
_large_ones_in_turn = threading.Lock()
_MOST_REPAIRED = 2**28  # bytes

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextmanager
def decoded(path: str | Path) -> Iterator[Image.Image]:
    """A file's picture, decoded whole, turned as its EXIF orientation says, of its own mode.

    Of an animation it is the first frame. Large pictures are decoded one at a time, whatever the
    number of threads. Whatever goes wrong, within the ``with`` block too, is an `ImageError`.

    Raises:
        ImageError: if the file is no regular file, no picture of `FORMATS`, cut off, or of more
            than `MOST_PIXELS` pixels; the message names it.
    """
    try:
        with _regular(Path(path)) as file, _opened(file) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise ValueError(
                    f"{width} x {height} = {width * height:,} pixels, at most {MOST_PIXELS:,}: "
                    "shrink it"
                )
            large = width * height > _LARGE
            with _large_ones_in_turn if large else nullcontext():
                _load(picture)
                yield _turned(picture)
    except Exception as error:  # Pillow throws any kind at damaged files
        raise ImageError(f"{path}: not a readable picture ({_reason(error)})") from error


def _regular(path: Path) -> BinaryIO:
    """The file, opened; pipes and devices are refused before a read could wait for them."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFIFO: "a pipe",
            stat.S_IFSOCK: "a socket",
        }
        raise ValueError(kinds.get(stat.S_IFMT(mode), "a device"))
    file = path.open("rb")
    if os.fstat(file.fileno()).st_size == 0:
        file.close()
        raise ValueError("an empty file")
    return file


def _opened(file: BinaryIO) -> Image.Image:
    """Opened, not decoded; a JPEG whose metadata stop Pillow is opened without them."""
    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise
    except Exception:
        file.seek(0)
        content = file.read(_MOST_REPAIRED)
        plain = without_metadata(content)
        if plain is None or plain == content:
            raise
        return Image.open(io.BytesIO(plain), formats=FORMATS)


def _load(picture: Any) -> None:
    try:
        picture.load()
    except (OSError, MemoryError):
        raise
    except Exception:
        # After the pixels Pillow reads metadata; broken ones shall not cost the picture.
        if picture.tile or getattr(picture, "_im", None) is None:
            raise


def _turned(picture: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken metadata: the picture as it lies
        turn = None
    return picture if turn is None else picture.transpose(turn)


def without_metadata(content: bytes) -> bytes | None:
    """A JPEG without its EXIF, multi-picture and Photoshop segments; None for any other file."""
    if not content.startswith(b"\xff\xd8\xff"):
        return None
    kept, at = [content[:2]], 2
    while content[at : at + 1] == b"\xff" and at + 4 <= len(content):
        marker = content[at + 1]
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == 0xDA or end > len(content):
            break
        if marker not in (0xE1, 0xE2, 0xED):
            kept.append(content[at:end])
        at = end
    return b"".join([*kept, content[at:]])


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {MOST_PIXELS:,} pixels: shrink it"
    if isinstance(error, UnidentifiedImageError):
        return f"none of {', '.join(FORMATS)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
