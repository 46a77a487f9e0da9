"""The normal distribution function between proven bounds, in whole numbers.

All numbers are integers in units of 2^-192, divided towards one side: what is called a lower bound
is below the truth whatever was rounded. Python's integers are exact; nothing here is a float.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

BITS = 192
ONE = 1 << BITS
# Its first 80 digits.
_PI = 31415926535897932384626433832795028841971693993751058209749445923078164062862089
_PI_UNIT = 10**79
_FAR = 12

Divide = Callable[[int, int], int]


def down(numerator: int, denominator: int) -> int:
    """A quotient rounded down."""
    return numerator // denominator


def up(numerator: int, denominator: int) -> int:
    """A quotient rounded up."""
    return -(-numerator // denominator)


@lru_cache(maxsize=1 << 15)
def cdf_bounds(x: Fraction) -> tuple[int, int]:
    """A lower and an upper bound of Phi(x), in units of 2^-192.

    For x from 0 to 12 it is ``1/2 + phi(x) (x + x^3/3 + x^5/15 + ...)``, a sum of positive terms;
    beyond, what is missing to 1 is at most ``exp(-x^2 / 2) / 2``. The bounds are less than 2^-85
    apart, and less than 2^-120 for x up to 9.5.

    Args:
        x: an exact number.

    Example:
        >>> low, high = cdf_bounds(Fraction(1))
        >>> low < high, low / ONE
        (True, 0.8413447460685429)
    """
    if x < 0:
        low, high = cdf_bounds(-x)
        return ONE - high, ONE - low
    if x > _FAR:
        _, most = _exp_minus(min(x, Fraction(2 * _FAR)) ** 2 / 2)
        return ONE - up(most, 2), ONE
    low, high = _density(x)
    half = ONE // 2
    below = half + down(low * _odd_series(x, down), ONE)
    above = half + up(high * _odd_series(x, up), ONE)
    return below, min(above, ONE)


def _odd_series(x: Fraction, divide: Divide) -> int:
    """``x + x^3/3 + x^5/(3 5) + ...``, rounded to one side."""
    term = divide(x.numerator * ONE, x.denominator)
    square = divide(x.numerator**2 * ONE, x.denominator**2)
    total, odd = term, 1
    # Once terms halve, all that follow are less than the last one.
    while term > 1 or 2 * square > odd * ONE:
        odd += 2
        term = divide(term * square, odd * ONE)
        total += term
    return total + (divide is up)


def _density(x: Fraction) -> tuple[int, int]:
    """Bounds of ``exp(-x^2 / 2) / sqrt(2 pi)``."""
    least, most = _exp_minus(x * x / 2)
    squared_low = down(2 * _PI * ONE**2, _PI_UNIT)
    squared_high = up(2 * (_PI + 1) * ONE**2, _PI_UNIT)
    low, high = math.isqrt(squared_low), math.isqrt(squared_high) + 1
    return down(least * ONE, high), up(most * ONE, low)


def _exp_minus(y: Fraction) -> tuple[int, int]:
    """Bounds of ``exp(-y)`` for y at least 0: of a quarter or less, then squared."""
    halvings = max(0, math.ceil(4 * y).bit_length())
    scaled = y / 2**halvings
    small = down(scaled.numerator * ONE, scaled.denominator)
    low = down(ONE * ONE, _exp(small + 1, up))
    high = up(ONE * ONE, _exp(small, down))
    for _ in range(halvings):
        low, high = down(low * low, ONE), up(high * high, ONE)
    return low, high


def _exp(z: int, divide: Divide) -> int:
    """``exp(z)`` for z from 0 to a half, rounded to one side."""
    total = term = ONE
    count = 0
    while term > 1:
        count += 1
        term = divide(term * z, count * ONE)
        total += term
    return total + (divide is up)
