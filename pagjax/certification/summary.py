"""What certificates of many images amount to: accuracies at radii, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pagjax.certification.bounds import clopper_pearson_interval
from pagjax.certification.staged import check_radii


class Share(NamedTuple):
    """A share of images with an exact two-sided confidence interval (Clopper and Pearson)."""

    value: float
    low: float
    high: float


def certified_accuracy(
    radii: np.ndarray, correct: np.ndarray, at: Sequence[float], *, alpha: float = 0.05
) -> list[Share]:
    """The share of images whose certificate is correct and reaches each radius.

    The interval is about which images happened to be tested, drawn from many like them; each
    image's certificate holds by itself with its own failure probability.

    Args:
        radii: certified radii, shape ``[images]``, l2 lengths in pixel units.
        correct: whether the certified class is the label, shape ``[images]``; false for abstention.
        at: radii of interest.
        alpha: the interval misses with probability at most this.

    Returns:
        One `Share` per radius of `at`; NaN throughout where there are no images.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 4.

    Example:
        >>> import numpy as np
        >>> radii, correct = np.array([0.4, 0.9, 0.0]), np.array([True, True, False])
        >>> [round(share.value, 2) for share in certified_accuracy(radii, correct, [0, 0.5, 1])]
        [0.67, 0.33, 0.0]
    """
    check_radii(at)
    return [_share(int((correct & (radii >= radius)).sum()), len(radii), alpha) for radius in at]


def abstention_rate(predictions: np.ndarray, *, alpha: float = 0.05) -> Share:
    """The share of images on which there is no prediction, see `certified_accuracy`."""
    return _share(int((predictions < 0).sum()), len(predictions), alpha)


def average_certified_radius(radii: np.ndarray, correct: np.ndarray) -> float:
    """Mean over images of the radius where correct, 0 elsewhere; NaN without images.

    Reference: Zhai et al. (2020), "MACER", section 3.

    Example:
        >>> import numpy as np
        >>> average_certified_radius(np.array([0.5, 0.25]), np.array([True, False]))
        0.25
    """
    return float(np.mean(radii * correct)) if len(radii) else math.nan


def _share(count: int, total: int, alpha: float) -> Share:
    if total == 0:
        return Share(math.nan, math.nan, math.nan)
    return Share(count / total, *clopper_pearson_interval(count, total, alpha))
