"""Labelled images: from TFDS without TensorFlow, or from a folder of class folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pagjax.images import SUFFIXES, fit
from pagjax.training.settings import TrainingError

# Below this many bytes, decoded images stay in memory; ImageNet's are decoded again every epoch.
MOST_IN_MEMORY = 2 * 2**30
_WORKERS = 8

_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck".split()  # noqa: SIM905
_IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


class Batch(NamedTuple):
    """Images ``[batch, side, side, 3]`` in 8 bits and class indices ``[batch]``."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class LabelledImages:
    """A data set of one split.

    Attributes:
        name: what it was asked for as.
        labels: class names in order.
        targets: class index of every image.
        side: side in pixels to which images are brought: shorter side resized, centre cut.
        read: indices to a list of Pillow pictures or 8-bit arrays; called from several threads.
        held: all images decoded, ``[images, side, side, 3]``, where they fit into memory.
    """

    name: str
    labels: tuple[str, ...]
    targets: np.ndarray
    side: int
    read: Callable[[Sequence[int]], Sequence[Any]]
    held: np.ndarray | None = None

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.targets)

    def images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images by number, in 8 bits, shape ``[len(indices), side, side, 3]``."""
        if self.held is not None:
            return np.asarray(self.held[np.asarray(indices)])
        parts = np.array_split(np.asarray(indices), min(_WORKERS, max(1, len(indices) // 8)))
        with ThreadPoolExecutor(_WORKERS) as pool:
            read = pool.map(lambda part: self.read([int(i) for i in part]), parts)
            pictures = [picture for part in read for picture in part]
            return np.stack(list(pool.map(self._bring_to_side, pictures)))

    def in_memory(self) -> LabelledImages:
        """The same with its images decoded once, where they fit into `MOST_IN_MEMORY`."""
        if len(self) * self.side**2 * 3 > MOST_IN_MEMORY:
            return self
        return replace(self, held=self.images(np.arange(len(self))))

    def _bring_to_side(self, picture: Any) -> np.ndarray:
        if isinstance(picture, np.ndarray) and picture.shape == (self.side, self.side, 3):
            return picture
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture.squeeze())
        return np.rint(fit(picture, (self.side, self.side)) * 255).astype(np.uint8)


def open_data(
    name: str, split: str, side: int, data_dir: str | Path | None = None
) -> LabelledImages:
    """A data set by TFDS name, or a folder of class folders.

    Args:
        name: ``"cifar10"``, ``"imagenette/160px-v2"``, ...; or the path of a folder that holds a
            folder named `split`, or class folders themselves.
        split: such as ``"train"`` or ``"train[:90%]"``; of a folder, a plain name.
        side: side of the images wanted, in pixels.
        data_dir: where TFDS prepared it; None means TFDS's own default.

    Returns:
        A `LabelledImages`.

    Raises:
        TrainingError: if there is no such data; the message says how to get it.
    """
    if Path(name).is_dir():
        return _from_folder(Path(name), split, side)
    if name.startswith((".", "/", "~")):
        raise TrainingError(f"{name}: no such folder")
    return _from_tfds(name, split, side, data_dir)


def _from_tfds(name: str, split: str, side: int, data_dir: str | Path | None) -> LabelledImages:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        source = builder.as_data_source(split)
    except tfds.core.registered.DatasetNotFoundError:
        raise TrainingError(
            f"{name!r} is neither a folder nor a data set that TFDS knows"
        ) from None
    except (ValueError, OSError, KeyError, AssertionError, NotImplementedError) as error:
        where = data_dir or "~/tensorflow_datasets"
        raise TrainingError(
            f"{name} ({split}) is not ready in {where}: {str(error).splitlines()[0]}\n"
            f'prepare it once with `python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{name}', data_dir='{where}', file_format='array_record')"
            f'.download_and_prepare()"` (needs the internet), or pass --data-dir'
        ) from error
    feature = builder.info.features["label"]

    def read(indices: Sequence[int]) -> list[Any]:
        return [record["image"] for record in source.__getitems__(list(indices))]

    def targets(indices: np.ndarray) -> list[int]:
        return [int(record["label"]) for record in source.__getitems__(indices.tolist())]

    parts = np.array_split(np.arange(len(source)), max(1, len(source) // 1024))
    with ThreadPoolExecutor(_WORKERS) as pool:
        labels = [label for part in pool.map(targets, parts) for label in part]
    return LabelledImages(name, _names(name, feature.names), np.array(labels, np.int32), side, read)


def _names(data: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names for people where TFDS has digits or WordNet numbers."""
    if data.split("/")[0].split(":")[0] == "cifar10":
        return tuple(_CIFAR10)
    return tuple(_IMAGENETTE.get(name, name) for name in names)


def _from_folder(folder: Path, split: str, side: int) -> LabelledImages:
    root = folder / split if (folder / split).is_dir() else folder
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    files = [
        (path, index)
        for index, name in enumerate(classes)
        for path in sorted((root / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if len(classes) < 2 or not files:
        raise TrainingError(
            f"{root}: expected a folder of pictures for each of two classes or more, "
            f"found {len(classes)} folders and {len(files)} pictures"
        )

    def read(indices: Sequence[int]) -> list[Image.Image]:
        return [_open(files[index][0]) for index in indices]

    targets = np.array([index for _, index in files], np.int32)
    return LabelledImages(str(folder), tuple(classes), targets, side, read)


def _open(path: Path) -> Image.Image:
    from PIL import ImageOps

    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise TrainingError(f"{path}: not a readable picture ({error})") from error


def batches(
    data: LabelledImages,
    batch_size: int,
    seed: int,
    first: int,
    last: int,
    rows: slice = slice(None),
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
    """
    per_epoch = len(data) // batch_size
    if per_epoch == 0:
        raise TrainingError(f"{len(data)} images do not fill a batch of {batch_size}")
    orders: dict[int, np.ndarray] = {}

    def load(number: int) -> Batch:
        epoch, position = divmod(number, per_epoch)
        order = orders.get(epoch)
        if order is None:
            order = np.random.default_rng([seed, epoch]).permutation(len(data))
            orders.clear()
            orders[epoch] = order
        chosen = order[position * batch_size : (position + 1) * batch_size][rows]
        return Batch(data.images(chosen), data.targets[chosen])

    return prefetched(load, range(first, last))


def prefetched(
    load: Callable[[int], Batch], numbers: Sequence[int], ahead: int = 2
) -> Iterator[Batch]:
    """``load`` of every number in order, the next `ahead` ones under way in another thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(load, number) for number in numbers[:ahead]]
        for number in [*numbers[ahead:], *([None] * len(waiting))]:
            batch = waiting.pop(0).result()
            if number is not None:
                waiting.append(pool.submit(load, number))
            yield batch
