"""Fits a Gaussian to each class of a data set, an exact covariance or its principal directions.

Images stream through in chunks. What is held is whichever is smaller, the class's covariance or the
class's images themselves at the statistics' resolution, and one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.sparse.linalg import eigsh

from pagjax.io.data.labelled_images import LabelledImages
from pagjax.seeds.fits import Fit
from pagjax.seeds.store import ClassStatistics, StatisticsError

CHUNK = 500
MOST_VALUES = 2**27  # a gigabyte in float64
_FIRST_RANK = 64
_NO_VARIANCE = 1e-20  # rounding of constant images, in squared pixel units

Report = Callable[[str, int, int], None]
"""Called with a class's label, classes done, and classes in all."""


def fit_classes(
    data: LabelledImages,
    *,
    split: str,
    factor: int = 1,
    regulariser: float = 1e-4,
    share: float = 1.0,
    done: Callable[[int], Fit | None] = lambda index: None,
    keep: Callable[[int, Fit], None] = lambda index, fit: None,
    report: Report = lambda label, done, total: None,
) -> ClassStatistics:
    """A Gaussian for every class of a data set.

    Args:
        data: the images; a class's are read by themselves, `CHUNK` at a time.
        split: what the data's split is called, for the record.
        factor: block means of ``factor x factor`` pixels are fitted; 4 at 224 pixels, 1 at 32.
        regulariser: variance added to every pixel, in squared pixel units of [0, 1].
        share: of the variance that principal directions keep, in (0, 1]; 1 keeps all of them and so
            the exact covariance.
        done, keep: where an interrupted fit finds finished classes and leaves them.
        report: told about progress.

    Returns:
        `ClassStatistics`.

    Raises:
        StatisticsError: for a share or a factor that does not fit, a class of fewer than two
            images, or more values than memory is meant to hold.

    Reference: Santurkar et al. (2019), section 3.1; Kaur, Cohen and Lipton (2019), section 2.
    """
    if not 0 < share <= 1:
        raise StatisticsError(f"share = {share}: must lie in (0, 1]; 1 keeps all of the variance")
    if not (np.isfinite(regulariser) and regulariser >= 0):
        raise StatisticsError(f"regulariser = {regulariser}: a variance, at least 0")
    if factor < 1 or data.side % factor:
        raise StatisticsError(f"factor {factor} does not divide {data.side} pixels: choose another")
    fits = []
    for index, label in enumerate(data.labels):
        fit = done(index)
        if fit is None:
            numbers = np.flatnonzero(data.targets == index)
            shape = (data.side // factor, data.side // factor, 3)
            try:
                fit = fit_class(_chunks(data, numbers, factor), len(numbers), shape, share)
            except StatisticsError as error:
                raise StatisticsError(f"{label}: {error}") from None
            keep(index, fit)
        fits.append(fit)
        report(label, index + 1, len(data.labels))
    return ClassStatistics(
        data=data.name,
        split=split,
        labels=data.labels,
        side=data.side,
        factor=factor,
        regulariser=regulariser,
        share=share,
        fits=tuple(fits),
    )


def fit_class(
    chunks: Iterable[np.ndarray], count: int, shape: tuple[int, int, int], share: float
) -> Fit:
    """Mean and principal directions of images that come in chunks, in float64.

    Args:
        chunks: arrays ``[n, *shape]``, `count` images in all.
        count: how many.
        shape: of an image.
        share: of the variance to keep, in (0, 1].

    Returns:
        A `Fit`; its factors are orthogonal, largest first.

    Raises:
        StatisticsError: for fewer than two images, or too many values to hold.

    Reference: Chan, Golub and LeVeque (1979) for the covariance in one pass.

    Example, two images one step apart in every pixel:
        >>> import numpy as np
        >>> images = np.stack([np.zeros((2, 2, 3)), np.ones((2, 2, 3))])
        >>> fit = fit_class([images], 2, (2, 2, 3), 1.0)
        >>> fit.factors.shape, round(float((fit.factors**2).sum()), 6)
        ((1, 2, 2, 3), 6.0)
    """
    size = int(np.prod(shape))
    if count < 2:
        raise StatisticsError(f"{count} images: a covariance needs at least two")
    if min(count, size) * size > MOST_VALUES:
        raise StatisticsError(
            f"a covariance of {size:,} values from {count:,} images is too large to hold: "
            "raise the factor"
        )
    if count <= size:
        rows = np.concatenate([_flat(chunk) for chunk in chunks])
        mean = rows.mean(axis=0)
        rows = (rows - mean) / np.sqrt(count - 1)
        variances, weights, total = _principal(rows @ rows.T, share)
        factors = weights.T @ rows
    else:
        mean, scatter = _mean_and_scatter(chunks, size)
        variances, directions, total = _principal(scatter / (count - 1), share)
        factors = (directions * np.sqrt(variances)).T
    dropped = max(total - float(variances.sum()), 0.0) / max(size - len(variances), 1)
    return Fit(
        mean=mean.reshape(shape),
        factors=factors.reshape(-1, *shape),
        dropped=dropped,
        count=count,
    )


def _chunks(data: LabelledImages, numbers: np.ndarray, factor: int) -> Iterator[np.ndarray]:
    for first in range(0, len(numbers), CHUNK):
        images = data.images(numbers[first : first + CHUNK]).astype(np.float64) / 255
        side = data.side // factor
        yield images.reshape(-1, side, factor, side, factor, 3).mean(axis=(2, 4))


def _flat(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1)


def _mean_and_scatter(chunks: Iterable[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    seen, mean, scatter = 0, np.zeros(size), np.zeros((size, size))
    for chunk in chunks:
        rows = _flat(chunk)
        own = rows.mean(axis=0)
        shift, together = own - mean, seen + len(rows)
        rows = rows - own
        scatter += rows.T @ rows
        scatter += np.outer(shift, shift) * (seen * len(rows) / together)
        mean += shift * (len(rows) / together)
        seen = together
    return mean, scatter


def _principal(matrix: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The largest eigenvalues that make up a share of the trace, their vectors, and the trace."""
    size, total = len(matrix), float(np.trace(matrix))
    rounding = max(size * np.finfo(np.float64).eps * total, _NO_VARIANCE)
    rank = _FIRST_RANK
    while share < 1 and rank < size // 4:
        start = np.random.default_rng(0).normal(size=size)
        values, vectors = eigsh(matrix, rank, which="LA", v0=start)
        if values.sum() >= share * total:
            break
        rank *= 2
    else:
        values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    enough = 1 + int(np.searchsorted(np.cumsum(values), share * total - rounding))
    above = int(np.sum(values > rounding))
    kept = above if share == 1 else min(enough, above)
    return values[:kept], vectors[:, :kept], total
