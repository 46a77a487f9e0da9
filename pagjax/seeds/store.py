"""Class statistics on disk: one small ``.npz`` a data set, found by the data set's name.

A file holds means and principal directions, no image, in the form of `pagjax.seeds.fits`.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pagjax.checkpoints import shipped
from pagjax.core.class_gaussians import ClassGaussian, stack
from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError
from pagjax.seeds.fits import FIT_ARRAYS, Fit, fit_arrays, fit_from_arrays

FORMAT = 1
FOLDER = "class-statistics"
MOST_CLASSES, MOST_SIDE = 2**17, 4096


class StatisticsError(ValueError):
    """Class statistics that cannot be fitted, found or used; the message says what to do."""


@dataclass(frozen=True)
class ClassStatistics:
    """Gaussians of the classes of a data set.

    Attributes:
        data, split: what they were fitted to.
        labels: class names in order.
        side: side in pixels of the images fitted to.
        factor: block means of ``factor x factor`` of their pixels were fitted.
        regulariser: variance added to every pixel of a seed, in squared pixel units.
        share: of the variance that the principal directions keep.
        fits: one per class.
    """

    data: str
    split: str
    labels: tuple[str, ...]
    side: int
    factor: int
    regulariser: float
    share: float
    fits: tuple[Fit, ...]

    @property
    def own_side(self) -> int:
        """Side in pixels of what was fitted."""
        return self.side // self.factor

    def gaussian(self, index: int) -> ClassGaussian:
        """The Gaussian that seeds of a class are drawn from."""
        return self.fits[index].gaussian(self.regulariser)

    def densities(self) -> ClassGaussian:
        """All classes' Gaussians with one leading axis, for densities rather than for seeds.

        Directions that were not kept have their mean variance here (the maximum likelihood of
        Tipping and Bishop 1999), so that a density covers all of the images' variance.
        """
        return stack([fit.density(self.regulariser) for fit in self.fits])

    def scale_to(self, side: int) -> int:
        """How many times finer images of a side are than the fits.

        Raises:
            StatisticsError: if they are not a whole number of times finer.
        """
        own = self.own_side
        if side % own:
            raise StatisticsError(
                f"{self.data} statistics are of {own} pixels: choose an image size that is a "
                f"multiple of {own}, not {side}"
            )
        return side // own


def save(path: Path, statistics: ClassStatistics) -> None:
    """Writes statistics, whole or not at all."""
    atomic.write_bytes(path, as_bytes(statistics))


def as_bytes(statistics: ClassStatistics) -> bytes:
    """Statistics as the ``.npz`` that `save` writes."""
    about = {
        "format": FORMAT,
        "data": statistics.data,
        "split": statistics.split,
        "labels": list(statistics.labels),
        "side": statistics.side,
        "factor": statistics.factor,
        "regulariser": statistics.regulariser,
        "share": statistics.share,
    }
    arrays = {"about": np.array(json.dumps(about))}
    for index, fit in enumerate(statistics.fits):
        arrays |= {f"{name}_{index}": value for name, value in fit_arrays(fit).items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load(name: str | Path) -> ClassStatistics:
    """Shipped statistics by the name of a data set, or those in a file.

    Args:
        name: such as ``"cifar10"``, see `names`; the name up to a slash or a colon counts, as TFDS
            writes them; or the path of an ``.npz`` that `save` wrote.

    Raises:
        StatisticsError: if there are none, or the file holds something else.

    Example:
        >>> load("cifar10").labels[7]
        'horse'
    """
    path = Path(name) if Path(name).is_file() else _shipped_file(str(name))
    try:
        return _read(path)
    except (OSError, RefusedError, ValueError) as error:
        raise StatisticsError(f"{path} holds no class statistics: {error}") from error


def _read(path: Path) -> ClassStatistics:
    arrays = atomic.read_arrays(path, most_bytes=most_bytes(path), cure="fit or copy it again")
    about = _about(arrays.pop("about", None))
    own = about["side"] // about["factor"]
    fits = []
    for index, label in enumerate(about["labels"]):
        named = {name: arrays.pop(f"{name}_{index}", None) for name in FIT_ARRAYS}
        try:
            fits.append(fit_from_arrays({n: a for n, a in named.items() if a is not None}, own))
        except ValueError as error:
            raise ValueError(f"class {index} ({label}): {error}") from None
    if arrays:
        raise ValueError(f"{min(arrays)} does not belong in it")
    return ClassStatistics(**about, fits=tuple(fits))


def _about(value: np.ndarray | None) -> dict[str, Any]:
    """The fields beside the fits.

    Raises:
        ValueError: naming the first that cannot be.
    """
    try:
        about = json.loads(str(value)) if value is not None else None
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise ValueError("about is missing, or no JSON object")
    if about.pop("format", None) != FORMAT:
        raise ValueError(f"format is not {FORMAT}")
    labels: Any = about.get("labels")
    named = isinstance(labels, list) and labels and all(isinstance(n, str) for n in labels)
    checks = {
        "data": isinstance(about.get("data"), str),
        "split": isinstance(about.get("split"), str),
        "labels": named and len(labels) <= MOST_CLASSES,
        "side": _whole(about.get("side"), MOST_SIDE),
        "factor": _whole(about.get("factor"), MOST_SIDE),
        "regulariser": _between(about.get("regulariser"), 0, math.inf),
        "share": _between(about.get("share"), 0, 1) and about.get("share") != 0,
    }
    for name, holds in checks.items():
        if not holds:
            raise ValueError(f"{name} {repr(about.get(name, 'missing'))[:60]} cannot be")
    if unknown := sorted(set(about) - set(checks)):
        raise ValueError(f"the field {unknown[0][:60]!r} is unknown")
    if about["side"] % about["factor"]:
        raise ValueError(f"factor {about['factor']} does not divide side {about['side']}")
    return {**about, "labels": tuple(labels)}


def _whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _between(value: Any, least: float, most: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < 1e30 and least <= value <= most


def most_bytes(path: Path) -> int:
    """What an ``.npz`` of ours may take in memory, by its size on disk: it compresses little."""
    return int(min(2**33, 100 * path.stat().st_size + 2**20))


def names() -> list[str]:
    """Names of the shipped statistics: a data set's, and its pixels where there are several.

    Example:
        >>> {"cifar10", "imagenette", "imagenette-128"} <= set(names())
        True
    """
    return sorted(path.stem for folder in shipped.PLACES for path in _files(folder))


def find(labels: Sequence[str], side: int | None = None) -> tuple[str, ClassStatistics]:
    """The shipped statistics of exactly these classes, and their name.

    Args:
        labels: class names in order.
        side: side in pixels of the images wanted. Of several statistics of the same classes the
            finest that fits it is taken; None takes the finest.

    Raises:
        StatisticsError: if none are shipped.

    Example, of Imagenette's classes there are fits of 16 and of 64 pixels:
        >>> labels = load("imagenette").labels
        >>> find(labels, 128)[0], find(labels, 48)[0]
        ('imagenette-128', 'imagenette')
    """
    same = {name: found for name in names() if (found := _shipped(name)).labels == tuple(labels)}
    fitting = [n for n, found in same.items() if side is None or side % found.own_side == 0]
    # Where none fits, whoever asks for the scale is told which sizes do.
    candidates = fitting or list(same)
    if candidates:
        finest = max(candidates, key=lambda name: same[name].own_side)
        return finest, same[finest]
    raise StatisticsError(
        f"no statistics are shipped for the classes {', '.join(labels[:3])}, ...: name some with "
        f"`statistics` ({', '.join(names())}, or a file of `python -m pagjax.fit_seeds`)"
    )


def for_labels(labels: Sequence[str], side: int | None = None) -> ClassStatistics:
    """The shipped statistics of exactly these classes, see `find`.

    Raises:
        StatisticsError: if none are shipped.
    """
    return find(labels, side)[1]


_shipped = lru_cache(maxsize=8)(load)


def _files(folder: Path) -> list[Path]:
    return list((folder / FOLDER).glob("*.npz"))


def _shipped_file(name: str) -> Path:
    stem = name.split("/")[0].split(":")[0]
    for folder in shipped.PLACES:
        for path in _files(folder):
            if path.stem == stem:
                return path
    raise StatisticsError(
        f"{name} is neither a file nor a data set whose class statistics are shipped "
        f"({', '.join(names())}): fit some with `python -m pagjax.fit_seeds`"
    )
