"""Where a figure's pictures start: class seeds and free photographs, files, or a data set's images.

The project carries no image of a data set, so without any at hand the starts are draws from the
shipped class statistics and photographs that a dependency brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagjax.io.data import folder_data
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import open_data
from pagjax.io.files.errors import DataError
from pagjax.io.pictures import crops, samples
from pagjax.jobs.errors import JobError
from pagjax.seeds import store
from pagjax.seeds.starts import draw
from pagjax.seeds.store import ClassStatistics
from pagjax.synthesis.inputs import read_pictures
from pagjax.synthesis.job import SUBJECT


@dataclass(frozen=True)
class FigureStarts:
    """Starting images.

    Attributes:
        names: for people.
        pictures: shape ``[n, side, side, 3]`` in [0, 1].
        classes: each one's own class index, None where unknown.
        left_out: names of given images that have no place.
        skipped: why given images could not be read.
    """

    names: tuple[str, ...]
    pictures: np.ndarray
    classes: tuple[int | None, ...]
    left_out: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def seeds(
    statistics: ClassStatistics, classes: Sequence[int], part: int, side: int
) -> FigureStarts:
    """A draw for each class, upsampled to `side`: those named ``seed:STATISTICS/CLASS-PART-0``.

    Where a class comes again its next draws follow, ``CLASS-PART-1`` and so on.
    """
    factor = statistics.scale_to(side)
    pictures = [
        draw(statistics, index, part, list(classes[:order]).count(index), factor)
        for order, index in enumerate(classes)
    ]
    names = tuple(f"{statistics.labels[index]} seed" for index in classes)
    return FigureStarts(names, np.stack(pictures), tuple(classes))


def choose(
    given: Sequence[str],
    labels: Sequence[str],
    *,
    count: int,
    part: int,
    seed: int,
    side: int,
    data_dir: Path | None,
    crop: str = SUBJECT,
) -> FigureStarts:
    """Starting images for a grid.

    Args:
        given: files, folders, ``sample:NAME``, or one TFDS name, whose test images are drawn from;
            empty for class seeds and photographs in turn.
        labels: the networks' class names.
        count: how many.
        part: of a figure in several parts: the next `count` of the same list.
        seed: of the choice among a data set's images.
        side: side in pixels.
        data_dir: where TFDS prepared data.
        crop: what is kept of pictures, see `pagjax.synthesis.job.Job`.

    Raises:
        JobError: if nothing usable was given.
    """
    if not given:
        return _without_data(labels, count, part, side)
    if len(given) == 1 and not Path(given[0]).exists() and not given[0].startswith(samples.PREFIX):
        classes = Classes(tuple(labels))
        return _of_data_set(given[0], classes, count, part, seed, side, data_dir, crop)
    classes = Classes(tuple(labels))
    own = _own_classes(Path(given[0]), classes) if len(given) == 1 else {}
    found = read_pictures(given, (side, side), crop)
    picked = [(part * count + i) % len(found.names) for i in range(min(count, len(found.names)))]
    names = [Path(name.removeprefix(samples.PREFIX)).stem for name in found.names]
    return FigureStarts(
        tuple(names[i] for i in picked),
        found.pictures[picked],
        tuple(own.get(found.names[i]) for i in picked),
        tuple(name for i, name in enumerate(names) if i not in picked),
        found.skipped,
    )


def _own_classes(folder: Path, classes: Classes) -> dict[str, int]:
    """Class indices of the pictures of class folders; empty for any other folder or file."""
    try:
        data = folder_data.find(folder, "test", classes, None)
    except DataError:
        return {}
    return {str(file): target for file, target in zip(data.files, data.targets, strict=True)}


def _without_data(labels: Sequence[str], count: int, part: int, side: int) -> FigureStarts:
    statistics = store.for_labels(labels, side)
    photographs = list(samples.SAMPLES)
    chosen: list[FigureStarts] = []
    for order in range(count):
        number = part * count + order
        if order % 2:
            name = photographs[(number // 2) % len(photographs)]
            found = read_pictures([samples.PREFIX + name], (side, side))
            chosen.append(FigureStarts((name,), found.pictures, (None,)))
        else:
            chosen.append(seeds(statistics, [(3 * number) % len(labels)], part, side))
    return FigureStarts(
        tuple(start.names[0] for start in chosen),
        np.concatenate([start.pictures for start in chosen]),
        tuple(start.classes[0] for start in chosen),
    )


def _of_data_set(
    name: str,
    classes: Classes,
    count: int,
    part: int,
    seed: int,
    side: int,
    data_dir: Path | None,
    crop: str,
) -> FigureStarts:
    kept = crops.CENTRE if crop == SUBJECT else crops.parse(crop)
    split = "validation" if name.startswith("imagenet") else "test"
    try:
        data = open_data(name, split, side, data_dir, classes=classes, crop=kept)
    except ValueError as error:
        raise JobError(
            f"`images={name}`: no file, and no data set that is ready: {error}"
        ) from error
    order = np.random.default_rng(seed).permutation(len(data))
    count = min(count, len(data))
    picked = order[(part * count + np.arange(count)) % len(data)]
    pictures = data.images(picked).astype(np.float32) / 255
    own = tuple(int(data.targets[index]) for index in picked)
    return FigureStarts(tuple(data.labels[index] for index in own), pictures, own)


def choose_targets(
    given: Sequence[int], starts: FigureStarts, num_classes: int, *, part: int, seed: int
) -> tuple[int, ...]:
    """A target class for every start, never its own class.

    Args:
        given: class indices to take in turn; empty draws them.
        starts: the starting images.
        num_classes: how many there are to choose from.
        part: of a figure in several parts.
        seed: of the draw.
    """
    rng = np.random.default_rng([seed, part])
    chosen = []
    for order, own in enumerate(starts.classes):
        allowed = [index for index in (given or range(num_classes)) if index != own]
        fresh = [index for index in allowed if index not in chosen] or allowed
        if not allowed:
            raise JobError("the only target given is a starting image's own class: give another")
        chosen.append(fresh[order % len(fresh)] if given else int(rng.choice(fresh)))
    return tuple(chosen)
