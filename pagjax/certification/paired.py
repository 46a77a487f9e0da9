"""Two classifiers on the same images: differences of shares, which pairing makes much narrower."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special, stats

from pagjax.certification.bounds import check_alpha

_HALVINGS = 60  # of [-1, 1], down to the precision of a double


class PairedDifference(NamedTuple):
    """The first's share of images minus the second's.

    Attributes:
        value: difference of the two shares.
        low, high: Tango's score interval.
        only_first, only_second: images that count for one of them alone.
        p_value: of McNemar's exact two-sided test that the true difference is 0.
    """

    value: float
    low: float
    high: float
    only_first: int
    only_second: int
    p_value: float


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, alpha: float = 0.05
) -> PairedDifference:
    """What two classifiers' answers to the same images say of their shares.

    The p-value is exact. The interval is a score interval, which keeps its level within a fraction
    of a percent from a few dozen images on, also where the two disagree on few or none.

    Args:
        first, second: booleans of the same images in the same order, shape ``[images]``.
        alpha: the interval misses the true difference with about this probability.

    Raises:
        ValueError: for arrays of other lengths, without images, or alpha outside (0, 1).

    Reference: Tango (1998), "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design"; McNemar (1947).

    Example:
        >>> import numpy as np
        >>> first = np.array([True] * 30 + [False] * 10)
        >>> found = paired_difference(first, ~first)
        >>> found.value, found.only_first, found.only_second, round(found.p_value, 4)
        (0.5, 30, 10, 0.0022)
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"answers of shapes {first.shape} and {second.shape}: not of same images")
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    low, high = (float(end) for end in tango_interval(one, other, first.size, alpha))
    value = (one - other) / first.size
    return PairedDifference(value, low, high, one, other, mcnemar_p_value(one, other))


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """The exact two-sided test that of the images on which two differ each has an even chance.

    Example:
        >>> mcnemar_p_value(0, 0), mcnemar_p_value(0, 5), round(mcnemar_p_value(3, 12), 4)
        (1.0, 0.0625, 0.0352)
    """
    fewer, both = min(only_first, only_second), only_first + only_second
    return float(min(1.0, 2 * stats.binom.cdf(fewer, both, 0.5)))


def tango_interval(
    only_first: np.ndarray | int, only_second: np.ndarray | int, images: int, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """The score interval of a paired difference of shares.

    All differences that the score test does not reject, its variance taken at the likeliest shares
    with that difference.

    Args:
        only_first, only_second: counts that differ, of any shape.
        images: in all, at least 1.
        alpha: in (0, 1).

    Returns:
        Lower and upper ends of that shape.

    Reference: Tango (1998), equations 3 to 7.

    Example:
        >>> [round(float(end), 4) for end in tango_interval(12, 2, 50, 0.05)]
        [0.0611, 0.3447]
    """
    check_alpha(alpha)
    one, other = np.broadcast_arrays(np.asarray(only_first, float), np.asarray(only_second, float))
    if (one < 0).any() or (other < 0).any() or (one + other > images).any() or images < 1:
        raise ValueError(f"{only_first} and {only_second} of {images} images: impossible counts")
    quantile = float(special.ndtri(1 - alpha / 2))

    def end(sign: int) -> np.ndarray:
        inside, outside = (one - other) / images, np.full(one.shape, float(sign))
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            rejected = _score(one, other, images, middle) > quantile
            inside, outside = (
                np.where(rejected, inside, middle),
                np.where(rejected, middle, outside),
            )
        return inside

    return end(-1), end(1)


def _score(one: np.ndarray, other: np.ndarray, images: int, difference: np.ndarray) -> np.ndarray:
    """How many standard errors a difference is away from the counts."""
    linear = one + other - difference * (2 * images - one + other)
    constant = other * difference * (1 - difference)
    root = np.sqrt(np.maximum(0, linear**2 + 8 * images * constant))
    share = np.maximum(0, (linear + root) / (4 * images))  # likeliest one of `other`
    variance = images * np.maximum(0, 2 * share + difference * (1 - difference))
    away = np.abs(one - other - images * difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        score: np.ndarray = np.where(away == 0, 0.0, away / np.sqrt(variance))
    return score
