"""Two-sided confidence intervals of shares and means over pictures, on the host."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from pagjax.certification.bounds import check_alpha, clopper_pearson_interval


class Interval(NamedTuple):
    """An estimate and a two-sided confidence interval around it."""

    value: float
    low: float
    high: float


def share_interval(hits: np.ndarray, alpha: float = 0.05) -> Interval:
    """A share of pictures and its exact interval.

    Args:
        hits: booleans, one per picture, at least one.
        alpha: the interval misses the true share with at most this probability, in (0, 1).

    Raises:
        ValueError: without pictures, or for alpha outside (0, 1).

    Reference: Clopper and Pearson (1934).

    Example:
        >>> [round(x, 4) for x in share_interval([True] * 10, 0.05)]
        [1.0, 0.6915, 1.0]
    """
    trials, successes = len(hits), int(np.sum(hits))
    if trials == 0:
        raise ValueError("no pictures: a share needs at least one")
    return Interval(successes / trials, *clopper_pearson_interval(successes, trials, alpha))


def mean_interval(values: np.ndarray, alpha: float = 0.05) -> Interval:
    """A mean over pictures and Student's interval, for pictures drawn independently.

    Args:
        values: finite numbers, one per picture, at least one.
        alpha: the interval misses the true mean with about this probability, in (0, 1).

    Returns:
        With a single picture, an interval from minus to plus infinity.

    Raises:
        ValueError: without pictures, or for alpha outside (0, 1).

    Reference: Student (1908).

    Example:
        >>> [round(x, 3) for x in mean_interval([1.0, 2.0, 3.0], 0.05)]
        [2.0, -0.484, 4.484]
    """
    check_alpha(alpha)
    numbers = np.asarray(values, np.float64)
    if numbers.size == 0:
        raise ValueError("no pictures: a mean needs at least one")
    mean = float(numbers.mean())
    if numbers.size == 1:
        return Interval(mean, -np.inf, np.inf)
    error = float(numbers.std(ddof=1) / np.sqrt(numbers.size))
    margin = float(stats.t.ppf(1 - alpha / 2, numbers.size - 1)) * error
    return Interval(mean, mean - margin, mean + margin)
