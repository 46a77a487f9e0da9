"""Labelled images: from TFDS without TensorFlow, or from a folder of class folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pagjax.io.data import folder_data, tfds_data
from pagjax.io.data.class_folders import Classes
from pagjax.io.files.errors import DataError, ImageError
from pagjax.io.pictures import crops
from pagjax.io.pictures.images import Preprocessing, fit, read

# Below this many bytes, decoded images stay in memory; ImageNet's are decoded again every epoch.
MOST_IN_MEMORY = 2 * 2**30
_WORKERS = 8
_CHUNK = 1024


@dataclass(frozen=True)
class LabelledImages:
    """A data set of one split.

    Attributes:
        name: what it was asked for as.
        labels: class names in order: the network's, where the data was opened for one.
        targets: class index of every image.
        side: side in pixels to which images are brought: shorter side resized, centre cut.
        read: indices to a list of Pillow pictures or 8-bit arrays, those of files brought to
            `side`; called from several threads.
        held: all images decoded, ``[images, side, side, 3]``, where they fit into memory.
        files: every image's file, where the data is a folder.
        preprocessing: how images are brought to `side`, see `pagjax.io.pictures.images.fit`.
        crop: what is kept of images, see `pagjax.io.pictures.crops`.
        wordnet_ids: of the classes, or None.
        notes: what people should know of how the data was read, a line each.
        skipped: why pictures were left out, a line each.
        spans: of TFDS data, the split's parts as ``(split, first, after the last)``.
        by_file: of a whole split of TFDS that names its files, the images' numbers sorted by class
            and file, as those of class folders are.
    """

    name: str
    labels: tuple[str, ...]
    targets: np.ndarray
    side: int
    read: Callable[[Sequence[int]], Sequence[Any]]
    held: np.ndarray | None = None
    files: tuple[Path, ...] | None = None
    preprocessing: Preprocessing = "cover"
    crop: crops.Crop = crops.CENTRE
    wordnet_ids: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    spans: tuple[tuple[str, int, int], ...] | None = None
    by_file: np.ndarray | None = None

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.targets)

    @property
    def classes(self) -> Classes:
        """The classes that its targets index."""
        return Classes(self.labels, self.wordnet_ids)

    def images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images by number, in 8 bits, shape ``[len(indices), side, side, 3]``.

        Raises:
            ImageError: if one of them is damaged; the message names its file.
        """
        if self.held is not None:
            return np.asarray(self.held[np.asarray(indices)])
        parts = np.array_split(np.asarray(indices), min(_WORKERS, max(1, len(indices) // 8)))
        with ThreadPoolExecutor(_WORKERS) as pool:
            if self.files is not None:  # read and brought to side at once
                return np.stack(list(pool.map(lambda index: self.read([index])[0], indices)))
            read = pool.map(lambda part: self.read([int(i) for i in part]), parts)
            pictures = [picture for part in read for picture in part]
            return np.stack(list(pool.map(self._bring_to_side, pictures)))

    def in_memory(self) -> LabelledImages:
        """The same with its images decoded once, where they fit into `MOST_IN_MEMORY`."""
        if self.held is not None or len(self) * self.side**2 * 3 > MOST_IN_MEMORY:
            return self
        return replace(self, held=self.images(np.arange(len(self))))

    def damaged(self, indices: Iterable[int]) -> dict[int, str]:
        """Which of these images cannot be read, and why; data sets of TFDS are taken on trust."""
        if self.files is None or self.held is not None:
            return {}
        numbers = [int(index) for index in indices]
        with ThreadPoolExecutor(_WORKERS) as pool:
            answers = pool.map(lambda index: isinstance(self._try(index), str), numbers)
            wrong = [index for index, failed in zip(numbers, answers, strict=True) if failed]
        return {index: str(self._try(index)) for index in wrong}

    def readable(self, indices: Iterable[int]) -> tuple[np.ndarray, dict[int, str]]:
        """Those of these images that can be read, as `images` gives them, and why others cannot."""
        numbers = [int(index) for index in indices]
        if self.files is None or self.held is not None:
            return self.images(numbers), {}
        with ThreadPoolExecutor(_WORKERS) as pool:
            found = list(pool.map(self._try, numbers))
        wrong = {n: why for n, why in zip(numbers, found, strict=True) if isinstance(why, str)}
        images = [image for image in found if not isinstance(image, str)]
        return np.array(images, np.uint8).reshape(-1, self.side, self.side, 3), wrong

    def checked(self, *, hold: bool = False) -> LabelledImages:
        """The same without the images that cannot be read, which `skipped` tells.

        Args:
            hold: whether the decoded images may stay in memory, where they fit.

        Raises:
            DataError: if none can be read.
        """
        fits = hold and len(self) * self.side**2 * 3 <= MOST_IN_MEMORY
        if self.files is None:
            return self.in_memory() if hold else self
        held = np.empty((len(self), self.side, self.side, 3), np.uint8) if fits else None
        wrong: dict[int, str] = {}
        with ThreadPoolExecutor(_WORKERS) as pool:
            for first in range(0, len(self), _CHUNK):
                chunk = range(first, min(first + _CHUNK, len(self)))
                for index, found in zip(chunk, pool.map(self._try, chunk), strict=True):
                    if isinstance(found, str):
                        wrong[index] = found
                    elif held is not None:
                        held[index] = found
        kept = np.array([index for index in range(len(self)) if index not in wrong], int)
        if not len(kept):
            raise DataError(f"{self.name}: no picture can be read: {next(iter(wrong.values()))}")
        if held is not None and wrong:
            held = held[kept]
        return replace(self.subset(kept), held=held, skipped=(*self.skipped, *wrong.values()))

    def subset(self, kept: np.ndarray) -> LabelledImages:
        """Some of its images, by number, in this order."""
        return replace(
            self,
            targets=self.targets[kept],
            read=lambda indices: self.read([int(kept[index]) for index in indices]),
            held=None if self.held is None else self.held[kept],
            files=None if self.files is None else tuple(self.files[index] for index in kept),
            by_file=None,
        )

    def told(self) -> list[str]:
        """What to tell people: the notes, and what is left out."""
        if not self.skipped:
            return list(self.notes)
        count = f"{len(self.skipped)} of {len(self) + len(self.skipped)} pictures skipped"
        return [*self.notes, *(f"skipped: {why}" for why in self.skipped), f"{self.name}: {count}"]

    def _try(self, index: int) -> np.ndarray | str:
        try:
            return np.asarray(self.read([index])[0])
        except ImageError as error:
            return str(error)

    def _bring_to_side(self, picture: Any) -> np.ndarray:
        same = isinstance(picture, np.ndarray) and picture.shape == (self.side, self.side, 3)
        if same and self.preprocessing == "cover" and len(self.crop) == 2:
            return np.asarray(picture)
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture.squeeze())
        size = (self.side, self.side)
        fitted = fit(picture, size, preprocessing=self.preprocessing, crop=self.crop)
        return np.rint(fitted * 255).astype(np.uint8)


def open_data(
    name: str,
    split: str,
    side: int,
    data_dir: str | Path | None = None,
    *,
    classes: Classes | None = None,
    class_name: str | None = None,
    preprocessing: Preprocessing = "cover",
    crop: crops.Crop = crops.CENTRE,
) -> LabelledImages:
    """A data set by TFDS name, or a folder of class folders.

    Args:
        name: ``"cifar10"``, ``"imagenette/160px-v2"``, ...; or the path of a folder that holds a
            folder named `split`, or class folders themselves.
        split: such as ``"train"`` or ``"train[:90%]"``; of a folder, a plain name.
        side: side of the images wanted, in pixels.
        data_dir: where TFDS prepared it; None means TFDS's own default.
        classes: the network's, to which the data's are matched by name, index or WordNet id, see
            `pagjax.io.data.class_folders.match`; None takes the data's own, folders in alphabetical
            order.
        class_name: the class that all pictures of a flat folder are of.
        preprocessing: how images are brought to `side`, see `pagjax.io.pictures.images.fit`.
        crop: what is kept of images that are not square, or a box of all, see
            `pagjax.io.pictures.crops`.

    Returns:
        A `LabelledImages`.

    Raises:
        DataError: if there is no such data, or its classes cannot be matched; the message says
            what to do.
        ImageError: if a folder cannot be listed.
    """
    there, is_folder = _at(name)
    if is_folder:
        found = folder_data.find(Path(name), split, classes, class_name)
        return LabelledImages(
            name=str(Path(name)),
            labels=found.classes.labels,
            targets=np.array(found.targets, np.int32),
            side=side,
            read=lambda indices: [
                _pixels(found.files[i], side, preprocessing, crop) for i in indices
            ],
            files=tuple(found.files),
            preprocessing=preprocessing,
            crop=crop,
            wordnet_ids=found.classes.wordnet_ids,
            notes=tuple(found.notes),
        )
    if there or not name or name.startswith((".", "/", "~")):
        raise DataError(f"{name}: {'no folder of class folders' if there else 'no such folder'}")
    if class_name is not None:
        raise DataError(f"`class_name={class_name}`: for a folder of pictures; {name} has labels")
    source = tfds_data.find(name, split, classes, data_dir)
    return LabelledImages(
        name=name,
        labels=source.classes.labels,
        targets=source.targets,
        side=side,
        read=source.read,
        preprocessing=preprocessing,
        crop=crop,
        wordnet_ids=source.classes.wordnet_ids,
        notes=tuple(source.notes),
        spans=source.spans,
        by_file=source.by_file,
    )


def _pixels(file: Path, side: int, preprocessing: Preprocessing, crop: crops.Crop) -> np.ndarray:
    picture = read(file, (side, side), preprocessing=preprocessing, crop=crop)
    return np.rint(picture * 255).astype(np.uint8)


def _at(name: str) -> tuple[bool, bool]:
    """Whether something lies at a path, and whether it is a folder."""
    try:
        return bool(name) and Path(name).exists(), bool(name) and Path(name).is_dir()
    except (OSError, ValueError) as error:
        raise DataError(f"{name[:200]}: {error}") from error


def num_shared(first: LabelledImages, second: LabelledImages) -> int:
    """How many images of the second are, as files or records, images of the first.

    Links to one file are one file; copies are not found.
    """
    if first.files is not None and second.files is not None:
        own = {_identity(file) for file in first.files}
        return sum(_identity(file) in own for file in second.files)
    if first.spans is None or second.spans is None or first.name != second.name:
        return 0
    return sum(
        max(0, min(last, to) - max(begin, start))
        for split, begin, last in first.spans
        for other, start, to in second.spans
        if split == other
    )


def _identity(file: Path) -> tuple[Any, ...]:
    try:
        found = os.stat(file)
    except OSError:
        return (str(file),)
    return (found.st_dev, found.st_ino) if found.st_ino else (os.path.realpath(file),)
