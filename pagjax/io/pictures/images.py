"""Pictures: files to float arrays in [0, 1] and back; 8-bit values live in this file only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from pagjax.io.files.errors import ImageError
from pagjax.io.pictures import crops, listing
from pagjax.io.pictures.decoding import decoded
from pagjax.io.pictures.greys import grey_to_rgb

__all__ = [
    "PREPROCESSINGS",
    "SUFFIXES",
    "ImageError",
    "Preprocessing",
    "find",
    "fit",
    "read",
    "to_pillow",
    "unique_names",
]

SUFFIXES = listing.SUFFIXES
Preprocessing = Literal["cover", "cohen"]
PREPROCESSINGS: tuple[Preprocessing, ...] = ("cover", "cohen")
_GREY = (128, 128, 128)
_COHEN = 256 / 224
_MOST_AT_ONCE = 16_000_000  # pixels of a resized picture before its cut


def find(paths: Iterable[str | Path]) -> list[Path]:
    """The picture files that files and folders stand for, folders searched in order of name.

    Args:
        paths: files, taken as they are, and folders, searched at every depth by suffix, without
            hidden and system files (`pagjax.io.pictures.listing.hidden`).

    Returns:
        Files, in the order given.

    Raises:
        ImageError: if a path does not exist, or a folder holds no pictures.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        try:
            is_folder, exists = path.is_dir(), path.exists()
        except (OSError, ValueError) as error:
            raise ImageError(f"{path}: {error}") from error
        if is_folder:
            inside = listing.pictures(path)
            if not inside:
                raise ImageError(f"{path}: no pictures in this folder, by suffix")
            files += inside
        elif exists:
            files.append(path)
        else:
            raise ImageError(f"{path}: no such file or folder")
    return files


def read(
    path: str | Path,
    size: tuple[int, int],
    *,
    resize: float = 1.0,
    preprocessing: Preprocessing = "cover",
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
        preprocessing: see `fit`.
        crop: focus or box, see `pagjax.io.pictures.crops`.

    Returns:
        Shape ``[height, width, 3]``.

    Raises:
        ImageError: if the file is no picture, is damaged or is absurdly large.
    """
    with decoded(path) as picture:
        return fit(picture, size, resize=resize, preprocessing=preprocessing, crop=crop)


def fit(
    picture: Image.Image,
    size: tuple[int, int],
    *,
    resize: float = 1.0,
    preprocessing: Preprocessing = "cover",
    crop: crops.Crop = crops.CENTRE,
) -> np.ndarray:
    """A Pillow picture as float32 ``[height, width, 3]`` in [0, 1], see `read`.

    Args:
        picture: of any mode.
        size: height and width wanted, in pixels.
        resize: see `read`.
        preprocessing: ``"cover"`` resizes by bicubic interpolation until `size` times `resize` is
            covered; ``"cohen"`` is what ImageNet's published certification logs did: the shorter
            side to 256 pixels where 224 are wanted (other sizes in proportion) by torchvision's
            bilinear interpolation, then the centre.
        crop: see `read`; ``"cohen"`` keeps the centre of what a box leaves.

    Example:
        >>> fit(Image.new("L", (320, 240), 255), (224, 224), preprocessing="cohen").mean().item()
        1.0

    Reference: Cohen et al. (2019), the transforms of their ImageNet data set.
    """
    picture = _to_rgb(picture)
    if (kept := crops.box(crop, picture.size)) is not None:
        picture = picture.crop(kept)
    height, width = size
    if preprocessing == "cohen":
        shorter = round(max(size) * _COHEN)
        by = shorter / min(picture.size)
        # torchvision truncates the longer side, and rounds halves of the margin to even.
        scaled = (
            shorter if picture.width <= picture.height else int(picture.width * by),
            shorter if picture.height <= picture.width else int(picture.height * by),
        )
        left, top = round((scaled[0] - width) / 2), round((scaled[1] - height) / 2)
        kind = Image.Resampling.BILINEAR
    else:
        by = resize * max(height / picture.height, width / picture.width)
        scaled = (max(width, round(picture.width * by)), max(height, round(picture.height * by)))
        left, top = crops.corner(crop, scaled, (width, height))
        kind = Image.Resampling.BICUBIC
    picture = _resized_cut(picture, scaled, (left, top, left + width, top + height), kind)
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def _resized_cut(
    picture: Image.Image,
    scaled: tuple[int, int],
    cut: tuple[int, int, int, int],
    kind: Image.Resampling,
) -> Image.Image:
    """A picture resized to `scaled` and cut; of a long strip only what the cut needs is resized."""
    if scaled == picture.size:
        return picture.crop(cut)
    if scaled[0] * scaled[1] <= _MOST_AT_ONCE:
        return picture.resize(scaled, kind).crop(cut)
    across, down = picture.width / scaled[0], picture.height / scaled[1]
    box = (
        max(0.0, cut[0] * across),
        max(0.0, cut[1] * down),
        min(float(picture.width), cut[2] * across),
        min(float(picture.height), cut[3] * down),
    )
    return picture.resize((cut[2] - cut[0], cut[3] - cut[1]), kind, box=box)


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
        return grey_to_rgb(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    whole = Image.new("RGB", picture.size)
    rows = max(1, _MOST_AT_ONCE // (4 * picture.width))
    for top in range(0, picture.height, rows):
        box = (0, top, picture.width, min(top + rows, picture.height))
        part = picture.crop(box).convert("RGBA")
        backdrop = Image.new("RGBA", part.size, (*_GREY, 255))
        whole.paste(Image.alpha_composite(backdrop, part).convert("RGB"), box)
    return whole
