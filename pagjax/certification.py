"""Certified radii of hard-smoothed classifiers, and the bounds that certificates are made of.

Counts are integers on the host; probabilities and quantiles are float64 through SciPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from scipy import stats

from pagjax.checks import LogitsFn
from pagjax.smoothing import smoothed_votes

ABSTAIN = -1


@dataclass(frozen=True)
class Certificate:
    """A prediction and the l2 ball in which it is proven constant.

    Attributes:
        prediction: class index, or `ABSTAIN`.
        radius: l2 length in pixel units of [0, 1]; 0 when abstaining.
        lower_bound: of the top class's probability under noise.
        counts: votes of the estimation draws, shape ``[classes]``.
    """

    prediction: int
    radius: float
    lower_bound: float
    counts: np.ndarray


def certify(
    logits_fn: LogitsFn,
    image: Array,
    key: Array,
    *,
    sigma: float,
    num_selection: int = 100,
    num_estimation: int = 100_000,
    alpha: float = 0.001,
    chunk_size: int | None = None,
) -> Certificate:
    """Cohen et al.'s CERTIFY: the class of selection draws, bounded on fresh estimation draws.

    With probability at least 1 - alpha over the draws, the result abstains or the smoothed
    classifier's prediction at `image` is `prediction` and constant within `radius`. A draw with a
    NaN logit or a tie votes for no class and so counts against the certificate.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        image: one image, shape ``[height, width, channels]``, in [0, 1].
        key: a typed key; selection and estimation fold different numbers into it.
        sigma: noise level in pixel units of [0, 1], above 0.
        num_selection: draws N0 that choose the class.
        num_estimation: draws N that bound its probability.
        alpha: failure probability, in (0, 1).
        chunk_size: the most draws held at once.

    Returns:
        A `Certificate`.

    Raises:
        ValueError: if sigma is 0, alpha outside (0, 1), a count below 1, or there is one class.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.2.2.

    Example, a network that always answers class 1:
        >>> import jax, jax.numpy as jnp
        >>> always = lambda x: jnp.broadcast_to(jnp.array([0.0, 1.0]), (x.shape[0], 2))
        >>> done = certify(always, jnp.zeros((4, 4, 3)), jax.random.key(0), sigma=0.5,
        ...                num_estimation=1000)
        >>> done.prediction, round(done.radius, 2)
        (1, 1.23)
    """
    check_alpha(alpha)
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma = {sigma}: a certificate needs noise, sigma above 0")
    selection, counts = (
        np.asarray(
            smoothed_votes(
                logits_fn,
                image[None],
                jax.random.fold_in(key, stage)[None],
                sigma=sigma,
                num_samples=num_samples,
                chunk_size=chunk_size,
            )[0],
            dtype=np.int64,
        )
        for stage, num_samples in enumerate((num_selection, num_estimation))
    )
    if counts.size < 2:
        raise ValueError("a network of one class has nothing to certify")
    top = int(selection.argmax())
    lower = clopper_pearson_lower(int(counts[top]), num_estimation, alpha)
    if lower <= 0.5 or selection[top] == 0:
        return Certificate(ABSTAIN, 0.0, lower, counts)
    return Certificate(top, certified_radius(lower, 1 - lower, sigma), lower, counts)


def clopper_pearson_lower(successes: int, trials: int, alpha: float) -> float:
    """One-sided exact lower bound of a probability, which exceeds it with probability <= alpha.

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
    return float(stats.beta.ppf(alpha, successes, trials - successes + 1))


def hoeffding_margin(num_samples: int, alpha: float) -> float:
    """How far a mean of draws in [0, 1] exceeds its expectation with probability <= alpha.

    Reference: Hoeffding (1963), theorem 2. The margin below the expectation is the same.
    """
    check_alpha(alpha)
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
    if not (0 <= largest <= 1 and 0 <= second <= 1):
        raise ValueError(f"probabilities {largest} and {second}: must lie in [0, 1]")
    if largest <= second:
        return 0.0
    return float(sigma / 2 * (stats.norm.ppf(largest) - stats.norm.ppf(second)))


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
    quantile = stats.norm.ppf(probability)
    shift = distance / sigma
    return float(stats.norm.cdf(quantile - shift)), float(stats.norm.cdf(quantile + shift))


def check_alpha(alpha: float) -> None:
    """Refuses failure probabilities outside (0, 1)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha}: must lie strictly between 0 and 1")
