"""Theorem 1 and Lemma 2 of Kaur, Cohen and Lipton (2019): what noise proves, in float64."""

from __future__ import annotations

import math

from scipy import special

from pagjax.core.checks import LARGEST_SIGMA, check_length


def check_sigma(sigma: float, largest: float | None = LARGEST_SIGMA) -> None:
    """Refuses noise levels without which nothing is certified, or of other units than [0, 1]."""
    check_length("sigma", sigma, largest)
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma = {sigma}: a certificate needs noise, sigma above 0")


def certified_radius(largest: float, second: float, sigma: float) -> float:
    """Theorem 1: the l2 radius within which the largest smoothed probability stays largest.

    Args:
        largest: (a lower bound of) the largest smoothed probability.
        second: (an upper bound of) the second largest; ``1 - largest`` always is one.
        sigma: noise level in pixel units.

    Returns:
        ``sigma / 2 (Phi^-1(largest) - Phi^-1(second))``, or 0 where that is negative.

    Reference: Kaur, Cohen and Lipton (2019), theorem 1.

    Example:
        >>> certified_radius(0.5, 0.5, 1.0), round(certified_radius(0.9, 0.1, 0.5), 4)
        (0.0, 0.6408)
    """
    return max(0.0, signed_radius(largest, second, sigma))


def signed_radius(largest: float, second: float, sigma: float) -> float:
    """Theorem 1's expression without the cut at 0: negative where `second` is the larger.

    Arguments as for `certified_radius`; both probabilities at 0 or at 1 give 0.
    """
    if not (0 <= largest <= 1 and 0 <= second <= 1):
        raise ValueError(f"probabilities {largest} and {second}: must lie in [0, 1]")
    if largest == second:
        return 0.0
    return float(sigma / 2 * (special.ndtri(largest) - special.ndtri(second)))


def smoothed_range(probability: float, distance: float, sigma: float) -> tuple[float, float]:
    """Lemma 2: between what a smoothed probability stays when the image moves by `distance`.

    Args:
        probability: at the image, in [0, 1].
        distance: l2 length of the perturbation in pixel units.
        sigma: noise level, above 0.

    Returns:
        Its lower and upper bound.

    Reference: Kaur, Cohen and Lipton (2019), lemma 2 (Salman et al. 2019, lemma 2).

    Example:
        >>> [round(bound, 4) for bound in smoothed_range(0.5, 0.5, 0.5)]
        [0.1587, 0.8413]
    """
    if not (0 <= probability <= 1 and distance >= 0 and sigma > 0):
        raise ValueError(
            f"probability {probability}, distance {distance}, sigma {sigma}: outside their ranges"
        )
    quantile = special.ndtri(probability)
    shift = distance / sigma
    return float(special.ndtr(quantile - shift)), float(special.ndtr(quantile + shift))
