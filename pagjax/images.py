"""Pictures: files to float arrays in [0, 1] and back; 8-bit values live in this file only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pagjax.io import crops

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".jp2", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_GREY = (128, 128, 128)


class ImageError(ValueError):
    """A picture that cannot be used; the message names the file and says why."""


def find(paths: Iterable[str | Path]) -> list[Path]:
    """The picture files that files and folders stand for, folders searched in order of name.

    Args:
        paths: files, taken as they are, and folders, searched at every depth by suffix.

    Returns:
        Files, in the order given.

    Raises:
        ImageError: if a path does not exist, or a folder holds no pictures.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise ImageError(f"{path}: no pictures in this folder, by suffix")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise ImageError(f"{path}: no such file or folder")
    return files


def read(
    path: str | Path,
    size: tuple[int, int],
    *,
    resize: float = 1.0,
    crop: crops.Crop = crops.CENTRE,
) -> np.ndarray:
    """A picture of any mode Pillow reads, as float32 in [0, 1].

    EXIF orientation is applied, transparent pixels are composited on mid-grey, 16-bit greys are
    scaled; the picture is resized so that it covers `size` times `resize`, and its centre, or
    what `crop` says, is cut out.

    Args:
        path: file.
        size: height and width wanted, in pixels.
        resize: shorter side before the cut, relative to `size`; the field's 256 / 224 keeps less
            of the margin.
        crop: focus or box, see `pagjax.io.crops`.

    Returns:
        Shape ``[height, width, 3]``.

    Raises:
        ImageError: if the file is no picture, is damaged or is absurdly large.
    """
    try:
        with Image.open(path) as opened:
            return fit(ImageOps.exif_transpose(opened), size, resize=resize, crop=crop)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: not a readable picture ({error})") from error


def fit(
    picture: Image.Image,
    size: tuple[int, int],
    *,
    resize: float = 1.0,
    crop: crops.Crop = crops.CENTRE,
) -> np.ndarray:
    """A Pillow picture as float32 ``[height, width, 3]`` in [0, 1], see `read`."""
    picture = _to_rgb(picture)
    if (kept := crops.box(crop, picture.size)) is not None:
        picture = picture.crop(kept)
    height, width = size
    scale = resize * max(height / picture.height, width / picture.width)
    scaled = (max(width, round(picture.width * scale)), max(height, round(picture.height * scale)))
    if scaled != picture.size:
        picture = picture.resize(scaled, Image.Resampling.BICUBIC)
    left, top = crops.corner(crop, picture.size, (width, height))
    picture = picture.crop((left, top, left + width, top + height))
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def to_pillow(image: np.ndarray, *, enlarge_to: int | None = None) -> Image.Image:
    """A float picture ``[height, width, 3]`` in [0, 1] as 8 bits, rounded to nearest.

    Args:
        image: values outside [0, 1] are clipped.
        enlarge_to: shortest side wanted; small pictures grow by whole pixels, without blur.
    """
    pixels = np.clip(np.rint(np.asarray(image, dtype=np.float64) * 255), 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    factor = 1 if enlarge_to is None else max(1, round(enlarge_to / min(picture.size)))
    if factor > 1:
        whole = (picture.width * factor, picture.height * factor)
        picture = picture.resize(whole, Image.Resampling.NEAREST)
    return picture


def unique_names(names: Sequence[str]) -> list[str]:
    """Names, numbered where several are the same, so that no output overwrites another.

    Example:
        >>> unique_names(["cat", "cat", "dog", "cat-2"])
        ['cat', 'cat-2', 'dog', 'cat-2-2']
    """
    unique: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in unique:
            number += 1
            candidate = f"{name}-{number}"
        unique.append(candidate)
    return unique


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return _grey_to_rgb(np.asarray(picture, dtype=np.float64))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        backdrop = Image.new("RGBA", picture.size, (*_GREY, 255))
        return Image.alpha_composite(backdrop, picture).convert("RGB")
    return picture.convert("RGB")


def _grey_to_rgb(values: np.ndarray) -> Image.Image:
    """Deep greys: 16 bits by their range, anything else by its own largest value."""
    if not np.all(np.isfinite(values)):
        raise ValueError("non-finite pixels")
    top = 1.0 if values.max() <= 1 else 255.0 if values.max() <= 255 else 65535.0
    top = max(top, float(values.max()))
    grey = np.clip(np.rint(values / top * 255), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
