"""Confidence bounds of probabilities and means, exact or distribution-free, in float64.

Each states one side, which fails with probability at most its own alpha. Bounds that must hold at
once share an alpha by the union bound; that is the caller's to do.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy import special

MeanBound = Literal["hoeffding", "bernstein", "better"]


def check_alpha(alpha: float) -> None:
    """Refuses failure probabilities outside (0, 1)."""
    if isinstance(alpha, str | bool | None) or not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha}: must lie strictly between 0 and 1")


def check_bound(bound: str) -> None:
    """Refuses names that are no `MeanBound`."""
    if bound not in ("hoeffding", "bernstein", "better"):
        raise ValueError(f"bound = {bound!r}: choose hoeffding, bernstein or better")


def clopper_pearson_lower(successes: int, trials: int, alpha: float) -> float:
    """One-sided exact lower bound of a probability, which exceeds it with probability <= alpha.

    Args:
        successes: from 0 to `trials`.
        trials: independent trials, at least 1.
        alpha: failure probability, in (0, 1).

    Raises:
        ValueError: for impossible counts or alpha.

    Reference: Clopper and Pearson (1934).

    Example:
        >>> clopper_pearson_lower(0, 10, 0.001), clopper_pearson_lower(10, 10, 0.25) == 0.25**0.1
        (0.0, True)
    """
    check_alpha(alpha)
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} successes of {trials} trials: impossible counts")
    if successes == 0:
        return 0.0
    if successes == trials:
        return float(alpha ** (1 / trials))
    return float(special.betaincinv(successes, trials - successes + 1, alpha))


def clopper_pearson_upper(successes: int, trials: int, alpha: float) -> float:
    """The same from above: falls short of the probability with probability <= alpha.

    Example:
        >>> clopper_pearson_upper(10, 10, 0.001), round(clopper_pearson_upper(0, 10, 0.05), 3)
        (1.0, 0.259)
    """
    return 1 - clopper_pearson_lower(trials - successes, trials, alpha)


def clopper_pearson_interval(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Both bounds at once: the probability lies outside with probability <= alpha.

    Example:
        >>> [round(bound, 4) for bound in clopper_pearson_interval(10, 10, 0.05)]
        [0.6915, 1.0]
    """
    low = clopper_pearson_lower(successes, trials, alpha / 2)
    return low, clopper_pearson_upper(successes, trials, alpha / 2)


def hoeffding_margin(num_samples: int, alpha: float) -> float:
    """How far a mean of draws in [0, 1] exceeds its expectation with probability <= alpha.

    Args:
        num_samples: independent draws, at least 1.
        alpha: failure probability of this one side.

    Reference: Hoeffding (1963), theorem 2. The margin below the expectation is the same.
    """
    check_alpha(alpha)
    if num_samples < 1:
        raise ValueError(f"num_samples = {num_samples}: must be at least 1")
    return math.sqrt(math.log(1 / alpha) / (2 * num_samples))


def empirical_bernstein_margin(variance: float, num_samples: int, alpha: float) -> float:
    """The same, from the sample variance: narrower where draws vary little.

    Args:
        variance: unbiased sample variance of the draws in [0, 1].
        num_samples: at least 2.
        alpha: failure probability of this one side.

    Reference: Maurer and Pontil (2009), theorem 4.
    """
    check_alpha(alpha)
    if num_samples < 2:
        raise ValueError(f"num_samples = {num_samples}: a sample variance needs two draws")
    log_term = math.log(2 / alpha)
    wide = math.sqrt(2 * variance * log_term / num_samples)
    return wide + 7 * log_term / (3 * (num_samples - 1))


def mean_margins(
    variances: np.ndarray, num_samples: int, alpha: float, bound: MeanBound
) -> np.ndarray:
    """Margins of several means of draws in [0, 1], each side failing with probability <= alpha.

    Args:
        variances: unbiased sample variances, any shape.
        num_samples: independent draws, at least 2.
        alpha: failure probability of one side of one mean.
        bound: ``"hoeffding"``, ``"bernstein"``, or ``"better"``: the smaller of the two, each at
            ``alpha / 2``, since choosing after seeing the draws needs both to hold.

    Returns:
        Shape of `variances`.

    Example:
        >>> import numpy as np
        >>> margins = mean_margins(np.array([0.25, 0.0]), 10_000, 0.001, "better")
        >>> [round(float(margin), 4) for margin in margins]
        [0.0195, 0.0019]
    """
    check_bound(bound)
    share = alpha / 2 if bound == "better" else alpha
    margins = []
    if bound != "bernstein":
        margins.append(np.full(np.shape(variances), hoeffding_margin(num_samples, share)))
    if bound != "hoeffding":
        flat = [empirical_bernstein_margin(v, num_samples, share) for v in np.ravel(variances)]
        margins.append(np.reshape(flat, np.shape(variances)))
    return np.minimum.reduce(margins)
