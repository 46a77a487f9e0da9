"""Bounds and quantiles of `pagjax.certification.bounds`, proven after SciPy proposed them.

SciPy's numbers are moved outward by a relative 2^-40, far more than their rounding and far less
than any log shows, and then the inequality that they stand for is checked in whole numbers, rounded
against the claim. Where the check fails they are moved further: a bound may be loose, never wrong.
"""

from __future__ import annotations

import math
from fractions import Fraction

from scipy import special

from pagjax.certification.bounds import clopper_pearson_lower
from pagjax.certification.normal import BITS, ONE, cdf_bounds, up

_MARGIN, _WIDER = 2.0**-40, 16.0
_BLOCK = 64


def proven_clopper_pearson_lower(successes: int, trials: int, alpha: float) -> float:
    """`clopper_pearson_lower`, of which it is proven that it fails with probability <= alpha.

    That is: with this probability of success so many successes or more have probability <= alpha.

    Args:
        successes, trials, alpha: as there; alpha is taken as the very number that the double is.

    Returns:
        A double, below SciPy's by about 2^-40 of itself; 0 where nothing better could be proven.

    Example:
        >>> 0 < clopper_pearson_lower(99, 100, 0.001) / proven_clopper_pearson_lower(
        ...     99, 100, 0.001) - 1 < 1e-11
        True
    """
    proposed = clopper_pearson_lower(successes, trials, alpha)
    margin = _MARGIN
    while successes > 0 and margin < 1:
        lower = proposed * (1 - margin)
        if upper_tail_at_most(successes, trials, Fraction(lower), Fraction(alpha)):
            return lower
        margin *= _WIDER
    return 0.0


def proven_quantile(probability: float) -> float:
    """A number at most Phi^-1(probability): proven to have no more than that below it.

    Args:
        probability: the very number that the double is, in [0, 1].

    Returns:
        A double; 0 for a half, minus infinity where nothing could be proven.

    Example:
        >>> bool(0 < special.ndtri(0.9) - proven_quantile(0.9) < 1e-11)
        True
    """
    if probability == 0.5:
        return 0.0
    proposed, margin = float(special.ndtri(probability)), _MARGIN
    sought = Fraction(probability) * ONE
    while margin < 1 and math.isfinite(proposed):
        lower = proposed - margin * max(1.0, abs(proposed))
        if cdf_bounds(Fraction(lower))[1] <= sought:
            return lower
        margin *= _WIDER
    return -math.inf


def proven_radius(lower: float, sigma: float) -> float:
    """``sigma Phi^-1(lower)`` rounded down, or 0 where that is negative: Cohen et al.'s radius.

    Example:
        >>> bool(0 < 0.5 * special.ndtri(0.9) - proven_radius(0.9, 0.5) < 1e-11)
        True
    """
    quantile = proven_quantile(lower)
    if quantile <= 0:
        return 0.0
    return rounded_down(Fraction(sigma) * Fraction(quantile))


def rounded_down(exact: Fraction) -> float:
    """The nearest double, or the next one below where that is above the number."""
    near = float(exact)
    return near if Fraction(near) <= exact else math.nextafter(near, -math.inf)


def upper_tail_at_most(least: int, trials: int, probability: Fraction, alpha: Fraction) -> bool:
    """Whether it is proven that ``P(Binomial(trials, probability) >= least) <= alpha``.

    The probability of `least` is bounded from above, and the ratios of those that follow; sums are
    rounded up. Proves nothing where `least` is not above the mean.

    Args:
        least: from 1 to `trials`.
        trials: at least 1.
        probability: exact, from 0 to 1.
        alpha: exact.

    Example:
        >>> [upper_tail_at_most(2, 2, Fraction(1, 2), Fraction(a, 100)) for a in (24, 26)]
        [False, True]
    """
    win, lose, unit = (
        probability.numerator,
        probability.denominator - probability.numerator,
        probability.denominator,
    )
    if win == 0:
        return True
    if (trials - least) * win > (least + 1) * lose:
        return False
    first = _product_up(
        _choose_up(trials, min(least, trials - least)),
        _power_up(win, unit, least),
        _power_up(lose, unit, trials - least),
    )
    # In units of the first one, where each is smaller than the one before.
    term = total = ONE
    count = least
    while term > 1 and count < trials:
        term = up(term * (trials - count) * win, (count + 1) * lose)
        total += term
        count += 1
    total += (trials - count) * term
    mantissa, exponent = _product_up(first, _rounded_up(total, 0), (1, -BITS))
    return _value(mantissa, exponent) <= alpha


# Positive numbers as mantissa and exponent, rounded up to the bits of `ONE`.
_Number = tuple[int, int]


def _rounded_up(mantissa: int, exponent: int) -> _Number:
    extra = mantissa.bit_length() - BITS
    return (mantissa, exponent) if extra <= 0 else (up(mantissa, 1 << extra), exponent + extra)


def _product_up(*factors: _Number) -> _Number:
    product: _Number = 1, 0
    for mantissa, exponent in factors:
        product = _rounded_up(product[0] * mantissa, product[1] + exponent)
    return product


def _choose_up(count: int, chosen: int) -> _Number:
    """A binomial coefficient; factors go in blocks, which Python multiplies fastest."""
    product: _Number = ONE, -BITS
    for begin in range(0, chosen, _BLOCK):
        end = min(begin + _BLOCK, chosen)
        above = math.prod(range(count - end + 1, count - begin + 1))
        below = math.prod(range(chosen - end + 1, chosen - begin + 1))
        product = _rounded_up(up(product[0] * above, below), product[1])
    return product


def _power_up(numerator: int, denominator: int, times: int) -> _Number:
    """``(numerator / denominator)^times``, from its highest bit down."""
    base = up(numerator * ONE, denominator), -BITS
    power: _Number = 1, 0
    for bit in f"{times:b}":
        power = _product_up(power, power, base) if bit == "1" else _product_up(power, power)
    return power


def _value(mantissa: int, exponent: int) -> Fraction:
    # A tail of 2^-2000 is at most one of 2^-1000, and quicker to compare.
    if exponent < -2000 - mantissa.bit_length():
        return Fraction(1, 1 << 1000)
    return Fraction(mantissa) * Fraction(2) ** exponent
